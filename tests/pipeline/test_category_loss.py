"""Class weights, the focal loss, graded and missing categories."""

import numpy
import pytest
import spacy
import torch

from spacy_attnner.pipeline.category_loss import balanced_weights, gradient

NAMES = ("attn_textcat", "attn_textcat_multilabel")
names = pytest.mark.parametrize("name", NAMES)


def focal(logits, truth, exclusive, gamma, weights):
    """The loss itself, whose gradient PyTorch finds."""
    if exclusive:
        p = logits.softmax(1)
        p_t = (p * truth).sum(1)
        weight = 1.0 if weights is None else (truth * weights).sum(1)
        return (-((1 - p_t) ** gamma) * p_t.log() * weight).sum()
    p = logits.sigmoid()
    weight = 1.0 if weights is None else weights
    here = -truth * weight * (1 - p) ** gamma * p.log()
    return (here - (1 - truth) * p**gamma * (1 - p).log()).sum()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("exclusive", [False, True])
def test_gradients_are_those_of_the_loss(gamma, weighted, exclusive):
    logits = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    truth = torch.eye(3, dtype=torch.float64)[[0, 2, 1, 0, 2]]
    if not exclusive:
        truth[1] = torch.tensor([0.3, 1.0, 0.0])
    weights = torch.tensor([0.5, 1.0, 3.0], dtype=torch.float64) if weighted else None
    focal(logits, truth, exclusive, gamma, weights).backward()
    p = (logits.softmax(1) if exclusive else logits.sigmoid()).detach().numpy()
    found = gradient(
        p,
        truth.numpy(),
        exclusive=exclusive,
        gamma=gamma,
        weights=None if weights is None else weights.numpy(),
    )
    numpy.testing.assert_allclose(found, logits.grad.numpy(), atol=1e-6)


@pytest.mark.parametrize("truth", [[0.0, 0.0], [0.2, 0.1], [0.7, 0.3], [1.0, 0.0]])
@pytest.mark.parametrize("exclusive", [False, True])
def test_weights_of_one_are_none(truth, exclusive):
    p, ones = numpy.array([[0.7, 0.3]]), numpy.ones(2)
    settings = {"exclusive": exclusive, "gamma": 0.0}
    expected = gradient(p, numpy.array([truth]), **settings)
    found = gradient(p, numpy.array([truth]), weights=ones, **settings)
    numpy.testing.assert_allclose(found, expected)


def test_balanced_weights():
    counts = {"often": 90, "rarely": 10}
    assert balanced_weights(counts, 100, exclusive=True) == pytest.approx(
        {"often": 100 / 180, "rarely": 5.0}
    )
    assert balanced_weights(counts, 100, exclusive=False) == pytest.approx(
        {"often": 1 / 9, "rarely": 9.0}
    )


@names
def test_balanced_classes_are_counted_in_the_data(make_task, name):
    task = make_task(name, {"class_weights": "balanced"})
    nlp = task.trained(steps=60)
    found = nlp.get_pipe(name).cfg["balanced_weights"]
    assert set(found) == set(task.labels)
    for sentence in task.sentences:
        assert task.answers(nlp(sentence[0])) == task.gold(nlp, sentence)
    again = spacy.blank("en", config=nlp.config).from_bytes(nlp.to_bytes())
    assert again.get_pipe(name).class_weights == "balanced"
    assert again.get_pipe(name).cfg["balanced_weights"] == found


@names
def test_a_heavier_class_is_found_more_often(make_task, name):
    shares = []
    for weight in (0.05, 20.0):
        task = make_task(name, {"class_weights": {"trade": weight}})
        nlp = task.trained(steps=4)
        docs = nlp.pipe(sentence[0] for sentence in task.sentences)
        shares.append(sum(doc.cats["trade"] for doc in docs))
    assert shares[1] > shares[0]


@names
def test_the_focal_loss_learns(make_task, name):
    task = make_task(name, {"focal_gamma": 2.0})
    nlp = task.trained(steps=80)
    for sentence in task.sentences:
        assert task.answers(nlp(sentence[0])) == task.gold(nlp, sentence)


@pytest.mark.parametrize(
    ("name", "cats"),
    [
        ("attn_textcat_multilabel", {"people": 0.3, "trade": 1.0, "weather": 0.0}),
        ("attn_textcat", {"people": 0.7, "trade": 0.3, "weather": 0.0}),
    ],
)
def test_graded_categories(make_task, name, cats):
    task = make_task(name)
    nlp = task.blank()
    examples = task.examples(nlp)
    for example in examples[:3]:
        example.reference.cats = dict(cats)
    sgd = nlp.initialize(lambda: examples)
    task.train(nlp, examples, 60, sgd)
    found = nlp(task.sentences[0][0]).cats
    assert found["people"] == pytest.approx(cats["people"], abs=0.1)
    if cats["trade"] == 1.0:
        assert found["trade"] > 0.9


def test_graded_categories_that_exclude_each_other(make_task):
    """The first applies, to scores and to the calibration, though none is above 0.5."""
    task = make_task("attn_textcat")
    nlp = task.trained(steps=5)
    pipe = nlp.get_pipe("attn_textcat")
    whole, graded = task.examples(nlp), task.examples(nlp)
    for example in graded:
        cats = example.reference.cats
        example.reference.cats = {c: 0.5 if v else 0.1 for c, v in cats.items()}
    one, other = nlp.evaluate(whole), nlp.evaluate(graded)
    assert one["cats_macro_f"] > 0.0
    assert {k: v for k, v in one.items() if k != "speed"} == {
        k: v for k, v in other.items() if k != "speed"
    }
    results = []
    for examples in (whole, graded):
        pipe.model.attrs.update(temperature=1.0)
        results.append(pipe.calibrate(examples))
    assert results[0] == results[1]
    assert results[0].accuracy > 0.0


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
@names
def test_what_is_no_share(make_task, name, value):
    task = make_task(name)
    nlp = task.blank()
    examples = task.examples(nlp)
    nlp.initialize(lambda: examples)
    examples[0].reference.cats["people"] = value
    with pytest.raises(ValueError, match="1 where it applies"):
        nlp.update(examples)


def test_more_than_one_exclusive_category(make_task):
    task = make_task("attn_textcat")
    nlp = task.blank()
    examples = task.examples(nlp)
    examples[0].reference.cats.update(people=1.0, trade=1.0)
    with pytest.raises(ValueError, match="E895"):
        nlp.initialize(lambda: examples)


def test_a_missing_category_costs_nothing(make_task):
    task = make_task("attn_textcat_multilabel")
    nlp = task.trained(steps=2)
    pipe = nlp.get_pipe("attn_textcat_multilabel")
    example = task.example(nlp, task.sentences[0])
    del example.reference.cats["trade"]
    scores = pipe.model.predict([example.predicted])
    _, d_scores = pipe.get_loss([example], scores)
    column = pipe.labels.index("trade")
    assert d_scores[0, column] == 0.0
    assert numpy.count_nonzero(d_scores) == 2


@names
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"class_weights": {"boats": 2.0}}, "'boats', which is none of its categories"),
        ({"class_weights": {"trade": 0.0}}, "not a number above 0"),
        ({"class_weights": "heavy"}, "neither 'balanced' nor"),
        ({"focal_gamma": -1.0}, "is not 0 or more"),
    ],
)
def test_settings_that_there_are_not(make_task, name, settings, message):
    with pytest.raises(ValueError, match=message):
        make_task(name, settings).trained(steps=1)
