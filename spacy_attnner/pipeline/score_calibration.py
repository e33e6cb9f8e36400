"""Fitting the scores of relations and of categories to how often they are right."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy
from spacy.training import Example

from ..confidence.calibration import Calibration, TooFewPredicted, calibrate, shift
from ..confidence.reliability import expected_calibration_error, log_loss
from ..confidence.thresholds import same_threshold

Groups = list[int]


@dataclass(frozen=True)
class Scored:
    """What a component says of documents, and whether it is right.

    confidences_at: Temperature -> confidences without offset, shape (n,).
    before: The present confidences, shape (n,).
    correct: 0 or 1, NaN where it is not known, shape (n,).
    groups: Number of the document that each is of, shape (n,).
    labels: Which of the thresholds holds for each, shape (n,).
    thresholds: Below which confidence nothing is said, shape (n_thresholds,).
    """

    confidences_at: Callable[[float], numpy.ndarray]
    before: numpy.ndarray
    correct: numpy.ndarray
    groups: numpy.ndarray
    labels: numpy.ndarray
    thresholds: numpy.ndarray


def fit_scores(
    scored: Scored,
    *,
    margin: float,
    with_offset: bool = True,
    keep_threshold: bool = False,
    below: bool = False,
    least: int = 0,
    what: str = "relations",
) -> tuple[Calibration, numpy.ndarray]:
    """Fit a temperature and an offset to what is kept, and express thresholds anew.

    margin: As for `calibrate`. with_offset: Whether there is an offset.
    keep_threshold: Whether thresholds stay those numbers.
    below: Whether what is below the thresholds is fitted, too: it is shown.
    least: How many there have to be at least. what: Their name, for messages.

    Returns what was fitted, with the first threshold, and all of them, (n_thresholds,).
    Raises TooFewPredicted where there is too little.
    """
    old = scored.thresholds
    kept = scored.before >= old[scored.labels]
    known = ~numpy.isnan(scored.correct)
    fitted = known if below else kept & known
    n = int(fitted.sum())
    if below and not n:
        raise TooFewPredicted(
            f"{what} are annotated in none of the documents: calibrate on documents "
            "that have some"
        )
    if n < max(1, least):
        raise TooFewPredicted(
            f"{n or 'no'} {what} are predicted where it is known whether they are "
            "right: calibrate on more documents, or train the component first"
        )
    result = calibrate(
        lambda temperature: scored.confidences_at(temperature)[fitted],
        scored.before[fitted],
        scored.correct[fitted],
        scored.groups[fitted].tolist(),
        margin,
        with_offset=with_offset,
    )
    after = shift(scored.confidences_at(result.temperature), result.log_odds_offset)
    new = old.copy()
    for i, threshold in enumerate(old.tolist()):
        own = scored.labels == i
        if not threshold or not own.any() or keep_threshold:
            continue
        if kept[own].any():
            new[i] = same_threshold(after[own], kept[own], threshold)
        else:  # nothing is to be kept
            new[i] = max(threshold, min(1.0, float(after[own].max()) + 1e-6))
    is_kept = after >= new[scored.labels]
    shown = known if below else is_kept & known
    fit = replace(
        result,
        ece_after=expected_calibration_error(after[shown], scored.correct[shown]),
        log_loss_after=log_loss(after[shown], scored.correct[shown]),
        threshold_before=float(old[0]),
        threshold=float(new[0]),
        n_changed=int((is_kept != kept).sum()),
        what=what,
        thresholds=tuple(zip(old.tolist(), new.tolist(), strict=True))
        if len(old) > 1
        else (),
    )
    return fit, new


def groups_of(examples: list[Example], groups: Groups | None) -> numpy.ndarray:
    """Number of the document that each example is from, (n_examples,)."""
    return numpy.arange(len(examples)) if groups is None else numpy.asarray(groups)
