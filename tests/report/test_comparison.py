"""What is compared: alignment, confidences, missing annotation."""

from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_attnner.report.comparison import Entity, compare

GOLD = [(0, 2, "PER"), (3, 5, "ORG"), (6, 7, "LOC")]


def test_confidences_stay_with_their_entities(make_example):
    comparison = compare(make_example(GOLD, GOLD[1:], [0.25, 0.75]))
    assert [entity.key for entity in comparison.gold] == GOLD
    assert comparison.predicted == [
        Entity(3, 5, "ORG", 0.25),
        Entity(6, 7, "LOC", 0.75),
    ]


def test_without_confidences(make_example):
    comparison = compare(make_example(GOLD, GOLD))
    assert {entity.confidence for entity in comparison.predicted} == {None}


def test_no_annotation(make_example):
    assert compare(make_example(None, GOLD)) is None
    assert compare(make_example([], GOLD)).gold == []


def test_predictions_over_missing_annotation_are_ignored(make_example):
    comparison = compare(make_example(GOLD[:1], GOLD, missing=[(4, 5), (7, 8)]))
    assert [entity.key for entity in comparison.predicted] == [GOLD[0], GOLD[2]]
    assert [entity.key for entity in comparison.ignored] == [GOLD[1]]


def test_other_tokens(make_example):
    reference = make_example(GOLD, GOLD).reference
    words = ["Mira Okafor", "left", "Kes", "trel", "Lines", "for", "Bergen", "."]
    spaces = [True, True, False, True, True, True, True, True]
    doc = Doc(reference.vocab, words=words, spaces=spaces)
    doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 2, 5, "ORG")]
    comparison = compare(Example(doc, reference))
    assert comparison is not None
    assert [entity.key for entity in comparison.predicted] == GOLD[:2]
