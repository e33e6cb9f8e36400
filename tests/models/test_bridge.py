"""What the bridge to PyTorch adds to Thinc's: dropout, averages, safe storage."""

import pickle

import numpy
import pytest
import torch
from thinc.api import Adam, set_dropout_rate

from spacy_attnner.models.bridge import from_safetensors, to_safetensors

NAMES = [
    "AttentionEncoder",
    "AttentionTextClassifier",
    "CRFTagger",
    "CharacterCNN",
    "EntityPairAttention",
    "InnerProductPairs",
]


def flat(Y):
    return numpy.concatenate(Y) if isinstance(Y, list) else Y


def train_once(model, X, optimizer):
    Y, backprop = model.begin_update(X)
    for node in model.walk():
        for key in node.param_names:  # those of the CRF get theirs from the loss
            node.inc_grad(key, numpy.ones_like(node.get_param(key)))
    backprop([y + 1.0 for y in Y] if isinstance(Y, list) else Y + 1.0)
    model.finish_update(optimizer)


@pytest.mark.parametrize("name", NAMES)
def test_dropout_reaches_torch_in_training_and_there_only(name, trained, inputs_of):
    model, X = trained(name), inputs_of(name)
    expected = flat(model.predict(X))
    set_dropout_rate(model, 0.5)
    first, second = (flat(model.begin_update(X)[0]) for _ in range(2))
    assert not numpy.allclose(first, second)
    assert numpy.array_equal(flat(model.predict(X)), expected)
    set_dropout_rate(model, 0.0)
    assert numpy.allclose(flat(model.begin_update(X)[0]), expected, atol=1e-6)


@pytest.mark.parametrize("rate", [1.0, -0.5])
def test_impossible_dropout(rate, trained, docs):
    model = trained("CharacterCNN")
    set_dropout_rate(model, rate)
    with pytest.raises(ValueError, match=r"is not in \[0, 1\)"):
        model.begin_update(docs)


@pytest.mark.parametrize("name", NAMES)
def test_averages_reach_torch_and_leave_again(name, trained, inputs_of):
    model, X = trained(name), inputs_of(name)
    optimizer = Adam(0.05, use_averages=True)
    for _ in range(3):
        train_once(model, X, optimizer)
    weights, now = model.to_bytes(), flat(model.predict(X))
    with model.use_params(optimizer.averages):
        averaged = flat(model.predict(X))
        assert model.to_bytes() != weights
    assert not numpy.allclose(averaged, now, atol=1e-4)
    assert model.to_bytes() == weights
    assert numpy.array_equal(flat(model.predict(X)), now)


def test_every_torch_weight_is_averaged(trained, docs):
    """Averages set to a constant must turn up in every parameter."""
    model = trained("CharacterCNN")
    optimizer = Adam(0.01, use_averages=True)
    train_once(model, docs, optimizer)
    sevens = {key: numpy.full_like(a, 7.0) for key, a in optimizer.averages.items()}
    (shim,) = (shim for node in model.walk() for shim in node.shims)
    with model.use_params(sevens):
        for parameter in shim._model.parameters():
            assert (parameter == 7.0).all()


def test_training_inside_the_averages_does_not_change_them(trained, docs):
    model = trained("CharacterCNN")
    optimizer = Adam(0.05, use_averages=True)
    train_once(model, docs, optimizer)
    kept = {key: value.copy() for key, value in optimizer.averages.items()}
    with model.use_params(optimizer.averages):
        train_once(model, docs, Adam(0.5, use_averages=False))
    for key, value in kept.items():
        assert numpy.array_equal(optimizer.averages[key], value)


def test_torch_weights_come_back_when_the_body_raises(trained, docs):
    model = trained("CharacterCNN")  # all of its weights are torch's
    optimizer = Adam(0.05, use_averages=True)
    train_once(model, docs, optimizer)
    train_once(model, docs, optimizer)
    weights = model.to_bytes()

    def fail():
        with model.use_params(optimizer.averages):
            assert model.to_bytes() != weights
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert model.to_bytes() == weights


