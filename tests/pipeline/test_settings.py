"""Settings: one value in the component, the pipeline's config and on disk."""

import copy
import pickle

import numpy
import pytest
import spacy
from spacy.cli.find_threshold import find_threshold
from spacy.tokens import DocBin
from thinc.api import fix_random_seed

OTHER = {  # of each component's settings a value that is not the default
    "attn_ner": {
        "threshold": 0.75,
        "overwrite": False,
        "spans_key": "own",
        "incorrect_spans_key": "wrong",
        "set_ents": False,
        "loss_weight": 0.5,
    },
    "attn_rel": {
        "threshold": 0.75,
        "thresholds": {"Based_In": 0.25},
        "known_types_only": False,
        "entity_confidence": False,
        "overwrite": False,
        "relations_key": "own",
        "loss_weight": 0.5,
    },
    "attn_textcat": {
        "threshold": 0.75,
        "loss_weight": 0.5,
        "class_weights": {"trade": 2.0},
        "focal_gamma": 1.5,
    },
    "attn_textcat_multilabel": {
        "threshold": 0.75,
        "thresholds": {"trade": 0.25},
        "loss_weight": 0.5,
        "class_weights": "balanced",
        "focal_gamma": 1.5,
    },
}


@pytest.fixture(params=[(name, key) for name in OTHER for key in OTHER[name]])
def case(request, make_task):
    name, key = request.param
    return make_task(name), key, OTHER[name][key]


def initialized(task):
    nlp = task.blank()
    examples = task.examples(nlp)
    nlp.initialize(lambda: examples)
    return nlp


def assert_set(nlp, name, key, value):
    pipe = nlp.get_pipe(name)
    assert getattr(pipe, key) == pipe.cfg[key] == value
    assert nlp.config["components"][name][key] == value


def test_there_is_no_setting_that_is_not_tested(make_task):
    for name, settings in OTHER.items():
        pipe = make_task(name).blank().get_pipe(name)
        assert set(settings) == set(pipe.SETTINGS)


def test_it_can_be_set_and_is_stored(case, tmp_path):
    task, key, value = case
    nlp = initialized(task)
    assert getattr(nlp.get_pipe(task.name), key) != value
    setattr(nlp.get_pipe(task.name), key, value)
    assert_set(nlp, task.name, key, value)
    nlp.to_disk(tmp_path)
    assert_set(spacy.load(tmp_path), task.name, key, value)
    assert_set(task.blank().from_bytes(nlp.to_bytes()), task.name, key, value)


def test_the_config_goes_before_what_is_stored(case, tmp_path):
    task, key, value = case
    initialized(task).to_disk(tmp_path)
    config = {"components": {task.name: {key: value}}}
    assert_set(spacy.load(tmp_path, config=config), task.name, key, value)
    config = spacy.util.load_config(tmp_path / "config.cfg")
    config["components"][task.name][key] = value
    config.to_disk(tmp_path / "config.cfg")
    assert_set(spacy.load(tmp_path), task.name, key, value)


def test_a_copy_of_the_pipeline_has_settings_of_its_own(case):
    task, key, value = case
    nlp = initialized(task)
    copied = copy.deepcopy(nlp)
    setattr(copied.get_pipe(task.name), key, value)
    assert_set(copied, task.name, key, value)
    assert nlp.config["components"][task.name][key] != value


def test_a_pipeline_that_was_sent_elsewhere_remembers_it_too(case, tmp_path):
    task, key, value = case
    nlp = pickle.loads(pickle.dumps(initialized(task)))
    setattr(nlp.get_pipe(task.name), key, value)
    nlp.to_disk(tmp_path)
    assert_set(spacy.load(tmp_path), task.name, key, value)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "high", True])
def test_thresholds_that_are_none(task, value):
    nlp = task.blank()
    with pytest.raises(ValueError, match=f"threshold .* of '{task.name}'"):
        nlp.get_pipe(task.name).threshold = value


def test_a_number_goes_before_fitted_thresholds(make_task, tmp_path):
    task = make_task("attn_rel")
    nlp = task.trained()
    pipe = nlp.get_pipe("attn_rel")
    found = pipe.fit_thresholds(task.examples(nlp))
    assert pipe.threshold is None
    assert pipe.thresholds.keys() == set(task.labels) >= found.keys()
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded.get_pipe("attn_rel").thresholds == pipe.thresholds
    assert loaded.config["components"]["attn_rel"]["thresholds"] == pipe.thresholds
    doc = task.doc(loaded, task.sentences[0])
    n_found = len(task.found(loaded(doc)))
    loaded.get_pipe("attn_rel").threshold = 0.0
    assert len(task.found(loaded(doc))) > n_found > 0
    override = {"components": {"attn_rel": {"threshold": 1.0}}}
    assert spacy.load(tmp_path, config=override).get_pipe("attn_rel").threshold == 1.0
    loaded = spacy.load(tmp_path)
    loaded.initialize(lambda: task.examples(loaded))
    assert_set(loaded, "attn_rel", "threshold", 0.5)
    assert_set(loaded, "attn_rel", "thresholds", {})


def test_find_threshold_finds_one_after_they_were_fitted(make_task, tmp_path):
    task = make_task("attn_rel")
    nlp = task.trained()
    nlp.get_pipe("attn_rel").fit_thresholds(task.examples(nlp))
    nlp.to_disk(tmp_path / "model")
    references = [example.reference for example in task.examples(nlp)]
    DocBin(docs=references).to_disk(tmp_path / "dev.spacy")
    with pytest.warns(UserWarning, match="no component has set entities"):
        _, best, scores = find_threshold(
            tmp_path / "model",
            tmp_path / "dev.spacy",
            "attn_rel",
            "threshold",
            "rel_gold_ents_f",
            n_trials=3,
            use_gpu=-1,
            silent=True,
        )
    assert best == max(scores.values()) > scores[0.0]


def test_a_reading_shows_its_labels(make_task):
    task = make_task("attn_ner")
    nlp = task.trained(steps=30)
    ((reading,),) = nlp.get_pipe("attn_ner").k_best([nlp(task.sentences[1][0])], 1)
    shown = {(ent.text, ent.label_) for ent in reading.ents}
    assert all(f"{text!r}: {label}" in repr(reading) for text, label in shown)
    assert "probability=0." in repr(reading)


@pytest.mark.parametrize("name", OTHER)
def test_the_weight_of_a_loss_scales_what_the_encoder_learns(name, make_task):
    task = make_task(name)
    nlp = initialized(task)
    pipe, examples = nlp.get_pipe(name), task.examples(nlp)
    pipe.update(examples, sgd=nlp.create_optimizer())  # before, the output is zero
    losses, gradients = [], []
    for weight in (1.0, 0.25):
        pipe.loss_weight = weight
        fix_random_seed(0)  # words are hidden at random
        losses.append(pipe.update(examples, losses={})[name])
        gradients.append([])
        for node in pipe.model.walk():
            for param in node.param_names:
                if node.has_grad(param) and "embed" in node.name:
                    gradients[-1].append(node.get_grad(param).ravel().copy())
                    node.set_grad(param, node.get_grad(param) * 0)
    assert losses[0] == pytest.approx(losses[1])
    whole, part = map(numpy.concatenate, gradients)
    assert abs(whole).max() > 0
    numpy.testing.assert_allclose(part, whole / 4, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), "much", True])
def test_weights_that_are_none(weight, make_task):
    nlp = initialized(make_task("attn_ner"))
    with pytest.raises(
        ValueError, match=r"loss_weight .* of 'attn_ner' is not a number"
    ):
        nlp.get_pipe("attn_ner").loss_weight = weight
