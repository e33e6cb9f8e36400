"""Calibrated scores of relations and probabilities of categories."""

import re

import numpy
import pytest
import spacy
from spacy.tokens import DocBin

from spacy_attnner.confidence.calibration import TooFewPredicted
from spacy_attnner.explain import explain
from spacy_attnner.pipeline.score_calibration import Scored, fit_scores
from spacy_attnner.relations import get_relations
from tests.commands import invoke

NAMES = ("attn_rel", "attn_textcat", "attn_textcat_multilabel")
names = pytest.mark.parametrize("name", NAMES)


def scored(odds, correct, thresholds=(0.5,), labels=None):
    odds, correct = numpy.asarray(odds), numpy.asarray(correct, dtype="float64")

    def confidences_at(temperature):
        return 1.0 / (1.0 + numpy.exp(-odds / temperature))

    return Scored(
        confidences_at,
        confidences_at(1.0),
        correct,
        numpy.arange(len(odds)),
        numpy.zeros(len(odds), dtype="int64") if labels is None else labels,
        numpy.array(thresholds),
    )


def test_what_is_too_sure_becomes_less_sure():
    generator = numpy.random.default_rng(0)
    odds = generator.normal(0.0, 2.0, 4000)
    correct = generator.random(4000) < 1.0 / (1.0 + numpy.exp(-odds))
    result, (threshold,) = fit_scores(scored(4.0 * odds, correct), margin=0.0)
    assert result.ece_before > 0.08
    assert result.ece_after < 0.03
    assert result.n_changed <= 1
    assert 0.0 < threshold < 1.0
    assert result.what == "relations"


def test_each_threshold_keeps_what_it_kept():
    generator = numpy.random.default_rng(1)
    odds = generator.normal(0.0, 2.0, 600)
    correct = generator.random(600) < 1.0 / (1.0 + numpy.exp(-odds))
    labels = numpy.arange(600) % 2
    given = scored(3.0 * odds, correct, (0.3, 0.8), labels)
    result, thresholds = fit_scores(given, margin=0.0)
    assert result.n_changed <= 2
    assert thresholds[0] < thresholds[1]
    assert result.thresholds == ((0.3, thresholds[0]), (0.8, thresholds[1]))
    _, same = fit_scores(given, margin=0.0, keep_threshold=True)
    assert same.tolist() == [0.3, 0.8]


def test_what_is_not_known_has_no_say():
    odds, correct = [3.0, 3.0, 2.0, 2.0] * 30, [1, numpy.nan, 0, numpy.nan] * 30
    result, _ = fit_scores(scored(odds, correct), margin=0.0)
    assert result.n_entities == 60
    assert result.accuracy == 0.5
    with pytest.raises(TooFewPredicted, match="no relations are predicted"):
        fit_scores(scored([1.0], [numpy.nan]), margin=0.0)
    with pytest.raises(TooFewPredicted, match="60 relations are predicted"):
        fit_scores(scored(odds, correct), margin=0.0, least=61)


@pytest.mark.parametrize("name", ["attn_textcat", "attn_textcat_multilabel"])
def test_the_margin_of_categories(make_task, name, tmp_path):
    """It lowers those of which any number applies; exclusive ones refuse it."""
    task = make_task(name)
    nlp = task.trained(steps=10)
    nlp.to_disk(tmp_path / "model")
    docs = [each.reference for each in task.examples(nlp)]
    DocBin(docs=docs).to_disk(tmp_path / "dev.spacy")
    paths = [str(tmp_path / each) for each in ("model", "dev.spacy", "new")]
    found = []
    for margin in ("0", "3"):
        result = invoke("calibrate", [*paths, "--margin", margin])
        if name == "attn_textcat" and margin == "3":
            assert result.exit_code == 1
            assert "exclude each other and have no" in result.output
            return
        assert result.exit_code == 0, result.output
        attrs = spacy.load(tmp_path / "new").get_pipe(name).model.attrs
        found.append(attrs["log_odds_offset"])
    assert found[1] < found[0]


