"""Several components that set relations on one document. Invented sentences."""

from types import SimpleNamespace

import numpy
import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Model

from spacy_attnner.models.candidate_pairs import make_candidate_pairs
from spacy_attnner.pipeline.rel import AttnRel
from spacy_attnner.relations import (
    Relation,
    doc_from_json,
    doc_to_json,
    get_relations,
    has_relations,
    merge_docs,
    set_relations,
    span_to_doc,
)
from spacy_attnner.scoring import score_relations

LABELS = ["Left", "Serves"]


@pytest.fixture
def doc():
    doc = spacy.blank("en").make_doc("Mira left Kestrel for Bergen .")
    ents = [(0, 1, "PER"), (2, 3, "ORG"), (4, 5, "LOC")]
    doc.ents = [Span(doc, *ent) for ent in ents]
    return doc


@pytest.fixture
def make_pipe():
    """`make_pipe(key, overwrite)`: sets what it is told on a document."""

    def make(key="relations", overwrite=True):
        pipe = AttnRel(
            Vocab(),
            Model("none", print),
            get_candidates=make_candidate_pairs(),
            overwrite=overwrite,
            relations_key=key,
        )
        pipe.cfg["labels"] = LABELS

        def annotate(doc, found):
            pairs = numpy.array([(head, tail) for head, _, tail in found])
            scores = numpy.zeros((len(found), 2))
            for row, ((_, label, _), score) in enumerate(found.items()):
                scores[row, LABELS.index(label)] = score
            candidates = SimpleNamespace(spans=list(doc.ents), pairs=pairs)
            pipe.set_annotations([doc], [(candidates, scores)])
            return doc

        return annotate

    return make


def found(doc, key=None):
    places = {ent.start: i for i, ent in enumerate(doc.ents)}
    return {
        (places[r.head.start], r.label, places[r.tail.start]): r.score
        for r in get_relations(doc, key)
    }


LEFT, SERVES, BACK = (0, "Left", 1), (1, "Serves", 2), (1, "Left", 0)


def test_components_with_keys_of_their_own_add_up(make_pipe, doc):
    first, second = make_pipe("first"), make_pipe("second")
    first(doc, {LEFT: 0.75, BACK: 0.5})
    second(doc, {SERVES: 0.875, LEFT: 1.0})
    assert found(doc, "first") == {LEFT: 0.75, BACK: 0.5}
    assert found(doc, "second") == {SERVES: 0.875, LEFT: 1.0}
    # once, with the highest score
    assert found(doc) == {LEFT: 1.0, BACK: 0.5, SERVES: 0.875}
    assert len(get_relations(doc)) == len(doc._.relations) == 3
    assert doc._.rel == {(0, 2): {"Left": 1.0}, (2, 0): {"Left": 0.5}} | {
        (2, 4): {"Serves": 0.875}
    }
    first(doc, {})
    assert found(doc) == {SERVES: 0.875, LEFT: 1.0}


def test_components_with_the_same_key_replace_each_other(make_pipe, doc):
    make_pipe()(doc, {LEFT: 0.75, BACK: 0.5})
    make_pipe()(doc, {SERVES: 0.875})
    assert found(doc) == {SERVES: 0.875}


@pytest.mark.parametrize("key", ["relations", "mine"])
def test_what_is_there_stays_without_overwriting(make_pipe, doc, key):
    """Of a rule, say; what is predicted once more is left out, in every pass."""
    mira, kestrel, _ = doc.ents
    set_relations(doc, [Relation(mira, kestrel, "Left", 0.625)])
    pipe = make_pipe(key, overwrite=False)
    pipe(doc, {LEFT: 0.75, SERVES: 0.875})
    assert found(doc) == {LEFT: 0.625, SERVES: 0.875}
    pipe(doc, {SERVES: 1.0, BACK: 0.5})
    assert found(doc) == {LEFT: 0.625, SERVES: 0.875, BACK: 0.5}
    if key != "relations":
        assert found(doc, key) == {SERVES: 0.875, BACK: 0.5}


