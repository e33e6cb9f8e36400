"""Fitting confidences to how often they are right, and measuring how well they do.

Two numbers are fitted on held-out documents. The temperature (Guo et al. 2017, "On
Calibration of Modern Neural Networks") divides all scores of the CRF. The log-odds
offset then moves the confidences of entities as a whole (Platt 1999): by the best
estimate less a margin of standard errors, which count documents, not entities, because
what is wrong in a document is often wrong throughout it. New documents are as a rule
harder than those a model was selected on, and without the margin confidences promise
too much there.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy

N_BINS = 15
MARGIN = 1.645  # standard errors: the lower end of a one-sided 95 % interval
TEMPERATURES = (0.2, 10.0)
TINY = 1e-9
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


class NothingPredicted(ValueError):
    """No entity is predicted where the annotation is known."""


@dataclass(frozen=True)
class Calibration:
    """What was fitted, and what it changed on the data that it was fitted to.

    temperature, log_odds_offset: The model's new settings.
    n_entities: Predicted entities, all of known correctness.
    accuracy: Share of them that are correct.
    ece_before, ece_after: Expected calibration error.
    log_loss_before, log_loss_after: Mean binary log loss of the confidences, in nats.
    """

    temperature: float
    log_odds_offset: float
    n_entities: int
    accuracy: float
    ece_before: float
    ece_after: float
    log_loss_before: float
    log_loss_after: float


def expected_calibration_error(
    confidences: numpy.ndarray, correct: numpy.ndarray, n_bins: int = N_BINS
) -> float:
    """Mean distance between confidence and accuracy over bins of equal width.

    confidences: Shape (n,), in [0, 1]. correct: 0 or 1, shape (n,).
    """
    if not len(confidences):
        return 0.0
    bins = numpy.minimum((confidences * n_bins).astype(int), n_bins - 1)
    gaps = numpy.bincount(bins, weights=confidences - correct, minlength=n_bins)
    return float(numpy.abs(gaps).sum() / len(confidences))


def log_loss(confidences: numpy.ndarray, targets: numpy.ndarray) -> float:
    """Mean binary log loss, in nats; targets are 0, 1, or between."""
    p = confidences.clip(TINY, 1.0 - TINY)
    return float(-(targets * numpy.log(p) + (1 - targets) * numpy.log1p(-p)).mean())


def shift(confidences: numpy.ndarray, offset: float) -> numpy.ndarray:
    """Confidences with an offset added to their log odds."""
    return confidences / (confidences + (1.0 - confidences) * math.exp(-offset))


def smoothed(correct: numpy.ndarray) -> numpy.ndarray:
    """Platt's targets: few entities, all of them right, must not fit a certainty."""
    right = float(correct.sum())
    wrong = len(correct) - right
    return numpy.where(correct > 0, (right + 1) / (right + 2), 1 / (wrong + 2))


def fit_temperature(
    confidences_at: Callable[[float], numpy.ndarray], targets: numpy.ndarray
) -> float:
    """The temperature of the least log loss.

    confidences_at: Temperature -> confidences, shape (n,). targets: Shape (n,).
    """
    low, high = map(math.log, TEMPERATURES)

    def loss(log_temperature: float) -> float:
        return log_loss(confidences_at(math.exp(log_temperature)), targets)

    return math.exp(minimize(loss, low, high))


def minimize(
    function: Callable[[float], float], low: float, high: float, within: float = 0.005
) -> float:
    """Golden-section search for the least value of a function with one minimum."""
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > within:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = function(right)
    return (low + high) / 2


def fit_offset(
    confidences: numpy.ndarray,
    targets: numpy.ndarray,
    groups: Sequence[int],
    margin: float = MARGIN,
) -> float:
    """The log-odds offset of the least log loss, less `margin` standard errors.

    groups: Number of each entity's document, shape (n,): the standard error is that of
        sampling documents (Liang and Zeger 1986).
    """
    low, high = -20.0, 20.0
    while high - low > 1e-6:  # the sum of p - target rises with the offset
        offset = (low + high) / 2
        if (shift(confidences, offset) - targets).sum() > 0:
            high = offset
        else:
            low = offset
    offset = (low + high) / 2
    p = shift(confidences, offset)
    residuals = numpy.bincount(groups, weights=targets - p)  # per document
    information = (p * (1.0 - p)).sum()
    error = math.sqrt(float((residuals**2).sum())) / max(float(information), TINY)
    return offset - margin * error


def calibrate(
    confidences_at: Callable[[float], numpy.ndarray],
    before: numpy.ndarray,
    correct: numpy.ndarray,
    groups: Sequence[int],
    margin: float = MARGIN,
) -> Calibration:
    """Fit temperature and offset.

    confidences_at: Temperature -> confidences without offset, shape (n,).
    before: The present confidences, shape (n,).
    correct: Whether each predicted entity is in the annotation, 0 or 1, shape (n,).
    groups: Number of each entity's document, shape (n,).
    margin: Standard errors to stay on the safe side; 0 fits the data as they are.
    """
    targets = smoothed(correct)
    temperature = fit_temperature(confidences_at, targets)
    tempered = confidences_at(temperature)
    offset = fit_offset(tempered, targets, groups, margin)
    after = shift(tempered, offset)
    return Calibration(
        temperature=temperature,
        log_odds_offset=offset,
        n_entities=len(correct),
        accuracy=float(correct.mean()),
        ece_before=expected_calibration_error(before, correct),
        ece_after=expected_calibration_error(after, correct),
        log_loss_before=log_loss(before, correct),
        log_loss_after=log_loss(after, correct),
    )
