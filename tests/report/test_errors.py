"""Kinds of errors and the confusion between types."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_attnner.report.comparison import (
    ERRORS,
    Confusion,
    Entity,
    Pair,
    confuse,
    count_kinds,
    pair_entities,
)


def entities(*spans):
    return [Entity(*span) for span in spans]


def kinds(gold, predicted):
    pairs = pair_entities(entities(*gold), entities(*predicted))
    return [
        (pair.kind, pair.gold and pair.gold.key, pair.predicted and pair.predicted.key)
        for pair in pairs
    ]


G = (2, 5, "ORG")


@pytest.mark.parametrize(
    ("predicted", "kind"),
    [
        ((2, 5, "ORG"), "correct"),
        ((2, 5, "LOC"), "type"),
        ((2, 4, "ORG"), "boundary"),
        ((4, 7, "ORG"), "boundary"),
        ((0, 9, "ORG"), "boundary"),
        ((3, 4, "LOC"), "boundary+type"),
    ],
)
def test_a_gold_entity_and_a_prediction(predicted, kind):
    assert kinds([G], [predicted]) == [(kind, G, predicted)]


def test_side_by_side_is_no_overlap():
    before, after = (0, 2, "ORG"), (5, 6, "ORG")
    assert kinds([G], [before, after]) == [
        ("missed", G, None),
        ("spurious", None, before),
        ("spurious", None, after),
    ]


@pytest.mark.parametrize(
    ("predicted", "paired"),
    [
        ([(2, 3, "ORG"), (3, 5, "ORG")], 1),  # the larger overlap
        ([(2, 3, "ORG"), (3, 5, "LOC")], 0),  # the same type before it
        ([(2, 3, "ORG"), (4, 5, "ORG")], 0),  # the first of two alike
        ([(2, 5, "LOC"), (2, 5, "ORG")], 1),  # of two over the same tokens
    ],
)
def test_two_predictions_over_one_entity(predicted, paired):
    (_, gold, found), (kind, none, left) = kinds([G], predicted)
    assert (gold, found) == (G, predicted[paired])
    assert (kind, none, left) == ("spurious", None, predicted[1 - paired])


def test_one_prediction_over_two_entities():
    gold = [(0, 1, "PER"), (1, 3, "PER")]
    assert kinds(gold, [(0, 3, "PER")]) == [
        ("missed", gold[0], None),
        ("boundary", gold[1], (0, 3, "PER")),
    ]


spans = st.tuples(st.integers(0, 9), st.integers(1, 4), st.sampled_from("AB")).map(
    lambda span: Entity(span[0], span[0] + span[1], span[2])
)


@st.composite
def apart(draw):
    """Entities that do not overlap."""
    found: list[Entity] = []
    for entity in sorted(draw(st.lists(spans)), key=lambda entity: entity.start):
        if not found or entity.start >= found[-1].end:
            found.append(entity)
    return found


@given(apart(), apart())
def test_every_entity_is_in_one_category(gold, predicted):
    pairs = pair_entities(gold, predicted)
    assert [pair.gold for pair in pairs if pair.gold] == gold
    found = [pair.predicted for pair in pairs if pair.predicted]
    assert sorted(found, key=lambda entity: entity.start) == predicted
    counts = count_kinds(pairs)
    assert list(counts) == ["correct", *ERRORS]
    same = {entity.key for entity in gold} & {entity.key for entity in predicted}
    assert counts["correct"] == len(same)
    shared = sum(counts[kind] for kind in ("correct", "type", "boundary"))
    shared += counts["boundary+type"]
    assert shared + counts["missed"] == len(gold)
    assert shared + counts["spurious"] == len(predicted)
    for pair in pairs:
        if pair.gold and pair.predicted:
            assert pair.gold.start < pair.predicted.end
            assert pair.predicted.start < pair.gold.end


@given(apart(), apart())
def test_confusion_adds_up(gold, predicted):
    confusion = confuse(pair_entities(gold, predicted))
    assert confusion.labels == sorted({entity.label for entity in gold + predicted})
    columns = list(zip(*confusion.counts, strict=True))
    for i, label in enumerate(confusion.labels):
        assert sum(confusion.counts[i]) == sum(e.label == label for e in gold)
        assert sum(columns[i]) == sum(e.label == label for e in predicted)
    assert confusion.counts[-1][-1] == 0


def test_confusion_by_hand():
    a, b = Entity(0, 1, "A"), Entity(0, 1, "B")
    pairs = [Pair(a, a), Pair(a, a), Pair(a, b), Pair(b, None), Pair(None, a)]
    assert confuse(pairs) == Confusion(
        labels=["A", "B"], counts=[[2, 1, 0], [0, 0, 1], [1, 0, 0]]
    )
