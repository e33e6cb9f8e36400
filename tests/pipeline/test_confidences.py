"""Which component's confidence an entity has, and where it goes. Invented sentences."""

import json
import time
from typing import NamedTuple

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span, SpanGroup
from spacy.vocab import Vocab
from thinc.api import Model

from spacy_attnner import get_confidence
from spacy_attnner.confidence import confidences, set_confidences
from spacy_attnner.pipeline.ner import AttnNER
from spacy_attnner.relations import (
    doc_from_json,
    doc_to_json,
    merge_docs,
    span_to_doc,
    spans_to_docs,
)

TEXT = "Mira Okafor left Kestrel Lines for Bergen ."
PER, ORG, LOC = (0, 2, "PER"), (3, 5, "ORG"), (6, 7, "LOC")
LABELS = ["LOC", "ORG", "PER"]


class Found(NamedTuple):
    """What a decoder gives for one entity."""

    start: int
    end: int
    label: int
    score: float


@pytest.fixture
def make_pipe():
    """`make_pipe(key)`: sets what it is told on a document."""

    def make(key="attn_ner", overwrite=True, set_ents=True):
        pipe = AttnNER(
            Vocab(),
            Model("none", print),
            spans_key=key,
            overwrite=overwrite,
            set_ents=set_ents,
        )
        pipe.cfg["labels"] = LABELS

        def annotate(doc, scores):
            found = [
                Found(start, end, LABELS.index(label), score)
                for (start, end, label), score in scores.items()
            ]
            pipe.set_annotations([doc], [found])
            return doc

        return annotate

    return make


@pytest.fixture
def doc():
    return spacy.blank("en").make_doc(TEXT)


def found(doc):
    return {(e.start, e.end, e.label_): get_confidence(e) for e in doc.ents}


def grouped(doc, key):
    group = doc.spans[key]
    scores = group.attrs["scores"]
    return {
        (span.start, span.end, span.label_): score
        for span, score in zip(group, scores, strict=True)
    }


def test_the_component_that_set_the_entity_counts(make_pipe, doc):
    first, second = make_pipe("first"), make_pipe("second")
    for pipe in (first, second):
        pipe(doc, {PER: 0.75, ORG: 0.5})
    second(doc, {PER: 0.25, LOC: 0.125})
    assert found(doc) == {PER: 0.25, LOC: 0.125}
    first(doc, {PER: 0.75})
    assert found(doc) == {PER: 0.75}


def test_of_two_components_the_second_may_only_add(make_pipe, doc):
    first, second = make_pipe("first"), make_pipe("second", overwrite=False)
    first(doc, {PER: 0.75})
    second(doc, {PER: 0.25, LOC: 0.125})
    assert found(doc) == {PER: 0.75, LOC: 0.125}
    assert (grouped(doc, "first"), grouped(doc, "second")) == (
        {PER: 0.75},
        {LOC: 0.125},
    )


@pytest.mark.parametrize("key", ["attn_ner", "another"])
def test_a_second_pass_that_does_not_overwrite(make_pipe, doc, key):
    """Entities that stay keep their confidence, those of a component of the same key,
    too."""
    make_pipe()(doc, {PER: 0.75, ORG: 0.5})
    again = make_pipe(key, overwrite=False)
    for _ in range(2):
        again(doc, {PER: 0.25, LOC: 0.125})
        assert found(doc) == {PER: 0.75, ORG: 0.5, LOC: 0.125}
    if key == "attn_ner":
        assert grouped(doc, key) == found(doc)


def test_a_second_pass_keeps_only_what_the_component_set_itself(make_pipe, doc):
    first, second = make_pipe("first", overwrite=False), make_pipe("second")
    first(doc, {PER: 0.75, ORG: 0.5})
    second(doc, {PER: 0.25})
    first(doc, {PER: 1.0, LOC: 0.125})
    assert found(doc) == {PER: 0.25, LOC: 0.125}
    assert grouped(doc, "first") == {LOC: 0.125}


