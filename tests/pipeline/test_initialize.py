"""`nlp.initialize` begins anew: nothing of an earlier training stays."""

import copy
import random
from types import SimpleNamespace

import numpy
import pytest
import spacy
import torch
from spacy.training import Example
from thinc.api import fix_random_seed

from spacy_attnner.pipeline import ner as ner_module

LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": 26}


def initialized(task, seed=None):
    nlp = task.blank()
    if seed is not None:
        nlp.config["training"]["seed"] = seed
    nlp.initialize(lambda: task.examples(nlp))
    return nlp


def state(task, nlp):
    pipe = nlp.get_pipe(task.name)
    return pipe.model.to_bytes(), copy.deepcopy(pipe.cfg)


def spoil(task, nlp):
    """Train, and set all that is fitted to data later."""
    task.train(nlp, task.examples(nlp), 3)
    nlp.resume_training()
    pipe = nlp.get_pipe(task.name)
    if task.name == "attn_ner":
        pipe.model.attrs.update(temperature=3.0, log_odds_offset=-2.0)
    if task.name == "attn_rel":
        pipe.fit_thresholds(task.examples(nlp))
        assert pipe.cfg["thresholds"]


def test_initializing_again_gives_the_weights_of_a_new_pipeline(task):
    nlp = initialized(task)
    first = state(task, nlp)
    spoil(task, nlp)
    assert state(task, nlp)[0] != first[0]
    nlp.initialize(lambda: task.examples(nlp))
    numpy.random.seed(5)  # the config's seed counts, not what was drawn before
    torch.manual_seed(5)
    assert state(task, nlp) == first == state(task, initialized(task))
    assert getattr(nlp.get_pipe(task.name), "_rehearsal_model", None) is None


def test_another_seed_gives_other_weights(task):
    one, two = (state(task, initialized(task, seed))[0] for seed in (1, 2))
    assert one != two


def test_training_after_it_is_that_of_a_new_pipeline(task):
    """A cross-validation: what a fold gives does not depend on the folds before it."""
    again = initialized(task)
    spoil(task, again)
    results = []
    for nlp in (again, task.blank()):
        sgd = nlp.initialize(lambda nlp=nlp: task.examples(nlp))
        fix_random_seed(7)
        task.train(nlp, task.examples(nlp), 3, sgd)
        results.append(state(task, nlp))
    assert results[0] == results[1]


def test_the_data_are_not_read_again_and_again(task):
    """Reading a large corpus takes minutes."""
    nlp = task.blank()
    examples = task.examples(nlp) * 30
    drawn = []

    def read():
        for example in examples:
            drawn.append(example)
            yield example

    nlp.initialize(read)
    checks = 1 if "textcat" in task.name else 0  # of categories by labels
    assert len(drawn) // len(examples) == 1 + checks


@pytest.mark.filterwarnings("ignore:.*has labels that none of the")
def test_labels_of_earlier_data_are_forgotten_and_those_of_the_user_stay(task):
    nlp = task.blank()
    pipe = nlp.get_pipe(task.name)
    pipe.add_label("Mine")
    examples = task.examples(nlp)
    nlp.initialize(lambda: task.with_the_new_label(nlp))
    assert pipe.labels == ("Mine", *sorted([*task.labels, task.new_label]))
    task.train(nlp, examples, 2)
    nlp.initialize(lambda: examples)
    assert pipe.labels == ("Mine", *task.labels)
    task.train(nlp, examples, 2)
    assert list(nlp.pipe(task.docs(nlp)))


def test_it_leaves_the_generators_of_others_alone(task):
    before = random.getstate(), numpy.random.get_state()[1].tolist()
    torch_before = torch.get_rng_state()
    initialized(task)
    assert (random.getstate(), numpy.random.get_state()[1].tolist()) == before
    assert torch.equal(torch.get_rng_state(), torch_before)


