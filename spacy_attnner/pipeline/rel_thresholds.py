"""The threshold of each relation label that scores best on annotated documents."""

from collections.abc import Mapping

import numpy


def best_thresholds(
    defaults: Mapping[str, float],
    scores: numpy.ndarray,
    truth: numpy.ndarray,
    n_gold: Mapping[str, int],
) -> dict[str, float]:
    """The best threshold of each label that some pair has.

    defaults: For each label, in the order of the columns.
    scores: Probabilities, shape (n_pairs, n_labels). truth: bool, same shape.
    n_gold: Gold relations with each label, those between other pairs included.
    """
    return {
        # six digits, as they are stored
        label: round(
            best_threshold(scores[:, i], truth[:, i], n_gold[label], default), 6
        )
        for i, (label, default) in enumerate(defaults.items())
        if truth[:, i].any()
    }


def best_threshold(
    scores: numpy.ndarray, truth: numpy.ndarray, n_gold: int, default: float
) -> float:
    """The threshold of the highest F1, halfway between two scores.

    scores: Probabilities of a label, shape (n_pairs,).
    truth: Whether each pair has it, bool, shape (n_pairs,).
    n_gold: Gold relations with this label, those between other pairs included.
    default: What is returned where no pair has the label; of equally good thresholds,
        the one closest to it is taken.
    """
    if not truth.any():
        return default
    order = numpy.argsort(-scores, kind="stable")
    ranked = scores[order].astype("float64")
    correct = truth[order].cumsum()  # among the first 1, 2, … pairs
    n_found = numpy.arange(1, len(ranked) + 1)
    f1 = 2 * correct / (n_found + n_gold)
    lower = numpy.append(ranked[1:], -1.0)
    is_cut = lower < ranked  # equal scores are kept or dropped together
    cuts = ((ranked + lower.clip(0.0)) / 2)[is_cut]
    best = f1[is_cut] >= f1[is_cut].max() - 1e-12
    return float(cuts[best][numpy.abs(cuts[best] - default).argmin()])