def test_a_second_pass_that_overwrites_leaves_nothing_behind(make_pipe, doc):
    pipe = make_pipe()
    pipe(doc, {PER: 0.75, ORG: 0.5})
    pipe(doc, {ORG: 0.25})
    assert found(doc) == grouped(doc, "attn_ner") == {ORG: 0.25}


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("scores", [[0.5], [0.5, 0.25, 0.125], "high", None])
def test_scores_of_other_components_are_not_ours(make_pipe, doc, before, scores):
    """A `spancat` keeps its scores under the same name."""
    pipe = make_pipe()
    if not before:
        pipe(doc, {PER: 0.75})
    spans = [Span(doc, *PER), Span(doc, *ORG)]
    doc.spans["sc"] = SpanGroup(doc, name="sc", spans=spans, attrs={"scores": scores})
    if before:
        pipe(doc, {PER: 0.75})
    assert found(doc) == {PER: 0.75}
    assert get_confidence(Span(doc, *ORG)) is None


def test_entities_of_a_ruler(make_pipe):
    """One that it set has no confidence, one whose label it changed, neither."""
    nlp = spacy.blank("en")
    doc = nlp.make_doc(TEXT)
    ruler = nlp.add_pipe("entity_ruler", config={"overwrite_ents": True})
    ruler.add_patterns([{"label": "FIRM", "pattern": "Kestrel Lines"}])
    ruler.add_patterns([{"label": "CITY", "pattern": "Bergen"}])
    make_pipe()(doc, {PER: 0.75, ORG: 0.5})
    assert found(ruler(doc)) == {PER: 0.75, (3, 5, "FIRM"): None, (6, 7, "CITY"): None}


def test_a_span_without_a_label_is_looked_up_without_one(make_pipe, doc):
    make_pipe()(doc, {PER: 0.75})
    assert get_confidence(doc[0:2]) == 0.75
    assert get_confidence(Span(doc, 0, 2, "LOC")) is None
    assert get_confidence(doc[0:1]) is get_confidence(doc[0:0]) is None


STORES = {
    "copy": Doc.copy,
    "bytes": lambda doc: Doc(doc.vocab).from_bytes(doc.to_bytes()),
    "DocBin": lambda doc: next(DocBin(docs=[doc]).get_docs(doc.vocab)),
    "JSON": lambda doc: doc_from_json(
        doc.vocab, json.loads(json.dumps(doc_to_json(doc))), validate=True
    ),
    "merge_docs": lambda doc: merge_docs([doc]),
    "span_to_doc": lambda doc: span_to_doc(doc[:]),
}


@pytest.mark.parametrize("store", STORES.values(), ids=STORES)
def test_confidences_go_with_their_document(make_pipe, doc, store):
    make_pipe("second")(make_pipe("first")(doc, {PER: 0.75, ORG: 0.5}), {PER: 0.25})
    expected = {PER: 0.25, ORG: 0.5}
    doc.set_ents([Span(doc, *PER), Span(doc, *ORG)])
    assert found(doc) == expected
    moved = store(doc)
    assert found(moved) == expected
    assert found(store(moved)) == expected
    make_pipe("first")(moved, {PER: 0.125})  # whose turn it was is known, too
    assert found(moved) == {PER: 0.125}


@pytest.mark.parametrize("layer_first", [True, False])
@pytest.mark.parametrize("store", [lambda doc: doc, *STORES.values()])
def test_layers_do_not_mix(make_pipe, doc, store, layer_first):
    """An entity of `doc.ents` has the score of the component that set it there, be it
    the same as one of a layer, whichever scored it last."""
    ner, layer = make_pipe("first"), make_pipe("layer", set_ents=False)
    for pipe in (layer, ner) if layer_first else (ner, layer):
        pipe(doc, {PER: 0.75} if pipe is ner else {PER: 0.25, LOC: 0.5})
    moved = store(doc)
    assert found(moved) == {PER: 0.75}
    group = moved.spans["layer"]
    assert confidences(moved, group, "layer") == [0.25, 0.5]
    assert [get_confidence(span, "layer") for span in group] == [0.25, 0.5]
    assert [get_confidence(span) for span in group] == [0.75, 0.5]


