"""Which weights an optimizer takes for the same: copies, clones, unpickled models."""

import copy
import pickle

import numpy
import pytest
from thinc.api import Adam


def train_once(model, X, optimizer):
    Y, backprop = model.begin_update(X)
    backprop([y + 1.0 for y in Y])
    model.finish_update(optimizer)


def shim_of(model):
    (shim,) = (shim for node in model.walk() for shim in node.shims)
    return shim


def flat(model, docs):
    return numpy.concatenate(model.predict(docs))


def test_averages_of_a_model_do_not_reach_its_copy(trained, docs):
    """Two components that replaced their listeners have a copy of one encoder each."""
    model = trained("CharacterCNN")
    copied = model.copy()
    assert shim_of(copied).id != shim_of(model).id
    before = flat(copied, docs)
    assert numpy.array_equal(before, flat(model, docs))
    optimizer = Adam(0.05, use_averages=True)
    for _ in range(2):
        train_once(model, docs, optimizer)
    with copied.use_params(optimizer.averages), model.use_params(optimizer.averages):
        assert numpy.array_equal(flat(copied, docs), before)
        assert not numpy.array_equal(flat(model, docs), before)


@pytest.mark.parametrize(
    "clone",
    [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))],
    ids=["deepcopy", "pickle"],
)
def test_a_clone_and_the_clone_of_its_optimizer_go_on_as_they_would(
    trained, docs, clone
):
    """Moments and averages are known by an id, which stays, as in Thinc's models."""
    model, optimizer = trained("AttentionEncoder"), Adam(0.05, use_averages=True)
    for _ in range(2):
        train_once(model, docs, optimizer)
    pairs = [clone((model, optimizer)), (model, optimizer)]
    results = []
    for each, sgd in pairs:
        train_once(each, docs, sgd)
        with each.use_params(sgd.averages):
            results.append(each.to_bytes())
    assert results[0] == results[1]


def test_a_layer_that_is_made_later_is_no_unpickled_one(build, configs):
    model = build(configs["CharacterCNN"])
    shim_of(model).id += 1000  # as another process has counted
    unpickled = pickle.loads(pickle.dumps(model))
    later = build(configs["CharacterCNN"])
    assert shim_of(later).id > shim_of(unpickled).id == shim_of(model).id
