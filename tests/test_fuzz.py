"""A few of the random pipelines of `fuzz_pipelines.py`; run that for many."""

import warnings

import pytest

from .fuzz_pipelines import Trained, run


@pytest.fixture(scope="module")
def components():
    return Trained.new(steps=40)


@pytest.mark.parametrize("seed", range(1000, 1016))
def test_random_pipelines_over_hostile_texts(components, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rulers, sentences and the like
        run(components, seed)
