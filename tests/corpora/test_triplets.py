"""REBEL's articles and linearized triplets. Sentences are invented."""

import json

import pytest
from spacy.tokens import DocBin

from spacy_attnner.corpora import rebel
from spacy_attnner.corpora.complaints import CorpusError
from spacy_attnner.corpora.conversion import convert
from spacy_attnner.relations import get_relations

from .test_formats_apart import EXAMPLES, linked

TEXT = "Oslo sent a ship : Ada Byron left Oslo , and Bo Cy (of Bergen) stayed there ."


@pytest.fixture
def read(write, tmp_path, nlp):
    """Convert an object; returns the document and the summary."""

    def read_value(value, **settings):
        out = tmp_path / "out.spacy"
        summary = convert(write(json.dumps(value)), out, **settings)
        assert summary.format == "rebel"
        (doc,) = DocBin().from_disk(out).get_docs(nlp.vocab)
        return doc, summary

    return read_value


def triples(doc):
    return [(r.head.text, r.label, r.tail.text) for r in get_relations(doc)]


@pytest.mark.parametrize("key", ["triplets", "generated_text"])
def test_linearized_triplets(read, key):
    line = (
        "<s><triplet> Ada Byron <subj> Oslo <obj> place left <subj> Bergen <obj> near"
    )
    line += " <triplet> Bo Cy <subj> Bergen <obj> home</s><pad>"
    doc, summary = read({"text": TEXT, key: line, "id": 3}, entity_label="THING")
    assert triples(doc) == [
        ("Ada Byron", "place left", "Oslo"),
        ("Ada Byron", "near", "Bergen"),
        ("Bo Cy", "home", "Bergen"),
    ]
    (left, *_) = get_relations(doc)
    assert left.tail.start == 8  # the nearer one
    assert {ent.label_ for ent in doc.ents} == {"THING"}
    assert doc.user_data["id"] == 3
    assert doc[0].ent_iob_ == ""  # not annotated
    assert not summary.repairs


def test_types_may_stand_there(read):
    line = "tp_XX<triplet> Ada Byron <per> Oslo <loc> left <triplet> Bo Cy <per>"
    line += " (of Bergen) <org> in"
    doc, _ = read({"context": TEXT, "triplets": line, "title": "Ships"})
    assert triples(doc) == [
        ("Ada Byron", "left", "Oslo"),
        ("Bo Cy", "in", "(of Bergen)"),
    ]
    assert [ent.label_ for ent in doc.ents] == ["PER", "LOC", "PER", "ORG"]
    assert doc.user_data["meta"] == {"title": "Ships"}


def test_what_cannot_be_placed_is_counted(read):
    line = (
        "<triplet> Bo Cy <subj> Paris <obj> home <triplet> Bo Cy <subj> Bergen <obj> a"
    )
    line += (
        "<triplet> Bo Cy <subj> Bergen <obj> a <triplet> Bergen <subj> Bergen <obj> b"
    )
    line += "<triplet> Bo Cy <subj> Ber"
    doc, summary = read({"text": TEXT, "triplets": line})
    assert triples(doc) == [("Bo Cy", "a", "Bergen")]
    assert summary.repairs == {rebel.NOWHERE: 2, rebel.AGAIN: 1, rebel.BROKEN: 1}


def test_a_line_without_triplets(read):
    doc, _ = read({"text": TEXT, "triplets": ""}, format="rebel")
    assert triples(doc) == []
    with pytest.raises(CorpusError, match=r":1: 'Ada left' holds no <triplet>"):
        read({"text": TEXT, "triplets": "Ada left"}, format="rebel")


def test_an_article_s_triples(read):
    value = json.loads(EXAMPLES["rebel"])
    value["entities"] = value["entities"][:1]  # the object is no entity of the list
    value["triples"] *= 2
    doc, summary = read(value)
    assert triples(doc) == [("Ada", "Left", "Oslo")]
    assert doc.user_data["meta"] == {"title": "Ada", "uri": "Q1"}
    assert summary.repairs == {rebel.AGAIN: 1}


@pytest.mark.parametrize(
    ("entity", "message"),
    [
        (
            {**linked(0, 3), "boundaries": None},
            "entities[0] boundaries is None; give [st",
        ),
        (
            {**linked(0, 4), "surfaceform": "Bo"},
            "entities[0] 'ENTITY' is 'Ada ' (0 to 4)",
        ),
    ],
)
def test_errors_name_the_line(read, entity, message):
    with pytest.raises(CorpusError) as caught:
        read({**json.loads(EXAMPLES["rebel"]), "entities": [entity]})
    assert f"corpus.txt:1: {message}" in str(caught.value)