def test_a_shared_encoder_begins_anew(make_task):
    task = make_task("attn_ner")
    nlp = spacy.blank("en")
    config = task.config
    nlp.add_pipe("tok2vec", config={"model": config["model"]["tok2vec"]})
    config["model"]["tok2vec"] = LISTENER
    nlp.add_pipe("attn_ner", config=config)
    fix_random_seed(3)
    nlp.initialize(lambda: task.examples(nlp))
    first = nlp.get_pipe("tok2vec").model.to_bytes(), state(task, nlp)
    task.train(nlp, task.examples(nlp), 3)
    trained = nlp.get_pipe("tok2vec").model
    weights = [s._model.state_dict() for n in trained.walk() for s in n.shims]
    nlp.initialize(lambda: task.examples(nlp))  # the stock component has no seed
    shims = [shim for node in trained.walk() for shim in node.shims]
    for old, shim in zip(weights, shims, strict=True):
        new = shim._model.state_dict()
        assert not all(torch.equal(old[key], new[key]) for key in old)
    fix_random_seed(3)
    nlp.initialize(lambda: task.examples(nlp))
    assert (nlp.get_pipe("tok2vec").model.to_bytes(), state(task, nlp)) == first


def test_two_components_begin_with_weights_of_their_own(make_task):
    task = make_task("attn_ner")
    nlp = task.blank()
    nlp.add_pipe("attn_ner", name="second", config=task.config)
    nlp.initialize(lambda: task.examples(nlp))
    first, second = (pipe.model.to_bytes() for _, pipe in nlp.pipeline)
    assert first != second


def test_an_example_of_fewer_labels_needs_a_smaller_output(make_task):
    task = make_task("attn_ner")
    nlp = initialized(task)
    doc = nlp.make_doc("Nils sleeps .")
    few = Example.from_dict(doc, {"entities": ["U-PER", "O", "O"]})
    nlp.initialize(lambda: [few])
    pipe = nlp.get_pipe("attn_ner")
    assert pipe.model.get_dim("nO") == 5
    assert pipe.model.get_ref("crf").get_param("transitions").shape == (5, 5)
    nlp.update([few], sgd=nlp.create_optimizer())


@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_the_temperature_is_that_of_the_config(make_task, temperature):
    task = make_task("attn_ner")
    config = task.config
    config["model"]["temperature"] = temperature
    nlp = spacy.blank("en")
    attrs = nlp.add_pipe("attn_ner", config=config).model.attrs
    attrs.update(temperature=9.0, log_odds_offset=1.0)
    nlp.initialize(lambda: task.examples(nlp))
    assert attrs["temperature"] == temperature
    assert attrs["log_odds_offset"] == 0.0


def test_a_threshold_that_was_fitted_is_taken_back_and_one_that_was_set_stays(
    make_task,
):
    task = make_task("attn_rel", {"threshold": 0.3})
    nlp = initialized(task)
    pipe = nlp.get_pipe("attn_rel")
    for _ in range(2):
        pipe.fit_thresholds(task.examples(nlp))
    assert pipe.threshold is None
    nlp.initialize(lambda: task.examples(nlp))
    assert (pipe.threshold, pipe.thresholds) == (0.3, {})
    assert nlp.config["components"]["attn_rel"]["threshold"] == 0.3
    pipe.fit_thresholds(task.examples(nlp))
    pipe.threshold = 0.7
    nlp.initialize(lambda: task.examples(nlp))
    assert pipe.threshold == 0.7
    assert pipe.thresholds == {}


def test_the_threshold_that_a_calibration_expressed_anew_is_taken_back(
    make_task, monkeypatch
):
    task = make_task("attn_ner", {"threshold": 0.4})
    nlp = initialized(task)
    pipe = nlp.get_pipe("attn_ner")
    result = SimpleNamespace(threshold=0.31, temperature=2.0, log_odds_offset=0.0)
    monkeypatch.setattr(ner_module, "fit_calibration", lambda *_, **__: result)
    pipe.calibrate(task.examples(nlp))
    assert pipe.threshold == 0.31
    nlp.initialize(lambda: task.examples(nlp))
    assert pipe.threshold == 0.4
