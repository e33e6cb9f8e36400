"""Thresholds of single categories: fitted, scored with, calibrated, stored."""

import numpy
import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Example

from spacy_attnner.confidence.thresholds import centred
from tests.commands import invoke

NAME = "attn_textcat_multilabel"


@pytest.fixture
def task(make_task):
    return make_task(NAME)


def scored(nlp, task):
    """Examples with what the pipeline says of them."""
    return [Example(nlp(eg.text), eg.reference) for eg in task.examples(nlp)]


def test_a_threshold_is_moved_to_the_middle():
    assert centred(0.0, 0.2) == 0.0
    assert centred(0.1, 0.2) == 0.25
    assert centred(0.2, 0.2) == 0.5
    assert centred(0.6, 0.2) == 0.75
    assert centred(1.0, 0.2) == centred(1.0, 1.0) == 1.0
    assert centred(0.3, 0.0) == 0.65


def test_they_are_fitted_scored_with_and_stored(task, tmp_path):
    nlp = task.trained(steps=3)  # too few to reach 0.5
    pipe = nlp.get_pipe(NAME)
    before = pipe.score(scored(nlp, task))["cats_macro_f"]
    found = pipe.fit_thresholds(task.examples(nlp))
    assert set(found) == set(task.labels)
    after = pipe.score(scored(nlp, task))["cats_macro_f"]
    assert after > before
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded.get_pipe(NAME).thresholds == pytest.approx(found)
    assert loaded.evaluate(task.examples(loaded))["cats_macro_f"] == after
    nlp.initialize(lambda: task.examples(nlp))
    assert pipe.thresholds == {}


@pytest.mark.parametrize("thresholds", [{}, {"trade": 0.4}])
def test_what_applies_to_a_degree_applies_above_a_half(task, thresholds):
    nlp = task.trained(steps=3)
    pipe = nlp.get_pipe(NAME)
    pipe.thresholds = thresholds
    whole, graded = scored(nlp, task), scored(nlp, task)
    for example in graded:
        cats = example.reference.cats.items()
        example.reference.cats = {c: 0.8 if value else 0.3 for c, value in cats}
    found = pipe.score(graded)
    assert found == pipe.score(whole)
    assert found["cats_score"] > 0.0


def test_a_calibration_expresses_them_anew(task):
    nlp = task.trained(steps=3)
    pipe = nlp.get_pipe(NAME)
    pipe.fit_thresholds(task.examples(nlp))
    before = pipe.score(scored(nlp, task))["cats_macro_f"]
    result = pipe.calibrate(task.examples(nlp))
    assert result.n_changed == 0
    assert pipe.score(scored(nlp, task))["cats_macro_f"] == before
    assert set(pipe.thresholds) == set(task.labels)


def test_a_missing_category_has_no_say(task):
    nlp = task.trained(steps=3)
    examples = task.examples(nlp)
    for example in examples[:4]:
        del example.reference.cats["trade"]
    found = nlp.get_pipe(NAME).fit_thresholds(examples)
    scores = nlp.get_pipe(NAME).predict([eg.predicted for eg in examples[4:]])
    column = nlp.get_pipe(NAME).labels.index("trade")
    gold = [eg.reference.cats["trade"] > 0 for eg in examples[4:]]
    column, right = scores[:, column], numpy.array(gold)
    assert found["trade"] <= column[right].min()


def test_there_have_to_be_some(task):
    nlp = task.trained(steps=1)
    blank = [task.blank_example(nlp, task.sentences[0])]
    with pytest.raises(ValueError, match="fit thresholds on"):
        nlp.get_pipe(NAME).fit_thresholds(blank)
    with pytest.raises(ValueError, match="are no"):
        nlp.get_pipe(NAME).thresholds = [0.5]


def test_the_command(task, tmp_path):
    nlp = task.trained(steps=3)
    nlp.to_disk(tmp_path / "model")
    docs = [example.reference for example in task.examples(nlp)]
    DocBin(docs=docs).to_disk(tmp_path / "dev.spacy")
    args = [tmp_path / "model", tmp_path / "dev.spacy", tmp_path / "new"]
    result = invoke("thresholds", [str(arg) for arg in args])
    assert result.exit_code == 0, result.output
    found = spacy.load(tmp_path / "new").get_pipe(NAME).thresholds
    assert set(found) == set(task.labels)
    assert all(numpy.isfinite(list(found.values())))
