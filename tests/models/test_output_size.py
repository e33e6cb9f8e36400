"""New labels leave the scores of the old ones as they were."""

import numpy
import pytest
from thinc.api import Adam, Linear

from spacy_attnner.models.output_size import NEW_BIAS, grow_output, grown_layer


@pytest.mark.parametrize(
    ("name", "old", "new", "slack"),
    [
        ("CRFTagger", 13, 21, 0.0),
        ("EntityPairAttention", 3, 5, 0.0),
        ("InnerProductPairs", 3, 5, 0.1),
    ],
)
def test_old_scores_stay(name, old, new, slack, trained, inputs_of):
    model, X = trained(name), inputs_of(name)
    before = numpy.concatenate(model.predict(X))
    after = numpy.concatenate(grow_output(model, new).predict(X))
    assert after.shape == (len(before), new)
    # a wider product may add in another order
    numpy.testing.assert_allclose(after[:, :old], before, rtol=0.0, atol=1e-6)
    # a softmax over candidates takes a little of it
    numpy.testing.assert_allclose(after[:, old:], NEW_BIAS, rtol=0.0, atol=slack)


def test_labels_of_which_one_holds_grow(trained, inputs_of):
    """A new one takes a little of what the others left to none."""
    model, X = (
        trained("EntityPairAttention", exclusive=True),
        inputs_of("EntityPairAttention"),
    )
    before = numpy.concatenate(model.predict(X))
    after = numpy.concatenate(grow_output(model, 5).predict(X))
    assert after.shape == (len(before), 5)
    assert (after[:, :3] < before).all()
    numpy.testing.assert_allclose(after[:, :3], before, rtol=0.0, atol=0.02)
    assert (after[:, 3:] < NEW_BIAS).all()


def test_old_transitions_stay(trained):
    model = trained("CRFTagger")
    layer = model.get_ref("crf")
    before = {key: layer.get_param(key).copy() for key in layer.param_names}
    grow_output(model, 17)
    for key, old in before.items():
        grown = model.get_ref("crf").get_param(key)
        assert grown.shape == (17,) * old.ndim
        numpy.testing.assert_array_equal(
            grown[tuple(slice(13) for _ in old.shape)], old
        )
        assert not grown[13:].any()


@pytest.mark.parametrize("exclusive", [True, False])
def test_old_categories_keep_their_odds(exclusive, trained, docs):
    model = trained("AttentionTextClassifier", exclusive_classes=exclusive)
    before = model.predict(docs)
    after = grow_output(model, 7).predict(docs)
    if exclusive:
        odds = before[:, :1] / before
        numpy.testing.assert_allclose(after[:, :1] / after[:, :5], odds, rtol=1e-4)
    else:
        numpy.testing.assert_allclose(after[:, :5], before, rtol=1e-5)
    assert (after[:, 5:] < 0.02).all()


@pytest.mark.parametrize("name", ["CRFTagger", "AttentionTextClassifier"])
def test_a_model_that_is_not_initialized_grows(name, build, configs, docs):
    model = build(configs[name], nO=None)
    for size in (5, 9, 17):
        grow_output(model, size)
    model.initialize(X=docs)
    Y = model.predict(docs)
    assert (Y[0] if isinstance(Y, list) else Y).shape[1] == 17


def test_weights_as_wide_as_they_are_high_grow_along_one_axis():
    """The second axis of W is the input's, though it is as long as the first."""
    small = Linear(nO=5, nI=5)
    small.initialize()
    layer = grown_layer(small, 7)
    assert layer.get_param("W").shape == (7, 5)
    assert layer.get_param("b").shape == (7,)
    numpy.testing.assert_array_equal(layer.get_param("W")[:5], small.get_param("W"))


@pytest.mark.parametrize(
    "name", ["CRFTagger", "EntityPairAttention", "InnerProductPairs"]
)
def test_one_optimizer_trains_before_and_after(name, trained, inputs_of):
    """Neither its moments nor gradients that wait to be applied are of an old size."""
    model, X = trained(name), inputs_of(name)
    optimizer = Adam(0.01, use_averages=True)
    for size in (None, 21):
        if size:
            grow_output(model, size)
        for _ in range(2):
            Y, backprop = model.begin_update(X)
            backprop([y + 1.0 for y in Y])
            if name == "CRFTagger":
                crf = model.get_ref("crf")
                crf.inc_grad("transitions", crf.get_param("transitions") + 1.0)
            model.finish_update(optimizer)
    before = numpy.concatenate(model.predict(X))
    with model.use_params(optimizer.averages):
        assert not numpy.allclose(numpy.concatenate(model.predict(X)), before)


def test_waiting_gradients_grow_too():
    layer = Linear(nO=5, nI=3)
    layer.initialize()
    layer.inc_grad("b", numpy.ones(5, dtype="float32"))
    assert grown_layer(layer, 7).get_grad("b").tolist() == [1.0] * 5 + [0.0] * 2
