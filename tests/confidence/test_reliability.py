"""Expected calibration error and thresholds."""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_attnner.confidence.reliability import (
    error_by_chance,
    expected_calibration_error,
    log_loss,
    measure_reliability,
)


def test_by_hand():
    result = measure_reliability(
        [0.95, 0.85, 0.35, 0.15], [1, 1, 1, 0], n_gold=6, n_bins=2
    )
    low, high = result.bins
    assert (low.low, low.high, low.n) == (0.0, 0.5, 2)
    assert (low.confidence, low.correct) == pytest.approx((0.25, 0.5))
    assert (high.confidence, high.correct) == pytest.approx((0.9, 1.0))
    assert result.ece == pytest.approx((2 * 0.25 + 2 * 0.1) / 4)
    assert result.confidence == pytest.approx(0.575)
    assert result.correct == 0.75
    kept = result.thresholds[0]
    assert (kept.threshold, kept.kept) == (0.5, 0.5)
    assert (kept.precision, kept.recall) == pytest.approx((1.0, 2 / 6))
    last = result.thresholds[-1]
    assert (last.kept, last.precision, last.recall) == (0.0, None, 0.0)


def test_bins_are_closed_on_the_right():
    result = measure_reliability(
        [0.0, 0.2, 0.21, 0.4, 1.0], [1] * 5, n_gold=5, n_bins=5
    )
    assert [each.n for each in result.bins] == [2, 2, 0, 0, 1]
    empty = result.bins[2]
    assert empty.confidence is empty.correct is None


def test_fifteen_bins_of_equal_width():
    result = measure_reliability([1.0], [True], n_gold=1)
    assert len(result.bins) == 15
    assert {round(each.high - each.low, 9) for each in result.bins} == {
        round(1 / 15, 9)
    }
    assert result.ece == 0.0


def test_a_threshold_keeps_what_reaches_it():
    result = measure_reliability([0.5, 0.9], [1, 1], n_gold=2)
    assert [kept.kept for kept in result.thresholds] == [1.0, 0.5, 0.0, 0.0]


def test_no_gold_entity():
    (kept, *_) = measure_reliability([0.7], [0], n_gold=0).thresholds
    assert (kept.precision, kept.recall) == (0.0, None)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1),
    st.integers(1, 20),
)
def test_ece_as_in_the_paper(predictions, n_bins):
    bins = {}
    for confidence, correct in predictions:
        edges = ((m + 1) / n_bins + 1e-9 for m in range(n_bins))  # but for rounding
        inside = (m for m, edge in enumerate(edges) if confidence <= edge)
        bins.setdefault(next(inside), []).append((confidence, correct))
    expected = 0.0
    for inside in bins.values():
        share = len(inside) / len(predictions)
        acc = sum(correct for _, correct in inside) / len(inside)
        conf = sum(confidence for confidence, _ in inside) / len(inside)
        expected += share * abs(acc - conf)
    confidences, correct = zip(*predictions, strict=True)
    result = measure_reliability(confidences, correct, n_gold=7, n_bins=n_bins)
    assert result.ece == pytest.approx(expected)
    assert 0 <= result.ece <= 1
    found = {m: each.n for m, each in enumerate(result.bins) if each.n}
    assert found == {m: len(inside) for m, inside in bins.items()}


@pytest.mark.parametrize("score", [-0.1, 1.5, float("nan")])
def test_no_probability(score):
    with pytest.raises(ValueError, match=rf"confidence {score} is not in \[0, 1\]"):
        measure_reliability([0.5, score], [1, 1], n_gold=2)


def test_nothing_to_calibrate():
    with pytest.raises(ValueError, match="no confidence"):
        measure_reliability([], [], n_gold=2)


def test_log_loss_of_certain_predictions_in_float32():
    certain = numpy.array([1.0, 0.0], dtype="float32")
    assert log_loss(certain, numpy.array([1.0, 0.0])) < 1e-6
    assert numpy.isfinite(log_loss(certain, numpy.array([0.0, 1.0])))


@pytest.mark.parametrize("n", [300, 3000])
def test_error_by_chance(n):
    """Of confidences that are right, drawn again and again."""
    draw = numpy.random.default_rng(n)
    p = draw.beta(3, 1, n)
    errors = [
        expected_calibration_error(p, (draw.random(n) < p).astype(float))
        for _ in range(200)
    ]
    assert error_by_chance(p) == pytest.approx(numpy.mean(errors), rel=0.08)
    assert numpy.isnan(error_by_chance(p[:0]))
    assert error_by_chance(numpy.ones(5)) == 0.0