def test_setting_without_a_key_replaces_all(make_pipe, doc):
    make_pipe("first")(doc, {LEFT: 0.75})
    make_pipe("second")(doc, {SERVES: 0.75})
    doc._.relations = get_relations(doc, "first")
    assert found(doc) == {LEFT: 0.75}
    assert list(doc.spans) == ["relations"]
    with pytest.raises(ValueError, match="to itself"):
        set_relations(doc, [Relation(doc.ents[0], doc.ents[0], "Left")])
    assert found(doc) == {LEFT: 0.75}  # an error changes nothing


STORES = {
    "copy": Doc.copy,
    "bytes": lambda doc: Doc(doc.vocab).from_bytes(doc.to_bytes()),
    "DocBin": lambda doc: next(DocBin(docs=[doc]).get_docs(doc.vocab)),
    "JSON": lambda doc: doc_from_json(doc.vocab, doc_to_json(doc), validate=True),
    "merge_docs": lambda doc: merge_docs([doc]),
    "span_to_doc": lambda doc: span_to_doc(doc[:]),
}


@pytest.mark.parametrize("store", STORES.values(), ids=STORES)
def test_all_groups_go_with_their_document(make_pipe, doc, store):
    make_pipe("first")(doc, {LEFT: 0.75})
    make_pipe()(doc, {SERVES: 0.5})
    moved = store(doc)
    assert found(moved, "first") == {LEFT: 0.75}
    assert found(moved, "relations") == {SERVES: 0.5}
    assert found(moved) == {LEFT: 0.75, SERVES: 0.5}


def test_scores_are_those_of_all_relations_together(make_pipe, doc):
    reference = doc.copy()
    make_pipe("gold")(reference, {LEFT: 1.0})
    make_pipe()(reference, {SERVES: 1.0})
    make_pipe("second")(make_pipe("first")(doc, {LEFT: 0.75}), {BACK: 0.75})
    scores = score_relations([Example(doc, reference)])
    assert (scores["rel_p"], scores["rel_r"]) == (0.5, 0.5)


class TestTrained:
    """With a pipeline that was trained."""

    pytestmark = pytest.mark.parametrize("task", ["attn_rel"], indirect=True)

    @pytest.fixture
    def nlp(self, trained, monkeypatch):
        pipe = trained.get_pipe("attn_rel")
        monkeypatch.setattr(pipe, "cfg", {**pipe.cfg, "overwrite": False})
        return trained

    def test_the_pass_with_gold_entities_sees_no_relations(self, task, nlp):
        """Else what does not overwrite would keep those that are there."""
        pipe = nlp.get_pipe("attn_rel")
        expected = pipe.score(task.examples(nlp))["rel_gold_ents_f"]
        examples = task.examples(nlp)
        for example in examples:
            doc = example.predicted
            if len(doc.ents) > 1:
                wrong = [Relation(*doc.ents[:2], "Wrong")]
                set_relations(doc, wrong, "other")
                doc.user_data["._.", "rel", None, None] = {(0, 1): {"Wrong": 1.0}}
        assert pipe.score(examples)["rel_gold_ents_f"] == expected == 1.0
        assert found_labels(examples) == {"Wrong"}  # the documents stay as they are

    def test_a_second_pass_changes_nothing(self, task, nlp):
        doc = nlp(task.docs(nlp)[0])
        once = task.found(doc)
        assert task.found(nlp(doc)) == once
        assert len(once) == 2


def found_labels(examples):
    return {r.label for eg in examples for r in get_relations(eg.predicted)}


def test_configs_that_do_not_have_the_settings(make_task):
    nlp = make_task("attn_rel").blank()
    config = nlp.config.copy()
    for name in ("overwrite", "relations_key"):
        del config["components"]["attn_rel"][name]
    loaded = spacy.blank("en", config=config)
    assert loaded.get_pipe("attn_rel").cfg["overwrite"] is True
    assert loaded.get_pipe("attn_rel").cfg["relations_key"] == "relations"
    assert not has_relations(loaded.make_doc("Rain ."))


def test_settings_of_the_config(make_task):
    settings = {"overwrite": False, "relations_key": "mine"}
    nlp = make_task("attn_rel", settings).blank()
    cfg = nlp.get_pipe("attn_rel").cfg
    assert {name: cfg[name] for name in settings} == settings
