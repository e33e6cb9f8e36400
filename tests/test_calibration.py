"""Fitting confidences: by hand, and on entities of known probability."""

import math

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_attnner.calibration import (
    calibrate,
    expected_calibration_error,
    fit_offset,
    fit_temperature,
    log_loss,
    minimize,
    shift,
    smoothed,
)


def sigmoid(x):
    return 1.0 / (1.0 + numpy.exp(-x))


def draw(n, temperature=1.0, offset=0.0, seed=0):
    """Log odds of n entities, and whether each is right: more sure than it should be.

    Entities are right as often as sigmoid(log_odds / temperature + offset) says.
    """
    rng = numpy.random.default_rng(seed)
    log_odds = rng.normal(2.0, 3.0, n)
    right = rng.random(n) < sigmoid(log_odds / temperature + offset)
    return log_odds, right.astype(float)


def test_calibration_error_by_hand():
    confidences = numpy.array([0.0, 0.05, 0.95, 1.0])
    correct = numpy.array([0.0, 1.0, 1.0, 0.0])
    # two bins: |0.05 - 1| / 4 and |1.95 - 1| / 4
    assert expected_calibration_error(confidences, correct) == pytest.approx(0.475)
    assert expected_calibration_error(confidences, correct, 1) == pytest.approx(0.0)
    assert math.isnan(expected_calibration_error(numpy.zeros(0), numpy.zeros(0)))


def test_log_loss_by_hand():
    loss = log_loss(numpy.array([0.5, 0.25]), numpy.array([1.0, 0.0]))
    assert loss == pytest.approx((math.log(2) + math.log(4 / 3)) / 2)
    assert math.isfinite(log_loss(numpy.array([0.0, 1.0]), numpy.array([1.0, 0.0])))


@given(st.floats(0.0, 1.0), st.floats(-10.0, 10.0))
def test_a_shift_moves_log_odds(p, offset):
    found = float(shift(numpy.array([p]), offset)[0])
    assert 0.0 <= found <= 1.0
    if 1e-6 < p < 1.0 - 1e-6:
        expected = sigmoid(math.log(p / (1 - p)) + offset)
        assert found == pytest.approx(expected, rel=1e-6)
    elif p in (0.0, 1.0):
        assert found == p


@given(st.floats(-7.0, 9.0))
def test_golden_section(best):
    found = minimize(lambda x: (x - best) ** 2, -7.0, 9.0, within=1e-4)
    assert found == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.3])
def test_the_temperature_is_found(temperature):
    log_odds, correct = draw(40_000, temperature)
    found = fit_temperature(lambda t: sigmoid(log_odds / t), correct)
    assert found == pytest.approx(temperature, rel=0.05)


def test_the_offset_is_found():
    log_odds, correct = draw(40_000, offset=-0.7)
    groups = range(len(correct))
    found = fit_offset(sigmoid(log_odds), correct, groups, margin=0.0)
    assert found == pytest.approx(-0.7, abs=0.05)


def test_the_margin_counts_documents_not_entities():
    log_odds, correct = draw(900)
    p = sigmoid(log_odds)
    copies = numpy.repeat(p, 4), numpy.repeat(correct, 4)
    alone = fit_offset(p, correct, range(900), margin=1.0)
    grouped = fit_offset(*copies, groups=numpy.repeat(range(900), 4), margin=1.0)
    apart = fit_offset(*copies, groups=range(3600), margin=1.0)
    best = fit_offset(p, correct, range(900), margin=0.0)
    assert grouped == pytest.approx(alone)
    assert best - apart == pytest.approx((best - alone) / 2, rel=1e-3)
    assert alone < apart < best


def test_overconfidence_is_mended():
    log_odds, correct = draw(20_000, temperature=2.0, offset=-0.3)
    before = sigmoid(log_odds)
    groups = range(len(correct))
    result = calibrate(lambda t: sigmoid(log_odds / t), before, correct, groups, 0.0)
    assert result.ece_before > 0.05
    assert result.ece_after < 0.02
    assert result.log_loss_after < result.log_loss_before
    assert result.accuracy == correct.mean()
    assert result.n_entities == 20_000


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_few_entities_all_alike_fit_no_certainty(right):
    correct = numpy.full(5, right)
    p = numpy.array([0.9, 0.99, 0.8, 0.999, 0.7])
    log_odds = numpy.log(p / (1 - p))
    result = calibrate(lambda t: sigmoid(log_odds / t), p, correct, range(5), 0.0)
    after = shift(sigmoid(log_odds / result.temperature), result.log_odds_offset)
    assert smoothed(correct).tolist() == pytest.approx([(5 * right + 1) / 7 + 0] * 5)
    assert after.mean() == pytest.approx(smoothed(correct)[0], abs=1e-3)
