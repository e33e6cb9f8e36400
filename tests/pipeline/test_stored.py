"""What is stored of a component is checked when it is loaded."""

import json

import numpy
import pytest
import spacy

LABELS = {
    "too few": lambda labels: labels[:-1],
    "too many": lambda labels: [*labels, "more"],
    "none": lambda labels: [],
    "no list": lambda labels: "labels",
    "no strings": lambda labels: [None, *labels[1:]],
    "twice": lambda labels: [*labels[:-1], labels[0]],
}


@pytest.fixture
def stored(task, tmp_path):
    nlp = task.blank()
    examples = task.examples(nlp)
    nlp.initialize(lambda: examples)
    nlp.to_disk(tmp_path)
    return tmp_path


def edit(path, **changes):
    cfg = json.loads(path.read_text())
    path.write_text(json.dumps(cfg | changes))


@pytest.mark.parametrize("change", LABELS)
def test_labels(task, stored, change):
    labels = LABELS[change](list(task.labels))
    edit(stored / task.name / "cfg", labels=labels)
    with pytest.raises(ValueError, match=f"stored of '{task.name}' cannot be used"):
        spacy.load(stored)


def test_settings(task, stored):
    edit(stored / task.name / "cfg", threshold=7)
    assert spacy.load(stored).get_pipe(task.name).threshold != 7
    config = spacy.util.load_config(stored / "config.cfg")
    config["components"][task.name]["threshold"] = 7
    config.to_disk(stored / "config.cfg")
    with pytest.raises(ValueError, match=f"threshold 7.* of '{task.name}' is not in"):
        spacy.load(stored)


@pytest.mark.parametrize("types", [None, "PER", [["PER"]], [1, 2]])
def test_types_of_relations(make_task, types, tmp_path):
    task = make_task("attn_rel")
    nlp = task.trained(steps=1)
    nlp.to_disk(tmp_path)
    edit(tmp_path / "attn_rel" / "cfg", types=types)
    with pytest.raises(ValueError, match="the types that relations join"):
        spacy.load(tmp_path)


@pytest.mark.parametrize("name", ["temperature", "log_odds_offset"])
@pytest.mark.parametrize("value", [-1.0, 0.0, float("nan"), float("inf"), None, "hot"])
def test_calibration(make_task, name, value):
    if name == "log_odds_offset" and value in (-1.0, 0.0):
        return  # as good as any
    nlp = make_task("attn_ner").trained(steps=1)
    pipe = nlp.get_pipe("attn_ner")
    pipe.model.attrs[name] = value
    with pytest.raises(ValueError, match="stored of 'attn_ner' cannot be used: its"):
        pipe.from_bytes(pipe.to_bytes(exclude=["vocab"]), exclude=["vocab"])


def test_weights_of_thinc(task, stored):
    nlp = spacy.load(stored)
    layer = nlp.get_pipe(task.name).model.get_ref("output_layer")
    layer.get_param("W")[0, 0] = numpy.nan
    nlp.to_disk(stored)
    with pytest.raises(ValueError, match=r"weights 'W' of .* are not finite"):
        spacy.load(stored)


def test_weights_of_pytorch(task, stored):
    nlp = spacy.load(stored)
    module = next(
        shim._model
        for node in nlp.get_pipe(task.name).model.walk()
        for shim in node.shims
    )
    next(module.parameters()).data.view(-1)[0] = float("inf")
    nlp.to_disk(stored)
    with pytest.raises(ValueError, match=r"stored weights .* are not finite"):
        spacy.load(stored)
