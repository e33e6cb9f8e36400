"""Extension attributes: when they are registered, and whose they are."""

import json
import os
import subprocess
import sys
import warnings

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.tokens.underscore import Underscore

import spacy_attnner
from spacy_attnner import (
    Relation,
    get_confidence,
    get_rel,
    get_relations,
    register_extensions,
    set_confidences,
    set_rel,
    set_relations,
)

OURS = [(Doc, "rel"), (Doc, "relations"), (Span, "confidence")]
STATES = """
import json
import spacy
from spacy.tokens.underscore import Underscore

def state():
    kinds = Underscore.doc_extensions, Underscore.span_extensions
    return [sorted(names) for names in (*kinds, Underscore.token_extensions)]

found = []
nlp = spacy.blank("en")
found.append(state())
import spacy_attnner, spacy_attnner.relations, spacy_attnner.export
found.append(state())
nlp.add_pipe("attn_textcat")
found.append(state())
nlp.add_pipe("attn_ner")
found.append(state())
nlp.add_pipe("attn_rel")
found.append(state())
print(json.dumps(found))
"""


def run(script):
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def names(monkeypatch):
    """Nobody's attributes, for as long as a test."""
    for kind in ("doc_extensions", "span_extensions", "token_extensions"):
        monkeypatch.setattr(Underscore, kind, {})


@pytest.fixture
def doc(names):
    doc = spacy.blank("en").make_doc("Mira left Kestrel .")
    doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 2, 3, "ORG")]
    return doc


def test_nothing_is_registered_before_a_component_is_made():
    """Each component registers what it sets."""
    nothing = [[], [], []]
    ner, rel = [[], ["confidence"], []], [["rel", "relations"], ["confidence"], []]
    assert json.loads(run(STATES)) == [nothing, nothing, nothing, ner, rel]


def test_registering_twice_is_silent(names):
    for _ in range(2):
        register_extensions()
    assert all(owner.has_extension(name) for owner, name in OURS)


def getter(thing):
    return "theirs"


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        ({"getter": getter}, r"the getter .*test_extensions\.getter"),
        ({"method": getter}, r"the method .*test_extensions\.getter"),
        ({"default": "theirs"}, r"the default 'theirs'"),
        ({"getter": len}, r"the getter builtins\.len"),
    ],
)
@pytest.mark.parametrize(("owner", "name"), OURS)
def test_an_attribute_of_others_stays_theirs(names, owner, name, theirs, message):
    owner.set_extension(name, **theirs)
    before = owner.get_extension(name)
    attribute = rf"{owner.__name__.lower()}\._\.{name} is somebody else's, .*{message}"
    with pytest.warns(UserWarning, match=attribute) as caught:
        register_extensions()
    assert len(caught) == 1
    assert f"spacy_attnner.get_{name} " in str(caught[0].message)
    assert owner.get_extension(name) == before
    others = [(o, n) for o, n in OURS if n != name]
    assert all(o.has_extension(n) for o, n in others)


@pytest.mark.parametrize("registered", ["never", "ours", "replaced", "removed"])
def test_functions_work_whatever_became_of_the_attributes(doc, registered):
    if registered != "never":
        register_extensions()
    for owner, name in OURS:
        if registered == "replaced":
            owner.set_extension(name, default="theirs", force=True)
        elif registered == "removed":
            owner.remove_extension(name)
    person, firm = doc.ents
    set_confidences(doc, [(person, 0.75)])
    set_relations(doc, [Relation(person, firm, "Left", 0.5)])
    assert get_confidence(doc.ents[0]) == 0.75
    assert get_rel(doc) == {(0, 2): {"Left": 0.5}}
    set_rel(doc, {(2, 0): {"Lost": 1.0}})
    assert [relation.label for relation in get_relations(doc)] == ["Lost"]


def test_the_package_goes_by_functions_alone(doc, monkeypatch):
    """Others' attributes of the same names are not even looked at."""

    def fail(self, name):
        raise AssertionError(name)

    monkeypatch.setattr(Underscore, "__getattr__", fail)
    monkeypatch.setattr(Underscore, "__setattr__", fail)
    from check import _tables

    from spacy_attnner.export import read_triples

    person, firm = doc.ents
    set_confidences(doc, [(person, 0.75)])
    set_relations(doc, [Relation(person, firm, "Left", 0.5)])
    tables = "".join(_tables(doc, False))
    assert "0.75" in tables
    assert "Left" in tables
    assert [triple.label for triple in read_triples([doc])] == ["Left"]


@pytest.mark.parametrize(
    ("factory", "taken"),
    [
        ("attn_ner", [(Span, "confidence")]),
        ("attn_rel", [(Doc, "rel"), (Doc, "relations")]),
        ("attn_textcat", []),
    ],
)
def test_components_are_made_in_spite_of_others(names, factory, taken):
    """Each says so of the attributes that it sets, of no other."""
    for owner, name in OURS:
        owner.set_extension(name, default={})  # as spaCy's tutorial has it
    nlp = spacy.blank("en")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nlp.add_pipe(factory)
    said = sorted(str(each.message).split(" is somebody")[0] for each in caught)
    assert said == [f"{owner.__name__.lower()}._.{name}" for owner, name in taken]
    assert all("the default {}" in str(each.message) for each in caught)


def test_names_of_the_package():
    assert {*spacy_attnner.__all__} >= {
        *("Relation", "get_confidence", "get_rel", "get_relations", "has_relations"),
        *("register_extensions", "set_confidences", "set_rel", "set_relations"),
    }
    for name in spacy_attnner.__all__:
        assert hasattr(spacy_attnner, name)
