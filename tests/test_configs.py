"""What every config of `configs/` must allow."""

from pathlib import Path

import pytest
from spacy import registry
from thinc.api import Config

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.cfg"))
TRAINED = [path for path in CONFIGS if path.stem != "assemble"]


@pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
def test_training_can_be_resumed(path):
    """`nlp.resume_training` resolves the optimizer without the rest of the config."""
    training = Config().from_disk(path, interpolate=False)["training"]
    found = registry.resolve({"optimizer": training["optimizer"]})
    assert found["optimizer"].learn_rate is not None
    rate = training["optimizer"]["learn_rate"]
    assert rate["total_steps"] == training["max_steps"]
