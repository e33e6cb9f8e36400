"""Every gradient of whole models against differences of the loss."""

from collections.abc import Callable, Iterator

import numpy
import pytest
import torch
from thinc.api import Model

from spacy_attnner.models.crf_tagger import crf_loss
from spacy_attnner.words import n_words

# one of these must do: a long step crosses kinks, of a short one float32 sees noise
STEPS = (5e-3, 1e-3, 2e-4)


def parameters(model: Model) -> Iterator[tuple[str, numpy.ndarray, numpy.ndarray]]:
    """Name, weights (sharing memory with the model) and a copy of the gradient."""
    for node in model.walk():
        for key in node.param_names:
            gradient = node.get_grad(key).copy()
            yield f"{node.name}.{key}", node.get_param(key), gradient
        for shim in node.shims:
            for key, param in shim._model.named_parameters():
                assert param.grad is not None, key
                values = param.detach().numpy()
                yield f"{node.name}.{key}", values, param.grad.numpy().copy()


def move(model: Model, weights: numpy.ndarray, values: numpy.ndarray) -> None:
    """Set some of the weights, and let the shims forget what they know of them."""
    weights[...] = values
    for node in model.walk():
        for shim in node.shims:
            shim.notes = {}


def check_gradients(model: Model, loss: Callable[[], float]) -> set[str]:
    """Along its own gradient the loss must rise by the gradient's length."""
    checked = set()
    # the loss of a CRF adds to the gradients of its transitions: read them all first
    for name, weights, gradient in list(parameters(model)):
        length = float(numpy.linalg.norm(gradient))
        if length < 5e-3:  # float32 cannot tell it from noise
            continue
        original, direction = weights.copy(), gradient / length
        slopes = []
        for step in STEPS:
            move(model, weights, original + step * direction)
            above = loss()
            move(model, weights, original - step * direction)
            slopes.append((above - loss()) / (2 * step))
        move(model, weights, original)
        expected = pytest.approx(length, rel=0.02, abs=5e-4)
        assert any(slope == expected for slope in slopes), (name, length, slopes)
        checked.add(name)
    assert len(checked) > 12
    return checked


@pytest.fixture
def allowed(docs):
    """Two annotated documents, the others unknown or all outside."""
    lengths = [n_words(doc) for doc in docs]
    gold = numpy.zeros((sum(lengths), 13), dtype=bool)
    gold[:, 0] = True
    per_doc = numpy.split(gold, numpy.cumsum(lengths)[:-1])
    for tags, tag in ((0, 1), (1, 3), (6, 12)):
        per_doc[0][tags] = False
        per_doc[0][tags, tag] = True
    per_doc[4][2:9] = True
    return per_doc


@pytest.mark.parametrize("tok2vec", ["AttentionEncoder", "DocumentContext"])
def test_tagger_with_its_crf(tok2vec, trained, configs, docs, allowed):
    model = trained("CRFTagger", tok2vec=configs[tok2vec])

    def loss():
        return crf_loss(model, model.predict(docs), allowed)[0]

    emissions, backprop = model.begin_update(docs)
    backprop(crf_loss(model, emissions, allowed)[1])
    checked = check_gradients(model, loss)
    assert {
        f"crf_transitions.{key}" for key in model.get_ref("crf").param_names
    } < checked


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("EntityPairAttention", {}),
        ("EntityPairAttention", {"around": True, "exclusive": True}),
        ("InnerProductPairs", {}),
    ],
)
def test_relations(name, settings, trained, inputs_of):
    model, X = trained(name, **settings), inputs_of(name)
    truth = [numpy.random.randint(0, 2, (len(x), 3)).astype("float32") for x in X]

    def loss():
        pairs = zip(model.predict(X), truth, strict=True)
        return sum(
            float(
                numpy.logaddexp(0.0, numpy.where(t > 0, -y, y), dtype="float64").sum()
            )
            for y, t in pairs
        )

    Y, backprop = model.begin_update(X)
    backprop([1 / (1 + numpy.exp(-y)) - t for y, t in zip(Y, truth, strict=True)])
    check_gradients(model, loss)


@pytest.mark.parametrize("exclusive", [True, False])
def test_categories(exclusive, trained, docs):
    """What comes back to the model is the gradient of the cross-entropy."""
    model = trained("AttentionTextClassifier", exclusive_classes=exclusive)
    truth = numpy.eye(5, dtype="float32")[[0, 3, 1, 4, 2]]

    def loss():
        Y = model.predict(docs).astype("float64")
        if exclusive:
            return float(-numpy.log(Y[truth > 0]).sum())
        return float(-numpy.log(numpy.where(truth > 0, Y, 1 - Y)).sum())

    Y, backprop = model.begin_update(docs)
    backprop(Y - truth)
    check_gradients(model, loss)


def test_gradients_of_several_updates_add_up(trained, docs, allowed):
    """What `accumulate_gradient` relies on."""
    model = trained("CRFTagger")

    def step():
        emissions, backprop = model.begin_update(docs)
        backprop(crf_loss(model, emissions, allowed)[1])
        return {name: gradient for name, _, gradient in parameters(model)}

    once, twice = step(), step()
    for name, gradient in once.items():
        torch.testing.assert_close(
            torch.tensor(twice[name]), torch.tensor(2 * gradient), msg=name
        )
