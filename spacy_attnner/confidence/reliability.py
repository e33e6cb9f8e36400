"""How far confidences can be believed, and what a threshold on them keeps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import ArrayLike, NDArray

N_BINS = 15
TINY = 1e-9
EDGE = 1e-9  # what is so little above the edge of a bin is at it, but for rounding
THRESHOLDS = (0.5, 0.9, 0.95, 0.99)


def bin_numbers(confidences: numpy.ndarray, n_bins: int = N_BINS) -> numpy.ndarray:
    """The bin of each confidence: m of ((m - 1) / M, m / M], from 0; shape (n,).

    A confidence of 0 is in the first bin, and of 1 in the last. What is above an edge
    by rounding alone, as 0.1 + 0.2 of ten bins, is at it.
    """
    edges = numpy.arange(1, n_bins) / n_bins + EDGE
    return numpy.searchsorted(edges, confidences, side="left")


def expected_calibration_error(
    confidences: numpy.ndarray, correct: numpy.ndarray, n_bins: int = N_BINS
) -> float:
    """Mean distance between confidence and accuracy over bins of equal width.

    ECE = sum over the bins m of |B_m| / n * |acc(B_m) - conf(B_m)| (Guo et al. 2017,
    eq. 3), where acc is the share of a bin's predictions that is correct and conf their
    mean confidence; NaN of no predictions.

    confidences: Shape (n,), in [0, 1]. correct: 0 or 1, shape (n,).
    """
    if not len(confidences):
        return math.nan
    bins = bin_numbers(confidences, n_bins)
    gaps = numpy.bincount(bins, weights=confidences - correct, minlength=n_bins)
    return float(numpy.abs(gaps).sum() / len(confidences))


def error_by_chance(confidences: numpy.ndarray, n_bins: int = N_BINS) -> float:
    """The calibration error that honest confidences are expected to have.

    The fewer predictions there are, the further a bin's accuracy is from its confidence
    by chance alone: the error is biased (Bröcker and Smith 2007; Roelofs et al. 2022).
    The sum of p - correct over a bin is about normal with variance v = sum p (1 - p),
    and the mean of its absolute value is sqrt(2 v / pi). NaN of no predictions.

    confidences: Shape (n,), in [0, 1].
    """
    if not len(confidences):
        return math.nan
    variances = numpy.bincount(
        bin_numbers(confidences, n_bins), weights=confidences * (1 - confidences)
    )
    return float(numpy.sqrt(2 * variances / math.pi).sum() / len(confidences))


def log_loss(confidences: numpy.ndarray, targets: numpy.ndarray) -> float:
    """Mean binary log loss, in nats; targets are 0, 1, or between; NaN of nothing."""
    if not len(confidences):
        return math.nan
    p = confidences.astype("float64")  # 1 - TINY is 1 in float32
    p = p.clip(TINY, 1.0 - TINY)
    return float(-(targets * numpy.log(p) + (1 - targets) * numpy.log1p(-p)).mean())


@dataclass(frozen=True)
class Bin:
    """The predictions whose confidence is in (low, high].

    confidence: Their mean confidence. correct: The share of them that is correct. Both
    None if there is none.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    correct: float | None


@dataclass(frozen=True)
class Kept:
    """What is left if only predictions with at least this confidence are kept.

    kept: The share of the predictions.
    precision, recall: Of what is kept; None if there is nothing, or no gold entity.
    """

    threshold: float
    kept: float
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class Reliability:
    """Confidences against correctness.

    n: Predictions with a confidence.
    without: Predictions without one, left out here.
    confidence: The mean confidence.
    correct: The share that is correct.
    ece: The expected calibration error.
    by_chance: What it would be about if the confidences were right.
    """

    n: int
    without: int
    confidence: float
    correct: float
    ece: float
    by_chance: float
    bins: list[Bin]
    thresholds: list[Kept]


def measure_reliability(
    confidences: ArrayLike,
    correct: ArrayLike,
    *,
    n_gold: int,
    without: int = 0,
    n_bins: int = N_BINS,
    thresholds: Sequence[float] = THRESHOLDS,
) -> Reliability:
    """Expected calibration error, reliability table and scores at thresholds.

    confidences: Probabilities. Shape: (N,).
    correct: Whether each prediction is correct. Shape: (N,).
    n_gold: How many gold entities there are.
    without: How many predictions have no confidence.

    Raises ValueError if there is no confidence, or one is not in [0, 1].
    """
    scores = numpy.asarray(confidences, dtype="float64")  # (N,)
    right = numpy.asarray(correct, dtype="float64")  # (N,)
    if not len(scores):
        raise ValueError("there is no confidence to calibrate")
    outside = scores[~((scores >= 0) & (scores <= 1))]
    if len(outside):
        raise ValueError(f"confidence {outside[0]} is not in [0, 1]")
    return Reliability(
        n=len(scores),
        without=without,
        confidence=float(scores.mean()),
        correct=float(right.mean()),
        ece=expected_calibration_error(scores, right, n_bins),
        by_chance=error_by_chance(scores, n_bins),
        bins=_fill_bins(scores, right, n_bins),
        thresholds=[_keep(scores, right, n_gold, each) for each in thresholds],
    )


def _fill_bins(scores: NDArray, right: NDArray, n_bins: int) -> list[Bin]:
    edges = numpy.arange(n_bins + 1) / n_bins  # (M + 1,)
    index = bin_numbers(scores, n_bins)  # (N,)
    bins = []
    for i in range(n_bins):
        inside = index == i
        n = int(inside.sum())
        bins.append(
            Bin(
                low=float(edges[i]),
                high=float(edges[i + 1]),
                n=n,
                confidence=float(scores[inside].mean()) if n else None,
                correct=float(right[inside].mean()) if n else None,
            )
        )
    return bins


def _keep(scores: NDArray, right: NDArray, n_gold: int, threshold: float) -> Kept:
    kept = scores >= threshold
    n, n_right = int(kept.sum()), int(right[kept].sum())
    return Kept(
        threshold=threshold,
        kept=n / len(scores),
        precision=n_right / n if n else None,
        recall=n_right / n_gold if n_gold else None,
    )
