"""Text categorizers whose labels, or whose model, are not those of the documents."""

import numpy
import pytest
import spacy
from spacy.training import Example

LABELS = {"one": ["people", "trade", "weather"], "two": ["bad", "good"]}
NAMES = ("attn_textcat", "attn_textcat_multilabel")


def pipeline(task, other, **labels):
    """Two categorizers, the second one spaCy's or ours, with labels of their own."""
    nlp = spacy.blank("en")
    nlp.add_pipe(task.name, "one", config=task.config)
    config = {**task.config, "model": {**task.config["model"]}}
    config["model"]["exclusive_classes"] = other == "attn_textcat"
    nlp.add_pipe(other, "two", config=config if other in NAMES else {})
    for name, given in labels.items():
        nlp.config["initialize"]["components"][name] = {"labels": given}
    return nlp


def examples(task, nlp):
    """Every document has categories of both components."""
    found = task.examples(nlp)
    for i, example in enumerate(found):
        example.reference.cats.update(good=float(i % 2), bad=1.0 - i % 2)
    return found


@pytest.fixture(params=NAMES)
def task(request, make_task):
    return make_task(request.param)


@pytest.mark.parametrize("other", ["attn_textcat", "textcat_multilabel"])
def test_two_categorizers_with_labels_of_their_own(task, other):
    nlp = pipeline(task, other, **LABELS)
    data = examples(task, nlp)
    sgd = nlp.initialize(lambda: data)
    assert {name: list(pipe.labels) for name, pipe in nlp.pipeline} == LABELS
    task.train(nlp, data, 30, sgd)
    for example in data:
        doc = nlp(example.text)
        assert task.answers(doc) == task.answers(example.reference)
    assert nlp.evaluate(examples(task, nlp))["cats_score"] == 1.0


def test_documents_of_the_other_component_cost_nothing(task):
    nlp = pipeline(task, "textcat_multilabel", **LABELS)
    nlp.initialize(lambda: examples(task, nlp))
    data = examples(task, nlp)
    for example in data:
        example.reference.cats = {"good": 1.0, "bad": 0.0}
    assert nlp.get_pipe("one").update(data)["one"] == 0.0


def test_predictions_where_nothing_is_annotated_are_not_wrong(task):
    nlp = spacy.blank("en")
    nlp.add_pipe(task.name, config=task.config)
    data = task.examples(nlp)
    sgd = nlp.initialize(lambda: data)
    task.train(nlp, data, 30, sgd)
    other = Example(nlp.make_doc("Others say this."), nlp.make_doc("Others say this."))
    scores = nlp.evaluate([*task.examples(nlp), other])
    assert scores["cats_score"] == 1.0


def test_documents_of_other_categories_are_told_of_when_scored(task):
    nlp = spacy.blank("en")
    nlp.add_pipe(task.name, config=task.config)
    nlp.initialize(lambda: task.examples(nlp))
    data = task.examples(nlp)
    for example in data:
        example.reference.cats = {"PEOPLE": 1.0, "TRADE": 0.0}
    with pytest.warns(UserWarning, match=r"they have \['PEOPLE', 'TRADE'\]"):
        assert nlp.evaluate(data)["cats_score"] in (0.0, None)


def test_the_gradient_is_a_mean_over_annotated_words(task):
    nlp = spacy.blank("en")
    pipe = nlp.add_pipe(task.name, config=task.config)
    data = task.examples(nlp)
    nlp.initialize(lambda: data)
    scores = numpy.full((len(data), len(pipe.labels)), 0.5, dtype="float32")
    _, gradient = pipe.get_loss(data, scores)
    truths, _ = pipe._examples_to_truth(data)
    n_words = sum(len(example.predicted) for example in data)
    numpy.testing.assert_allclose(gradient, (scores - truths) / n_words, rtol=1e-5)


def test_categories_of_no_component_are_said(task):
    nlp = pipeline(task, "textcat_multilabel", one=LABELS["one"], two=["good"])
    with pytest.warns(UserWarning, match=r"'one' ignores the categories \['bad'\]"):
        nlp.initialize(lambda: examples(task, nlp))
    nlp.update(examples(task, nlp))


def test_a_category_that_comes_later_is_said_once(task, tmp_path):
    nlp = pipeline(task, "textcat_multilabel", **LABELS)
    nlp.initialize(lambda: examples(task, nlp))
    nlp.to_disk(tmp_path)
    for each in (nlp, spacy.load(tmp_path)):
        doc = each.make_doc("Rain .")
        doc.cats = {"sport": 1.0}
        with pytest.warns(UserWarning, match=r"ignores the categories \['sport'\]"):
            each.update([Example(each.make_doc("Rain ."), doc)])
        each.update([Example(each.make_doc("Rain ."), doc)])
        each.update(examples(task, each))


def test_a_model_of_the_other_kind(task):
    config = task.config
    exclusive = config["model"]["exclusive_classes"]
    config["model"]["exclusive_classes"] = not exclusive
    nlp = spacy.blank("en")
    message = (
        f"the model of 'mine' has exclusive_classes = {str(not exclusive).lower()}: "
        f"set components.mine.model.exclusive_classes to {str(exclusive).lower()}, or "
    )
    with pytest.raises(ValueError, match=message):
        nlp.add_pipe(task.name, "mine", config=config)


def test_a_label_that_is_never_positive(task):
    nlp = task.blank()
    data = task.examples(nlp)
    for example in data:
        example.reference.cats["sport"] = 0.0
    with pytest.warns(UserWarning, match=r"cannot be learnt: \['sport'\]"):
        nlp.initialize(lambda: data)
