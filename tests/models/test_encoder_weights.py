"""What an encoder remembers of its weights is forgotten with them."""

import numpy
import pytest
from thinc.api import Adam

from spacy_attnner.layers.recurrence import recurrence

pytestmark = pytest.mark.skipif(recurrence() is None, reason="nothing is remembered")


@pytest.fixture
def model(trained):
    return trained("AttentionEncoder", depth=2)


def flat(model, docs):
    return numpy.concatenate(model.predict(docs))


def assert_new(model, docs, before, atol=1e-3):
    """What is predicted has changed, and is what PyTorch says."""
    found = flat(model, docs)  # first: to train forgets
    expected = numpy.concatenate(model(docs, is_train=True)[0])
    numpy.testing.assert_allclose(found, expected, atol=2e-6)
    assert not numpy.allclose(found, before, atol=atol)


def train_once(model, docs, optimizer):
    Y, backprop = model.begin_update(docs)
    before = flat(model, docs)  # amid an update
    backprop([y + 1.0 for y in Y])
    model.finish_update(optimizer)
    return before


def test_an_update(model, docs):
    before = train_once(model, docs, Adam(0.05))
    assert_new(model, docs, before)


def test_averages(model, docs):
    optimizer = Adam(0.05, use_averages=True)
    for _ in range(3):
        train_once(model, docs, optimizer)
    now = flat(model, docs)
    with model.use_params(optimizer.averages):
        assert_new(model, docs, now, atol=1e-4)
    numpy.testing.assert_array_equal(flat(model, docs), now)


def test_loaded_weights(model, docs, trained):
    other = trained("AttentionEncoder", depth=2)
    before = flat(model, docs)
    model.from_bytes(other.to_bytes())
    assert_new(model, docs, before)
    numpy.testing.assert_array_equal(flat(model, docs), flat(other, docs))
    model.initialize(X=docs)
    assert_new(model, docs, flat(other, docs))


def test_other_precision_is_left_to_pytorch(docs, trained):
    model = trained("AttentionEncoder", mixed_precision=True)
    flat(model, docs)
    (encoder,) = (node for node in model.walk() if node.name == "attention_encoder")
    assert not encoder.shims[0].notes
