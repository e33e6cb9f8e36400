"""Calibration where a threshold drops entities: what is kept stays the same."""

import copy
import itertools

import pytest
import spacy
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_attnner.cli import attn_cli
from spacy_attnner.confidence.calibration import TooFewPredicted
from spacy_attnner.confidence.reliability import expected_calibration_error
from spacy_attnner.pipeline import ner_calibration

from .test_ner_calibration import annotated_otherwise, found, reliability


@pytest.fixture
def ner(make_task):
    return make_task("attn_ner")


@pytest.fixture
def dev(ner):
    return annotated_otherwise(ner.sentences)


@pytest.fixture
def nlp(ner):
    """A threshold drops some of its entities: those below the widest gap."""
    nlp = ner.trained()
    pipe = nlp.get_pipe("attn_ner")
    pipe.model.attrs["temperature"] = 1.5
    scores = sorted(e[3] for doc in found(nlp, ner) for e in doc)
    gaps = [(b - a, (a + b) / 2) for a, b in itertools.pairwise(scores[:-3])]
    pipe.cfg["threshold"] = round(max(gaps)[1], 4)
    return nlp


def entities(nlp, ner):
    return [[e[:3] for e in doc] for doc in found(nlp, ner)]


def test_what_is_kept_stays_the_same(ner, nlp, dev):
    pipe = nlp.get_pipe("attn_ner")
    old = pipe.cfg["threshold"]
    before = entities(nlp, ner)
    confidences, correct = reliability(nlp, ner, dev)
    result = pipe.calibrate(ner.examples(nlp, dev), margin=0.0)
    assert entities(nlp, ner) == before
    assert result.n_entities == len(correct) == sum(map(len, before)) > 3
    assert result.accuracy == correct.mean()
    assert result.n_changed == 0
    assert (result.threshold_before, result.threshold) == (old, pipe.cfg["threshold"])
    assert result.threshold != old
    ece = expected_calibration_error(confidences, correct)
    assert result.ece_before == pytest.approx(ece, abs=1e-5)
    ece = expected_calibration_error(*reliability(nlp, ner, dev))
    assert result.ece_after == pytest.approx(ece, abs=1e-5)


def test_a_threshold_that_stays_a_number_keeps_others(ner, nlp, dev):
    nlp.get_pipe("attn_ner").threshold = 0.0
    scores = sorted(e[3] for doc in found(nlp, ner) for e in doc)
    n_changed = []
    for old in (scores[1] - 1e-4, scores[1] + 1e-4):  # whichever way they move
        other = copy.deepcopy(nlp)
        pipe = other.get_pipe("attn_ner")
        pipe.threshold = old
        before = entities(other, ner)
        examples = ner.examples(other, dev)
        result = pipe.calibrate(examples, margin=0.0, keep_threshold=True)
        assert pipe.threshold == result.threshold == old
        pairs = zip(before, entities(other, ner), strict=True)
        n_changed.append(sum(len({*a} ^ {*b}) for a, b in pairs))
        assert result.n_changed == n_changed[-1]
    assert any(n_changed)


def test_too_few_are_kept(ner, nlp, dev):
    pipe = nlp.get_pipe("attn_ner")
    n_kept = sum(map(len, entities(nlp, ner)))
    settings = {**pipe.cfg}, {**pipe.model.attrs}
    examples = ner.examples(nlp, dev)
    with pytest.raises(TooFewPredicted, match=f"only {n_kept} entities are predicted"):
        pipe.calibrate(examples, min_entities=n_kept + 1)
    assert (pipe.cfg, pipe.model.attrs) == settings
    assert pipe.calibrate(examples, min_entities=n_kept).n_entities == n_kept
    pipe.cfg["threshold"] = 1.0
    with pytest.raises(TooFewPredicted, match="with a confidence of 1 or more in the"):
        pipe.calibrate(examples)


def test_probes_change_nothing_that_others_see(ner, nlp, dev, monkeypatch):
    """What a prediction in another thread would see while it is fitted."""
    pipe = nlp.get_pipe("attn_ner")
    attrs, names = pipe.model.attrs, ("temperature", "log_odds_offset")
    before = [*map(attrs.get, names), pipe.cfg["threshold"]]
    seen = []
    decode = ner_calibration.crf_decode

    def watched(model, *args, **kwargs):
        seen.append([*map(attrs.get, names), pipe.cfg["threshold"]])
        return decode(model, *args, **kwargs)

    monkeypatch.setattr(ner_calibration, "crf_decode", watched)
    result = pipe.calibrate(ner.examples(nlp, dev))
    assert len(seen) > 10
    assert all(each == before for each in seen)
    assert attrs["temperature"] == result.temperature != before[0]


@pytest.mark.parametrize("options", [(), ("--keep-threshold",)])
def test_the_command(ner, nlp, dev, tmp_path, options):
    old = nlp.get_pipe("attn_ner").cfg["threshold"]
    nlp.get_pipe_config("attn_ner")["threshold"] = old
    nlp.to_disk(tmp_path / "model")
    docs = [example.reference for example in ner.examples(nlp, dev)]
    DocBin(docs=docs).to_disk(tmp_path / "dev.spacy")
    args = [tmp_path / "model", tmp_path / "dev.spacy", tmp_path / "output", *options]
    result = CliRunner().invoke(attn_cli, ["calibrate", *map(str, args)])
    assert result.exit_code == 0, result.output
    loaded = spacy.load(tmp_path / "output")
    new = loaded.get_pipe("attn_ner").cfg["threshold"]
    assert f"Threshold {old:g} before, {new:g} now" in result.output
    config = loaded.config["components"]["attn_ner"]
    assert config["threshold"] == new
    assert (new == pytest.approx(old, abs=1e-9)) == bool(options)
    if not options:
        assert entities(loaded, ner) == entities(nlp, ner)