def test_layers_of_older_versions(make_pipe, doc):
    """Nothing says that they are layers: whoever was last counts, as it did."""
    make_pipe("first")(doc, {PER: 0.75})
    make_pipe("layer", set_ents=False)(doc, {PER: 0.25})
    del doc.spans["layer"].attrs["layer"]
    assert found(doc) == {PER: 0.25}


def test_a_layer_that_does_not_overwrite_keeps_its_own(make_pipe, doc):
    layer = make_pipe("layer", overwrite=False, set_ents=False)
    layer(doc, {PER: 0.25})
    make_pipe("first")(doc, {PER: 0.75})
    layer(doc, {PER: 1.0, LOC: 0.5})
    assert grouped(doc, "layer") == {PER: 0.25, LOC: 0.5}


def test_layers_merged_and_cut(make_pipe, doc):
    make_pipe("first")(doc, {PER: 0.75})
    make_pipe("layer", set_ents=False)(doc, {PER: 0.25, LOC: 0.5})
    whole = merge_docs([doc, doc.copy()])
    assert list(found(whole).values()) == [0.75, 0.75]
    assert confidences(whole, whole.spans["layer"], "layer") == [0.25, 0.5] * 2
    with whole.retokenize() as retokenizer:
        retokenizer.merge(whole[0:2])
    assert found(whole)[(0, 1, "PER")] == 0.75


def test_documents_merged_and_cut(make_pipe, doc):
    make_pipe()(doc, {PER: 0.75, LOC: 0.5})
    other = make_pipe()(doc.copy(), {ORG: 0.25})
    plain = spacy.blank("en").make_doc("Rain .")
    whole = merge_docs([doc, Doc(doc.vocab), other])
    assert list(found(whole).values()) == [0.75, 0.5, 0.25]
    parts = spans_to_docs([whole[:5], whole[5 : len(doc)], whole[len(doc) :]])
    expected = [{PER: 0.75}, {(1, 2, "LOC"): 0.5}, {ORG: 0.25}]
    assert [found(part) for part in parts] == expected
    assert found(span_to_doc(plain[:])) == {}


def test_merging_with_a_group_of_somebody_elses(make_pipe, doc):
    """Its spans have no scores: nothing is made up, and nothing is lost."""
    make_pipe()(doc, {PER: 0.75})
    other = Doc(doc.vocab, words=["Oslo"])
    other.spans["attn_ner"] = [Span(other, 0, 1, "LOC")]
    whole = merge_docs([doc, other])
    assert [span.text for span in whole.spans["attn_ner"]] == ["Mira Okafor", "Oslo"]
    assert found(whole) == {PER: None}


@pytest.mark.parametrize(
    "wrong", [{}, {"turn": 1, "scores": []}, {"turn": "x", "scores": [1.0]}, [0.5]]
)
def test_json_whose_confidences_fit_no_spans(make_pipe, doc, wrong):
    data = doc_to_json(make_pipe()(doc, {PER: 0.75}))
    data["confidences"]["attn_ner"] = wrong
    with pytest.raises(ValueError, match=r"of the document 'Mira .*need a turn"):
        doc_from_json(doc.vocab, data)


def test_many_entities_are_looked_up_in_no_time():
    """14 s for 4,000 entities, when each was looked for among all."""
    doc = Doc(spacy.blank("en").vocab, words=["x", "."] * 4_000)
    spans = [Span(doc, i, i + 1, "X") for i in range(0, len(doc), 2)]
    doc.ents = spans
    start = time.process_time()
    set_confidences(doc, [(span, 0.5) for span in spans])
    once = time.process_time() - start
    start = time.process_time()
    others = [Span(doc, ent.start, ent.end, "Y") for ent in doc.ents]
    assert [ent._.confidence for ent in doc.ents] == [0.5] * 4_000
    assert [get_confidence(span) for span in others] == [None] * 4_000
    assert confidences(doc, doc.ents) == [0.5] * 4_000
    assert time.process_time() - start < 1.0
    assert once < 0.5