@names
def test_a_component_is_calibrated_and_stored(make_task, name, tmp_path):
    task = make_task(name)
    nlp = task.trained(steps=25 if name == "attn_rel" else 6)
    pipe = nlp.get_pipe(name)
    if name == "attn_rel":
        pipe.threshold = 0.05
    examples = task.examples(nlp)
    docs = [pipe(task.doc(nlp, sentence)) for sentence in task.sentences]
    before = [task.found(doc) for doc in docs]
    result = pipe.calibrate(examples, margin=0.0)
    assert result.n_changed == 0
    assert pipe.model.attrs["temperature"] == result.temperature != 1.0
    docs = [pipe(task.doc(nlp, sentence)) for sentence in task.sentences]
    after = [task.found(doc) for doc in docs]
    assert [set(each) for each in after] == [set(each) for each in before]
    assert after != before
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    again = loaded.get_pipe(name)
    docs = [again(task.doc(loaded, sentence)) for sentence in task.sentences]
    for found, expected in zip(map(task.found, docs), after, strict=True):
        assert found == pytest.approx(expected, abs=1e-5)
    nlp.initialize(lambda: task.examples(nlp))
    assert pipe.model.attrs["temperature"] == 1.0
    assert pipe.model.attrs["log_odds_offset"] == 0.0
    if name == "attn_rel":
        assert pipe.threshold == 0.05


def test_thresholds_of_single_labels(make_task):
    task = make_task("attn_rel")
    nlp = task.trained(steps=25)
    pipe = nlp.get_pipe("attn_rel")
    pipe.fit_thresholds(task.examples(nlp))
    docs = [pipe(task.doc(nlp, sentence)) for sentence in task.sentences]
    before = [set(task.found(doc)) for doc in docs]
    pipe.calibrate(task.examples(nlp), margin=0.0)
    docs = [pipe(task.doc(nlp, sentence)) for sentence in task.sentences]
    assert [set(task.found(doc)) for doc in docs] == before
    assert pipe.threshold is None


@names
def test_explanations_are_of_calibrated_probabilities(make_task, name):
    task = make_task(name)
    nlp = task.trained(steps=25 if name == "attn_rel" else 6)
    pipe = nlp.get_pipe(name)
    if name == "attn_rel":
        pipe.threshold = 0.05
    pipe.calibrate(task.examples(nlp), margin=0.0)
    doc = pipe(task.doc(nlp, task.sentences[0]))
    if name == "attn_rel":
        target = get_relations(doc)[0]
        expected = target.score
    else:
        target, expected = "people", doc.cats["people"]
    found = explain(nlp, doc, target)
    assert found.probability == pytest.approx(expected, abs=1e-3)
    assert found.error is not None
    assert found.error < 0.1


@names
def test_documents_without_annotation(make_task, name):
    task = make_task(name)
    nlp = task.trained(steps=2)
    blank = [task.blank_example(nlp, task.sentences[0])]
    message = "calibrate on" if name == "attn_rel" else "annotated in none of"
    with pytest.raises(ValueError, match=message):
        nlp.get_pipe(name).calibrate(blank)


@names
def test_the_command(make_task, name, tmp_path):
    task = make_task(name)
    nlp = task.trained(steps=25 if name == "attn_rel" else 6)
    if name == "attn_rel":  # what finds the entities
        nlp.add_pipe("entity_ruler", before=name).add_patterns(
            [
                {"label": label, "pattern": text[0:40]}
                for text, label in (("Mira Okafor", "PER"), ("Bergen", "LOC"))
            ]
        )
        nlp.get_pipe(name).threshold = 0.001
    nlp.to_disk(tmp_path / "model")
    docs = [example.reference for example in task.examples(nlp)]
    DocBin(docs=docs).to_disk(tmp_path / "dev.spacy")
    args = [tmp_path / "model", tmp_path / "dev.spacy", tmp_path / "new", "-c", name]
    result = invoke("calibrate", [str(arg) for arg in args])
    said = " ".join(result.output.split())
    assert result.exit_code == 0, said
    assert f" {task_word(name)}, " in said
    verb = "are correct" if name == "attn_rel" else "apply"
    assert re.search(rf"% of them {verb}: ", said)
    assert spacy.load(tmp_path / "new").get_pipe(name).model.attrs["temperature"] != 1.0


def test_the_command_says_all_thresholds(make_task, tmp_path):
    task = make_task("attn_textcat_multilabel")
    nlp = task.trained(steps=6)
    pipe = nlp.get_pipe("attn_textcat_multilabel")
    pipe.thresholds = {"people": 0.4, "trade": 0.3}
    nlp.to_disk(tmp_path / "model")
    docs = [example.reference for example in task.examples(nlp)]
    DocBin(docs=docs).to_disk(tmp_path / "dev.spacy")
    args = [tmp_path / "model", tmp_path / "dev.spacy", tmp_path / "new"]
    result = invoke("calibrate", [str(arg) for arg in args])
    assert result.exit_code == 0, result.output
    found = spacy.load(tmp_path / "new").get_pipe("attn_textcat_multilabel").thresholds
    said = " ".join(result.output.split())
    now = f"{min(found.values()):g} to {max(found.values()):g}"
    assert f"Thresholds 0.3 to 0.5 before, {now} now: " in said


def task_word(name):
    return "relations" if name == "attn_rel" else "categories"
