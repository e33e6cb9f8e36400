"""What every config of `configs/` must allow."""

from itertools import islice
from pathlib import Path

import pytest
import spacy
from spacy import registry
from spacy.util import load_config, load_model_from_config
from thinc.api import Config, warmup_linear

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.cfg"))
TRAINED = CONFIGS


paths = pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)

paths_of = {path.stem: path for path in TRAINED}


def rates(path, **settings):
    """Learning rates of a training, the first 10,000 steps."""
    overrides = {f"training.{name}": value for name, value in settings.items()}
    config = Config().from_disk(path, overrides=overrides).interpolate()
    optimizer = registry.resolve(config["training"])["optimizer"]
    found = []
    for _ in range(10_000):
        found.append(optimizer.learn_rate)
        optimizer.step_schedules()
    return found


@paths
def test_training_can_be_resumed(path):
    """`nlp.resume_training` resolves the optimizer without the rest of the config."""
    training = Config().from_disk(path, interpolate=False)["training"]
    found = registry.resolve({"optimizer": training["optimizer"]})["optimizer"]
    for _ in range(3):
        assert found.learn_rate == training["optimizer"]["learn_rate"]["initial_rate"]
        found.step_schedules()


def test_a_stored_pipeline_can_be_resumed(tmp_path):
    config = Config().from_disk(paths_of["textcat"], interpolate=False)
    load_model_from_config(config, auto_fill=True).to_disk(tmp_path)
    optimizer = spacy.load(tmp_path).resume_training()
    assert optimizer.learn_rate == 0.001


@paths
def test_the_rate_is_that_of_thinc_with_the_steps_of_the_config(path):
    training = Config().from_disk(path)["training"]
    settings = {**training["optimizer"]["learn_rate"]}
    del settings["@schedules"]
    expected = islice(warmup_linear(**settings), 10_000)
    assert rates(path) == pytest.approx(list(expected))


@paths
@pytest.mark.parametrize("steps", [20, 400, 9000])
def test_the_rate_follows_max_steps(path, steps):
    found = rates(path, max_steps=steps)
    learn_rate = Config().from_disk(path)["training"]["optimizer"]["learn_rate"]
    assert max(found) == found[min(learn_rate["warmup_steps"], steps // 8)]
    assert found[steps - 1] > 0.0
    assert not any(found[steps:])


@paths
def test_without_a_limit_of_steps_the_rate_stays(path):
    found = rates(path, max_steps=0)
    assert len(set(found[200:])) == 1
    assert found[200] > 0.0


@paths
def test_an_evaluation_comes_whatever_the_documents_are(path):
    """No limit of epochs, which few documents reach before the first evaluation."""
    training = Config().from_disk(path)["training"]
    assert training["max_epochs"] == 0
    assert 10 * training["eval_frequency"] <= training["max_steps"]


@pytest.mark.parametrize("name", ["joint.cfg", "joint_trf.cfg"])
def test_new_names_of_labels_hold_for_dev_too(name):
    names = {"entities": {"PERSON": "PER"}}
    given = {"corpora.train.labels": names}
    config = load_config(CONFIGS[0].parent / name, overrides=given)
    assert config.interpolate()["corpora"]["dev"]["labels"] == names