@pytest.mark.parametrize("name", NAMES)
def test_no_two_weights_share_an_optimizer_key(name, trained, inputs_of):
    model, X = trained(name), inputs_of(name)
    seen = []

    def optimizer(key, weights, gradient, **kwargs):
        seen.append(key)
        return weights, gradient

    train_once(model, X, optimizer)
    n_torch = sum(
        len(list(shim._model.parameters()))
        for node in model.walk()
        for shim in node.shims
    )
    n_thinc = sum(len(node.param_names) for node in model.walk())
    assert len(set(seen)) == len(seen) == n_torch + n_thinc
    # models and shims count their ids apart: the names must differ whatever the ids
    torch_names = {key for _, key in seen if key.startswith("torch.")}
    assert {key for _, key in seen} - torch_names <= {
        *("W", "b", "E", "transitions", "start", "end")
    }


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_unpickled(name, trained, build, configs, inputs_of, monkeypatch):
    data = trained(name).to_bytes()
    assert b"torch" not in data.replace(b"torch_", b"")
    fresh = build(configs[name])

    def refuse(*args, **kwargs):
        raise AssertionError("weights were unpickled")

    monkeypatch.setattr(torch, "load", refuse)
    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(pickle, "Unpickler", refuse)
    fresh.from_bytes(data)
    assert len(flat(fresh.predict(inputs_of(name))))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 2}, r"'lstms\.1\.\w+' has shape None, the config asks for \("),
        (
            {"n_heads": 0},
            r"'attention\.\S+' has shape \(.*\), the config asks for None",
        ),
    ],
)
def test_weights_of_another_config(changes, message, trained, build, configs):
    data = trained("AttentionEncoder").to_bytes()
    other = build(configs["AttentionEncoder"], **changes)
    with pytest.raises(ValueError, match=message) as caught:
        other.from_bytes(data)
    assert "load the model with the config it was trained with" in str(caught.value)


def test_weights_of_another_width(trained, build, configs):
    data = trained("AttentionEncoder").to_bytes()
    other = build(configs["AttentionEncoder"], width=28)
    with pytest.raises(ValueError, match=r"'nO' for model .* from 28 to 14"):
        other.from_bytes(data)


def test_weights_of_other_filters(trained, build, configs):
    """A size that shows outside of the PyTorch module only in its weights."""
    data = trained("CharacterCNN").to_bytes()
    other = build(configs["CharacterCNN"], embed_width=7)
    message = r"'embed.weight' has shape \(513, 5\), the config asks for \(513, 7\)"
    with pytest.raises(ValueError, match=message):
        other.from_bytes(data)


def test_safetensors_of_views_and_gradients():
    """Weights that share memory, or are not contiguous, are stored as they are."""
    module = torch.nn.Linear(3, 5)
    module.weight.data = torch.arange(15.0).view(3, 5).T
    other = from_safetensors(
        torch.nn.Linear(3, 5), to_safetensors(module), torch.device("cpu")
    )
    assert torch.equal(other.weight, module.weight)
    assert other.weight.requires_grad


def test_mixed_precision(trained, build, configs, docs):
    """Nearly the same output, of the same type; also on a CPU, and without warnings."""
    model = trained("AttentionEncoder")
    mixed = build(configs["AttentionEncoder"], mixed_precision=True)
    mixed.from_bytes(model.to_bytes())
    expected, found = flat(model.predict(docs)), flat(mixed.predict(docs))
    assert found.dtype == numpy.float32
    assert not numpy.array_equal(found, expected)
    numpy.testing.assert_allclose(found, expected, atol=0.05)
    for each in (model, mixed):
        train_once(each, docs, Adam(0.01))
    expected, found = flat(model.predict(docs)), flat(mixed.predict(docs))
    numpy.testing.assert_allclose(found, expected, atol=0.1)


def test_a_module_says_that_it_predicts_when_all_its_parts_do(trained, docs):
    """Other threads look at the whole before they predict."""
    model = trained("CharacterCNN")
    model.begin_update(docs)
    (shim,) = (shim for node in model.walk() for shim in node.shims)
    module = shim._model
    parts = [part for part in module.modules() if part is not module]
    seen = []

    class Watching(type(module)):
        def __setattr__(self, name, value):
            if name == "training" and not value:
                seen.append(any(part.training for part in parts))
            super().__setattr__(name, value)

    module.__class__ = Watching
    assert parts
    assert all(part.training for part in parts)
    model.predict(docs)
    assert seen == [False]
