"""Thresholds of single labels."""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_attnner.confidence.thresholds import best_threshold


def f1_at(threshold, scores, truth, n_gold):
    found = scores >= threshold
    return 2 * (found & truth).sum() / max(1, found.sum() + n_gold)


def test_by_hand():
    """Of 0.9 right, 0.6 wrong, 0.4 right, 0.2 wrong and one gold relation more:
    F1 is 2/4, 2/5, 4/6, 4/7 with 1, 2, 3, 4 pairs, so the cut is below 0.4."""
    scores = numpy.array([0.9, 0.6, 0.4, 0.2])
    truth = numpy.array([True, False, True, False])
    assert best_threshold(scores, truth, 3, 0.5) == pytest.approx(0.3)


def test_nothing_to_learn_from():
    assert best_threshold(numpy.array([0.9]), numpy.array([False]), 2, 0.5) == 0.5
    assert best_threshold(numpy.zeros(0), numpy.zeros(0, dtype=bool), 0, 0.5) == 0.5


def test_of_equally_good_cuts_the_one_near_the_default():
    scores = numpy.array([0.9, 0.1])
    assert best_threshold(scores, numpy.array([True, False]), 1, 0.5) == 0.5


@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=12),
    st.integers(0, 3),
)
def test_no_other_threshold_is_better(pairs, missed):
    scores = numpy.array([score / 10 for score, _ in pairs])
    truth = numpy.array([right for _, right in pairs])
    n_gold = int(truth.sum()) + missed
    found = best_threshold(scores, truth, n_gold, 0.5)
    tried = [f1_at(t, scores, truth, n_gold) for t in numpy.linspace(0, 1, 41)]
    if truth.any():
        assert f1_at(found, scores, truth, n_gold) >= max(tried) - 1e-9
