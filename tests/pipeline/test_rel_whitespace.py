"""Whitespace tokens at and between the arguments of relations. Invented sentences."""

import numpy
import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_attnner.models.candidate_pairs import make_candidate_pairs
from spacy_attnner.pipeline.rel_gold import gold_labels_of
from spacy_attnner.relations import Relation, set_relations
from spacy_attnner.scoring import score_relations

VOCAB = spacy.blank("en").vocab
WORDS = ["Mira", "Okafor", "left", "Kestrel", "for", "Bergen", "."]
ENTS = [(0, 2, "PER"), (3, 4, "ORG"), (5, 6, "LOC")]


def make_doc(gaps=(), ents=ENTS, wide=0, relations=None):
    """gaps: A line break before these words. wide: Whitespace that entities take in."""
    words, place = [], []
    for i, word in enumerate(WORDS):
        words += ["\n"] * (i in gaps)
        place.append(len(words))
        words.append(word)
    doc = Doc(VOCAB, words=[*words, "\n"])
    spans = []
    for start, end, label in ents:
        first, last = place[start], place[end - 1] + 1
        while wide and first and doc[first - 1].is_space:
            first -= 1
        while wide and last < len(doc) and doc[last].is_space:
            last += 1
        spans.append(Span(doc, first, last, label))
    if ents is ENTS:
        doc.ents = spans
    doc.spans["mine"] = spans
    if relations is not None:
        made = [Relation(spans[h], spans[t], label) for h, label, t in relations]
        set_relations(doc, made)
    return doc


def texts(candidates):
    return [" ".join(span.text.split()) for span in candidates.spans]


@pytest.mark.parametrize("spans_key", ["", "mine"])
def test_candidates_begin_and_end_with_words(spans_key):
    plain = make_candidate_pairs(spans_key=spans_key)(make_doc())
    doc = make_doc(gaps=range(7), wide=1)
    found = make_candidate_pairs(spans_key=spans_key)(doc)
    assert texts(found) == texts(plain) == ["Mira Okafor", "Kestrel", "Bergen"]
    assert not any(s[0].is_space or s[-1].is_space for s in found.spans)
    numpy.testing.assert_array_equal(found.pairs, plain.pairs)


def test_spans_of_whitespace_alone_are_no_candidates():
    doc = make_doc(gaps=[2])
    doc.spans["mine"] = [Span(doc, 2, 3, "PER"), Span(doc, 4, 5, "ORG"), doc[0:0]]
    found = make_candidate_pairs(spans_key="mine")(doc)
    assert texts(found) == ["Kestrel"]


@pytest.mark.parametrize("max_length", range(1, 6))
@pytest.mark.parametrize("gaps", [(), (3,), range(7)])
def test_the_distance_is_one_of_words(max_length, gaps):
    plain = make_candidate_pairs(max_length=max_length)(make_doc())
    found = make_candidate_pairs(max_length=max_length)(make_doc(gaps=gaps, wide=1))
    numpy.testing.assert_array_equal(found.pairs, plain.pairs)
    assert len(plain.pairs) == (4 if max_length < 3 else 6)


RELATIONS = [(0, "Left", 1), (1, "Serves", 2)]


@pytest.mark.parametrize("gold_wide", [0, 1])
@pytest.mark.parametrize("wide", [0, 1])
def test_gold_labels_are_found_whoever_takes_whitespace_in(wide, gold_wide):
    reference = make_doc(gaps=range(7), wide=gold_wide, relations=RELATIONS)
    predicted = make_doc(gaps=range(7), wide=wide)
    candidates = make_candidate_pairs()(predicted)
    labels = ["Left", "Serves"]
    truth = gold_labels_of(Example(predicted, reference), candidates, labels, "x")
    pairs = [tuple(candidates.pairs[i]) for i in numpy.nonzero(truth)[0]]
    assert sorted(pairs) == [(0, 1), (1, 2)]
    assert truth.sum() == 2


def test_gold_arguments_of_whitespace_alone_are_misses():
    reference = make_doc(gaps=[2], relations=RELATIONS[:1])
    blank = Span(reference, 2, 3, "PER")
    set_relations(reference, [Relation(blank, reference.ents[1], "Left")])
    predicted = make_doc(gaps=[2])
    candidates = make_candidate_pairs()(predicted)
    assert not gold_labels_of(
        Example(predicted, reference), candidates, ["Left"], "x"
    ).any()


@pytest.mark.parametrize("wide", [(0, 1), (1, 0), (1, 1)])
def test_relations_are_scored_without_whitespace_at_their_edges(wide):
    first, second = (
        make_doc(gaps=range(7), wide=each, relations=RELATIONS) for each in wide
    )
    scores = score_relations([Example(first, second)])
    assert (scores["rel_f"], scores["rel_boundaries_f"]) == (1.0, 1.0)
