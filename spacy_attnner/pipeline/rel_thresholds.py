"""The threshold of each relation label that scores best on annotated documents."""

import numpy


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
