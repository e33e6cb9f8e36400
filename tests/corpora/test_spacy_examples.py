"""spaCy's dictionaries, examples and documents as JSON. Sentences are invented."""

import json

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example

from spacy_attnner.corpora import spacy_tuples
from spacy_attnner.corpora.complaints import CorpusError
from spacy_attnner.corpora.conversion import convert
from spacy_attnner.corpora.documents import ALL_ENTITIES, OVERLAP
from spacy_attnner.corpora.reading import UNREAD_KEY

TEXT = "Ada left Oslo."
ENTITIES = [[0, 3, "PER"], [9, 13, "LOC"]]
TAGS = ["U-PER", "O", "U-LOC", "O"]
ENTS = [("Ada", "PER"), ("Oslo", "LOC")]


@pytest.fixture
def read(write, tmp_path, nlp):
    """Convert values, one a line, whose format is told."""

    def read_values(*values):
        out = tmp_path / "out.spacy"
        summary = convert(write("\n".join(map(json.dumps, values)) + "\n"), out)
        assert summary.format == "spacy_tuples"
        return list(DocBin().from_disk(out).get_docs(nlp.vocab)), summary.repairs

    return read_values


def ents(doc):
    return [(ent.text, ent.label_) for ent in doc.ents]


def made():
    """A document with all that is read."""
    doc = spacy.blank("en")(f"{TEXT} Bo slept.")
    doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 2, 3, "LOC")]
    for token in doc:
        token.is_sent_start = token.i in (0, 4)
    doc.cats = {"news": 1.0}
    return doc


def test_dictionaries(read):
    docs, repairs = read(
        {"text": TEXT, "entities": ENTITIES, "cats": {"news": 1.0}},
        {"text": "Bo slept.", "entities": []},
        {"text": "Cy slept.", "cats": {"news": 0.0}},
    )
    assert ents(docs[0]) == ENTS
    assert [doc.cats for doc in docs] == [{"news": 1.0}, {}, {"news": 0.0}]
    assert [doc.has_annotation("ENT_IOB") for doc in docs] == [True, True, False]
    assert not repairs


@pytest.mark.parametrize("words", [{}, {"words": ["Ada", "left", "Oslo", "."]}])
def test_tags(read, words):
    (doc,), _ = read([TEXT, {**words, "entities": TAGS}])
    assert ents(doc) == ENTS
    assert doc.text == TEXT
    (doc,), repairs = read([TEXT, {**words, "entities": ["U-PER", "-", "-", "-"]}])
    assert [token.ent_iob for token in doc] == [3, 0, 0, 0]
    assert not repairs


def test_an_example(read):
    value = Example(made(), made()).to_dict()
    (doc,), repairs = read(value)
    assert ents(doc) == ENTS
    assert (doc.text, doc.cats) == (made().text, {"news": 1.0})
    assert [sent.text for sent in doc.sents] == [TEXT, "Bo slept."]
    assert not repairs


def test_a_document(read):
    (doc,), repairs = read(made().to_json())
    assert ents(doc) == ENTS
    assert (doc.text, doc.cats) == (made().text, {"news": 1.0})
    assert [sent.text for sent in doc.sents] == [TEXT, "Bo slept."]
    assert not repairs


SPANS = [[0, 3, "PER"], [0, 13, "TRIP"], [9, 13, "LOC"]]


@pytest.mark.parametrize("spans", [SPANS, {"sc": SPANS}, {"sc": SPANS, "ruler": []}])
@pytest.mark.parametrize("pair", [True, False])
def test_spans_alone(read, spans, pair):
    value = [TEXT, {"spans": spans}] if pair else {"text": TEXT, "spans": spans}
    (doc,), repairs = read(value)
    assert ents(doc) == [("Ada left Oslo", "TRIP")]
    group = [(span.text, span.label_) for span in doc.spans[ALL_ENTITIES]]
    assert group == [("Ada", "PER"), ("Ada left Oslo", "TRIP"), ("Oslo", "LOC")]
    assert set(repairs) == {OVERLAP}


def test_several_groups_of_spans(read):
    groups = {"people": [[0, 3, "PER", "Q7259"]], "places": [[9, 13, "LOC"]]}
    (doc,), repairs = read([TEXT, {"spans": groups}])
    assert ents(doc) == ENTS
    assert repairs == {spacy_tuples.GROUPS: 1}
    (doc,), repairs = read([TEXT, {"spans": groups, "entities": []}])
    assert ents(doc) == []
    assert repairs == {UNREAD_KEY.format("spans"): 1}


@pytest.mark.parametrize("annotated", [True, False])
def test_a_document_with_spans_alone(read, annotated):
    doc = spacy.blank("en")(TEXT)
    if annotated:
        doc.set_ents([])
    doc.spans["sc"] = [Span(doc, 0, 1, "PER"), Span(doc, 2, 3, "LOC")]
    (found,), repairs = read(doc.to_json())
    assert ents(found) == ENTS
    assert not repairs


def test_a_document_with_categories_alone(read):
    doc = spacy.blank("en")(TEXT)
    doc.cats = {"news": 1.0}
    (found,), _ = read(doc.to_json())
    assert found.cats == {"news": 1.0}


def test_ner_annotator(read):
    pairs = [[TEXT, {"entities": ENTITIES}], None, ["Bo slept.", {"entities": []}]]
    docs, repairs = read({"classes": ["PER", "LOC"], "annotations": pairs})
    assert [ents(doc) for doc in docs] == [ENTS, []]
    assert repairs == {spacy_tuples.NO_EXAMPLE: 1}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([TEXT, {"entities": TAGS[:3]}], "entities has 3 tags for 4 tokens; give one"),
        (
            [TEXT, {"links": {}, "tags": ["NNP"]}],
            "of 'Ada left Oslo.' only links, tags is given; give entities, spans",
        ),
        ([TEXT, {"spans": {"sc": [[0, 3]]}}], "spans['sc'][0] is [0, 3]; write [start"),
        ([TEXT, {"spans": "PER"}], "spans is 'PER'; give an object"),
        ({"text": TEXT, "entities": [[0, 3]]}, "entities[0] is [0, 3]; write [start"),
        (
            {"classes": [], "annotations": [[TEXT, {"entities": [[0, 2, "A"]]}]]},
            "'Ad'",
        ),
    ],
)
def test_errors(read, value, message):
    with pytest.raises(CorpusError) as caught:
        read(value)
    assert message in str(caught.value)
    assert "corpus.txt:1: " in str(caught.value)


def test_a_document_without_annotations(read):
    doc = Doc(spacy.blank("en").vocab, words=["Ada", "left"], ents=["O", "O"])
    (found,), _ = read(doc.to_json())
    assert not found.has_annotation("SENT_START")
    assert found.has_annotation("ENT_IOB")
