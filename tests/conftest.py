"""What all tests share: seeds, one torch thread, Hypothesis without a stopwatch."""

import gc
from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings
from thinc.api import fix_random_seed

from spacy_attnner import register_extensions

# a shared machine makes single examples slow, which says nothing about the code
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
torch.set_num_threads(1)
register_extensions()  # for tests that make no component
LONGEST = ("test_project_run.py", "test_real_training.py")  # some minutes each


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, beside which another process does the others."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Python's collector of circles does not come by."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(autouse=True)
def seed() -> None:
    """Weights and dropout masks are the same whatever ran before."""
    fix_random_seed(0)
