"""Thresholds: those that score best, and those that keep what another one kept."""

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


def centred(score: float, threshold: float) -> float:
    """A score whose threshold is moved to 0.5; 0 and 1 stay what they are."""
    if score < threshold:
        return 0.5 * score / threshold
    return 0.5 + 0.5 * (score - threshold) / (1.0 - threshold) if score < 1.0 else 1.0


def same_threshold(
    scores: numpy.ndarray, kept: numpy.ndarray, threshold: float
) -> float:
    """The threshold on new scores that keeps what is kept, or most nearly so.

    It is halfway between the scores that separate best, the lower ones of those that do
    so alike, and has no more digits than needed. Where nothing is dropped it is the
    old one, or the least score if that is lower.

    scores: Shape (n,). kept: Bool, at least one, shape (n,). threshold: The old one.
    """
    order = numpy.argsort(scores, kind="stable")
    scores, kept = scores[order], kept[order]
    # of a threshold between scores i - 1 and i: kept ones below, dropped ones above
    lost = numpy.cumsum(kept) - kept
    added = numpy.cumsum(~kept[::-1])[::-1]
    wrong = numpy.where(numpy.diff(scores, prepend=-1.0) > 0, lost + added, len(kept))
    best = int(wrong.argmin())
    high = float(scores[best])
    if not best:
        return min(threshold, high)
    low = float(scores[best - 1])
    middle = (low + high) / 2
    rounded = (round(middle, digits) for digits in range(2, 17))
    return next((each for each in rounded if low < each <= high), high)


def exclusive_truth(truth: numpy.ndarray) -> numpy.ndarray:
    """Which one of exclusive categories applies: the first, by how far it does, if it
    does at all.

    truth: How far each applies, (n_docs, n_labels). Returns booleans of that shape.
    """
    first = numpy.eye(truth.shape[1], dtype=bool)[truth.argmax(1)]
    return first & (truth > 0.0)
