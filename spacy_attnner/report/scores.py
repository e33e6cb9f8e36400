"""Precision, recall and F1 of entities and of tags, with their averages."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

from .comparison import Comparison, Entity

OUTSIDE = "O"


@dataclass(frozen=True)
class Score:
    """Shares in [0, 1], and the number of gold units."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class ScoreTable:
    """Scores of every label, and three averages.

    micro: Of all units together.
    macro: The mean over the labels.
    weighted: The mean over the labels, weighted by their support.
    """

    per_label: dict[str, Score]
    micro: Score
    macro: Score
    weighted: Score


def score_labels(
    labels: Sequence[str],
    correct: Mapping[str, int],
    predicted: Mapping[str, int],
    gold: Mapping[str, int],
) -> ScoreTable:
    """Scores from counts, the same as seqeval's and scikit-learn's reports.

    P = correct / predicted, R = correct / gold, F1 = 2 correct / (predicted + gold);
    0 where there is nothing to divide by.

    labels: The labels, in the order of the table.
    correct, predicted, gold: How many units of each label.
    """
    counts = [[of.get(x, 0) for x in labels] for of in (correct, predicted, gold)]
    tp, n_predicted, n_gold = numpy.array(counts, dtype="int64")  # (L,) each
    values = _prf(tp, n_predicted, n_gold)  # (3, L)
    total = int(n_gold.sum())
    micro = _prf(*(each.sum(keepdims=True) for each in (tp, n_predicted, n_gold)))
    weights = _divide(n_gold, n_gold.sum(keepdims=True))  # (L,)
    return ScoreTable(
        per_label={
            label: _score(column, n)
            for label, column, n in zip(labels, values.T, n_gold.tolist(), strict=True)
        },
        micro=_score(micro[:, 0], total),
        macro=_score(values.sum(axis=1) / max(1, len(labels)), total),
        weighted=_score(values @ weights, total),
    )


def score_entities(comparisons: Iterable[Comparison]) -> ScoreTable:
    """Scores of entities whose span and type are exactly right, as conlleval's."""
    correct: Counter[str] = Counter()
    predicted: Counter[str] = Counter()
    gold: Counter[str] = Counter()
    for comparison in comparisons:
        gold.update(entity.label for entity in comparison.gold)
        predicted.update(entity.label for entity in comparison.predicted)
        found = {entity.key for entity in comparison.predicted}
        right = {entity.key for entity in comparison.gold} & found
        correct.update(label for _, _, label in right)
    return score_labels(sorted({*gold, *predicted}), correct, predicted, gold)


def _prf(tp: NDArray, predicted: NDArray, gold: NDArray) -> NDArray:
    return numpy.stack(
        [_divide(tp, predicted), _divide(tp, gold), _divide(2 * tp, predicted + gold)]
    )


def _divide(a: NDArray, b: NDArray) -> NDArray:
    return numpy.divide(a, b, out=numpy.zeros(len(a)), where=b != 0)


def _score(values: NDArray, support: int) -> Score:
    precision, recall, f1 = values.tolist()
    return Score(precision, recall, f1, support)


def score_tags(comparisons: Iterable[Comparison]) -> ScoreTable:
    """Scores of B-LOC, I-LOC, …, O; the micro average is the accuracy.

    Tokens whose annotation is missing are left out.
    """
    correct: Counter[str] = Counter()
    predicted: Counter[str] = Counter()
    gold: Counter[str] = Counter()
    for comparison in comparisons:
        for gold_tag, predicted_tag in tag_pairs(comparison):
            gold[gold_tag] += 1
            predicted[predicted_tag] += 1
            correct[gold_tag] += gold_tag == predicted_tag
    labels = sorted({*gold, *predicted}, key=_order)
    return score_labels(labels, correct, predicted, gold)


def tag_pairs(comparison: Comparison) -> list[tuple[str, str]]:
    """Gold and predicted tag of every annotated token of a document."""
    n_tokens = len(comparison.doc)
    gold = iob2_tags(comparison.gold, n_tokens)
    found = sorted(
        (*comparison.predicted, *comparison.ignored), key=lambda entity: entity.start
    )
    predicted = iob2_tags(found, n_tokens)
    return [
        (gold[token.i], predicted[token.i])
        for token in comparison.doc
        if token.i not in comparison.missing
    ]


def iob2_tags(entities: Sequence[Entity], n_tokens: int) -> list[str]:
    """One tag a token: B- begins an entity, I- goes on with it, O is outside.

    Where tokens differ from the gold ones two predictions can fall on the same token;
    the first keeps it.
    """
    tags = [OUTSIDE] * n_tokens
    for entity in entities:
        inside = range(entity.start, entity.end)
        if all(tags[i] == OUTSIDE for i in inside):
            for i in inside:
                tags[i] = f"I-{entity.label}"
            tags[entity.start] = f"B-{entity.label}"
    return tags


def _order(tag: str) -> tuple[bool, str, str]:
    return tag == OUTSIDE, tag[2:], tag[:1]
