"""Precision, recall and F1 per label, with their averages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

from .comparison import Comparison


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
    correct: dict[str, int] = {}
    predicted: dict[str, int] = {}
    gold: dict[str, int] = {}
    for comparison in comparisons:
        open_keys = {entity.key for entity in comparison.gold}
        for entity in comparison.gold:
            _add(gold, entity.label)
        for entity in comparison.predicted:
            _add(predicted, entity.label)
            if entity.key in open_keys:
                open_keys.remove(entity.key)
                _add(correct, entity.label)
    return score_labels(sorted({*gold, *predicted}), correct, predicted, gold)


def _add(counts: dict[str, int], label: str) -> None:
    counts[label] = counts.get(label, 0) + 1


def _prf(tp: NDArray, predicted: NDArray, gold: NDArray) -> NDArray:
    return numpy.stack(
        [_divide(tp, predicted), _divide(tp, gold), _divide(2 * tp, predicted + gold)]
    )


def _divide(a: NDArray, b: NDArray) -> NDArray:
    return numpy.divide(a, b, out=numpy.zeros(len(a)), where=b != 0)


def _score(values: NDArray, support: int) -> Score:
    precision, recall, f1 = values.tolist()
    return Score(precision, recall, f1, support)
