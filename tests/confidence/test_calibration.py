"""Fitting confidences: by hand, and on entities of known probability."""

import math

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_attnner.confidence.calibration import (
    OFFSETS,
    calibrate,
    fit_offset,
    fit_temperature,
    minimize,
    shift,
    smoothed,
)
from spacy_attnner.confidence.reliability import (
    bin_numbers,
    expected_calibration_error,
    log_loss,
    measure_reliability,
)
from spacy_attnner.confidence.thresholds import same_threshold


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


# certain ones, and what an offset can do of them


@pytest.mark.parametrize("n_certain", [1, 50, 100])
@pytest.mark.parametrize("certain", [0.0, 1.0])
def test_confidences_that_no_offset_moves_have_no_say(certain, n_certain):
    log_odds, correct = draw(100, offset=-0.7)
    p, targets = sigmoid(log_odds), smoothed(correct)
    expected = fit_offset(p, targets, range(100), margin=1.0)
    p = numpy.append(p, [certain] * n_certain)
    targets = numpy.append(targets, [0.6] * n_certain)
    found = fit_offset(p, targets, range(len(p)), margin=1.0)
    assert found == pytest.approx(expected)
    p[:100] = certain
    assert fit_offset(p, targets, range(len(p)), margin=1.0) == 0.0


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 1.0, 1e-8, 1 - 1e-8, 0.5]), st.booleans()),
        min_size=1,
        max_size=9,
    )
)
def test_an_offset_is_always_within_reason(predictions):
    p, correct = map(numpy.array, zip(*predictions, strict=True))
    groups = range(len(p))
    found = fit_offset(p, smoothed(correct.astype(float)), groups)
    assert OFFSETS[0] <= found <= OFFSETS[1]
    result = calibrate(lambda t: p, p, correct.astype(float), groups)
    assert OFFSETS[0] <= result.log_odds_offset <= OFFSETS[1]
    assert math.isfinite(result.log_loss_after)


# one calibration error


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1),
    st.integers(1, 20),
)
def test_reports_and_calibration_measure_the_same_error(predictions, n_bins):
    edges = [(i / n_bins, True) for i in range(n_bins + 1)]
    confidences, correct = zip(*predictions, *edges, strict=True)
    report = measure_reliability(confidences, correct, n_gold=1, n_bins=n_bins)
    found = expected_calibration_error(
        numpy.array(confidences), numpy.array(correct, dtype=float), n_bins
    )
    assert found == report.ece
    gaps = [b.n * abs(b.correct - b.confidence) for b in report.bins if b.n]
    assert found == pytest.approx(sum(gaps) / len(confidences))


def test_confidences_at_the_edges_of_bins():
    at = numpy.array([0.0, 0.1, 0.1 + 0.2, 0.3, 1 - 0.7, 0.31, 1.0, 1 - 1e-16])
    assert bin_numbers(at, 10).tolist() == [0, 0, 2, 2, 2, 3, 9, 9]
    assert bin_numbers(numpy.array([0.2, 0.6 / 3, 1.0])).tolist() == [2, 2, 14]


# a threshold on other scores


def test_a_threshold_between_what_is_kept_and_what_is_dropped():
    scores = numpy.array([0.31, 0.1, 0.62, 0.87])
    kept = numpy.array([False, False, True, True])
    assert same_threshold(scores, kept, 0.5) == 0.46
    assert same_threshold(scores, ~kept | kept, 0.05) == 0.05
    assert same_threshold(scores, ~kept | kept, 0.5) == 0.1  # the least that is kept
    close = numpy.array([0.4000001, 0.4, 0.4000002])
    found = same_threshold(close, numpy.array([True, False, True]), 0.5)
    assert 0.4 < found <= 0.4000001


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.7, 1.0]), st.booleans()),
        min_size=1,
        max_size=8,
    ).filter(lambda pairs: any(kept for _, kept in pairs)),
    st.floats(0.01, 1.0),
)
def test_no_threshold_changes_fewer_decisions(pairs, old):
    scores, kept = map(numpy.array, zip(*pairs, strict=True))
    found = same_threshold(scores, kept, old)
    changed = [((scores >= t) != kept).sum() for t in (*scores, found)]
    assert 0.0 <= found <= 1.0
    assert changed[-1] == min(changed)


def test_what_gets_worse_is_said():
    p = numpy.array([0.8] * 10)
    correct = numpy.array([1.0] * 8 + [0.0] * 2)
    kind = calibrate(lambda t: p, p, correct, range(10), margin=0.0)
    assert kind.ece_after > kind.ece_before  # by its smoothed targets
    assert "rises from 0.0000 to 0.0" in kind.warning
    log_odds, right = draw(2000, temperature=3.0)
    result = calibrate(
        lambda t: sigmoid(log_odds / t), sigmoid(log_odds), right, range(2000)
    )
    assert result.warning is None


def test_a_threshold_that_nothing_reaches_any_more_is_said():
    p = numpy.array([0.95] * 40)
    correct = numpy.array([1.0, 0.0] * 20)
    settings = {"threshold": 0.9, "keep_threshold": True}
    result = calibrate(lambda t: p, p, correct, range(40), **settings)
    assert math.isnan(result.ece_after)
    assert "no entity reaches the threshold of 0.9 any more" in result.warning
    assert result.n_changed == 40
