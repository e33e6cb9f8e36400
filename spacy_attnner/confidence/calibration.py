"""Fitting confidences to how often they are right.

Two numbers are fitted on held-out documents. The temperature (Guo et al. 2017, "On
Calibration of Modern Neural Networks") divides all scores of the CRF. The log-odds
offset then moves the confidences of entities as a whole (Platt 1999): by the best
estimate less a margin of standard errors, which count documents, not entities, because
what is wrong in a document is often wrong throughout it. New documents are as a rule
harder than those a model was selected on, and without the margin confidences promise
too much there.

Where a threshold drops entities, the numbers are fitted on those that it keeps, and it
is expressed anew, so that the same ones are kept.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy

from .reliability import TINY, expected_calibration_error, log_loss
from .thresholds import same_threshold

MARGIN = 1.645  # standard errors: the lower end of a one-sided 95 % interval
TEMPERATURES = (0.2, 10.0)
OFFSETS = (-20.0, 20.0)
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


class TooFewPredicted(ValueError):
    """Not enough entities are kept where the annotation is known."""


@dataclass(frozen=True)
class Calibration:
    """What was fitted, and what it changed on the data that it was fitted to.

    temperature, log_odds_offset: The model's new settings.
    n_entities: Predicted entities, or relations, or categories, that are kept, all of
        known correctness.
    accuracy: Share of them that are correct.
    ece_before, ece_after: Expected calibration error of what is kept; NaN of nothing.
    log_loss_before, log_loss_after: Mean binary log loss of the confidences, in nats.
    threshold_before, threshold: Below which confidence entities are dropped.
    n_changed: Predicted entities, known or not, that were kept and no longer are, or
        the other way round.
    what: What the predictions are.
    thresholds: Before and after, of each label, where labels have their own.
    """

    temperature: float
    log_odds_offset: float
    n_entities: int
    accuracy: float
    ece_before: float
    ece_after: float
    log_loss_before: float
    log_loss_after: float
    threshold_before: float
    threshold: float
    n_changed: int
    what: str = "entities"
    thresholds: tuple[tuple[float, float], ...] = ()

    @property
    def warning(self) -> str | None:
        """What is worse than before on the data at hand; None if nothing is."""
        if math.isnan(self.ece_after):
            return (
                f"no entity reaches the threshold of {self.threshold:g} any more: "
                "lower it, or let it be expressed anew"
            )
        if self.ece_after > self.ece_before:
            return (
                "the expected calibration error of these documents rises from "
                f"{self.ece_before:.4f} to {self.ece_after:.4f}: with a margin of 0 "
                "standard errors confidences fit them best, and more documents need "
                "less of a margin"
            )
        return None


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

    Confidences of 0 and 1, which no offset moves, have no say. 0 if all are so, and
    never beyond `OFFSETS`, however little is known.

    groups: Number of each entity's document, shape (n,): the standard error is that of
        sampling documents (Liang and Zeger 1986).
    """
    moves = (confidences > TINY) & (confidences < 1.0 - TINY)
    confidences, targets = confidences[moves], targets[moves]
    documents = numpy.asarray(groups)[moves]
    if not len(confidences):
        return 0.0
    low, high = OFFSETS
    while high - low > 1e-6:  # the sum of p - target rises with the offset
        offset = (low + high) / 2
        if (shift(confidences, offset) - targets).sum() > 0:
            high = offset
        else:
            low = offset
    offset = (low + high) / 2
    p = shift(confidences, offset)
    residuals = numpy.bincount(documents, weights=targets - p)  # per document
    information = (p * (1.0 - p)).sum()
    error = math.sqrt(float((residuals**2).sum())) / max(float(information), TINY)
    return max(OFFSETS[0], offset - margin * error)


def calibrate(
    confidences_at: Callable[[float], numpy.ndarray],
    before: numpy.ndarray,
    correct: numpy.ndarray,
    groups: Sequence[int],
    margin: float = MARGIN,
    *,
    threshold: float = 0.0,
    keep_threshold: bool = False,
    with_offset: bool = True,
) -> Calibration:
    """Fit temperature, offset and, so that they keep the same entities, the threshold.

    confidences_at: Temperature -> confidences without offset, shape (n,).
    before: The present confidences, shape (n,).
    correct: Whether each predicted entity is in the annotation, 0 or 1, NaN where that
        is not known, shape (n,). One of known correctness at least is kept.
    groups: Number of each entity's document, shape (n,).
    margin: Standard errors to stay on the safe side; 0 fits the data as they are.
    threshold: Below which confidence entities are dropped; they are not fitted.
    keep_threshold: Whether the threshold stays that number.
    with_offset: Whether confidences have an offset; else a temperature alone.
    """
    kept, known = before >= threshold, ~numpy.isnan(correct)
    fitted = kept & known
    targets = smoothed(correct[fitted])
    temperature = fit_temperature(lambda t: confidences_at(t)[fitted], targets)
    tempered = confidences_at(temperature)
    own = numpy.asarray(groups)[fitted]
    offset = 0.0
    if with_offset:
        offset = fit_offset(tempered[fitted], targets, own.tolist(), margin)
    after = shift(tempered, offset)
    new = threshold
    if threshold and not keep_threshold:
        new = same_threshold(after, kept, threshold)
    shown = (after >= new) & known
    return Calibration(
        temperature=temperature,
        log_odds_offset=offset,
        n_entities=int(fitted.sum()),
        accuracy=float(correct[fitted].mean()),
        ece_before=expected_calibration_error(before[fitted], correct[fitted]),
        ece_after=expected_calibration_error(after[shown], correct[shown]),
        log_loss_before=log_loss(before[fitted], correct[fitted]),
        log_loss_after=log_loss(after[shown], correct[shown]),
        threshold_before=threshold,
        threshold=new,
        n_changed=int(((after >= new) != kept).sum()),
    )
