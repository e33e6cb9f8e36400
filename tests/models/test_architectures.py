"""Every registered architecture: config, forward, backward, batches, bytes."""

import numpy
import pytest
from spacy import registry

from spacy_attnner.models import entity_pairs
from spacy_attnner.words import n_words

NAMES = [
    "AttentionEncoder",
    "AttentionTextClassifier",
    "CRFTagger",
    "CharacterCNN",
    "DocumentContext",
    "EntityEmbed",
    "EntityPairAttention",
    "InnerProductPairs",
    "WordEmbed",
]
# rows of the output of one input, and its width
WIDTHS = {"AttentionEncoder": 14, "CharacterCNN": 11, "WordEmbed": 10}
WIDTHS |= {"DocumentContext": 10, "EntityEmbed": 5}
WIDTHS |= {"CRFTagger": 13, "EntityPairAttention": 3, "InnerProductPairs": 3}
WIDTHS |= {"AttentionTextClassifier": 5}


# it begins with a folder of weights; test_transformer_encoder.py does the same to it
PRETRAINED = ["TransformerEncoder"]


def as_list(Y):
    """One array per input, also of a model that returns one array for the batch."""
    return list(Y) if isinstance(Y, list) else [Y[i : i + 1] for i in range(len(Y))]


def n_rows(name, x):
    """One for a document, one for each word, or one for each token or pair."""
    if name == "AttentionTextClassifier":
        return 1
    return n_words(x) if name == "CRFTagger" else len(x)


def test_the_table_is_complete():
    prefix = "spacy-attnner."
    registered = [
        name[len(prefix) :].rsplit(".", 1)[0]
        for name in registry.architectures.get_all()
        if name.startswith(prefix)
    ]
    assert sorted(registered) == sorted(NAMES + PRETRAINED)


@pytest.mark.parametrize("name", NAMES)
def test_forward_and_backward(name, trained, inputs_of):
    model, X = trained(name), inputs_of(name)
    Y, backprop = model.begin_update(X)
    shapes = [(n_rows(name, x), WIDTHS[name]) for x in X]
    assert [y.shape for y in as_list(Y)] == shapes
    assert {y.dtype for y in as_list(Y)} == {numpy.dtype("float32")}
    d_Y = [numpy.random.normal(size=y.shape).astype("float32") for y in as_list(Y)]
    backprop(d_Y if isinstance(Y, list) else numpy.concatenate(d_Y))
    for node in model.walk():
        if node.name == "crf_transitions":  # the loss sets its gradients
            continue
        for key in node.param_names:
            assert node.has_grad(key), f"{node.name}.{key}"
            assert numpy.isfinite(node.get_grad(key)).all()
        for shim in node.shims:
            for key, param in shim._model.named_parameters():
                assert param.grad is not None, f"{node.name}.{key}"
                assert param.grad.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_batch_equals_single(name, trained, inputs_of):
    model, X = trained(name), inputs_of(name)
    together = as_list(model.predict(X))
    for x, expected in zip(X, together, strict=True):
        (alone,) = as_list(model.predict([x]))
        numpy.testing.assert_allclose(alone, expected, atol=1e-5)
    backwards = as_list(model.predict(X[::-1]))[::-1]
    for found, expected in zip(backwards, together, strict=True):
        numpy.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("EntityPairAttention", {}),
        ("EntityPairAttention", {"around": True, "exclusive": True}),
        ("InnerProductPairs", {}),
    ],
)
def test_pairs_some_at_a_time(name, settings, size, trained, inputs_of, monkeypatch):
    model, X = trained(name, **settings), inputs_of(name)
    expected = model.predict(X)
    monkeypatch.setattr(entity_pairs, "PAIRS_AT_ONCE", size)
    for found, whole in zip(model.predict(X), expected, strict=True):
        numpy.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_prediction_is_training_without_dropout(name, trained, inputs_of):
    model, X = trained(name), inputs_of(name)
    in_training = as_list(model(X, is_train=True)[0])
    for found, expected in zip(in_training, as_list(model.predict(X)), strict=True):
        numpy.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_bytes_give_back_the_same_outputs(name, trained, build, configs, inputs_of):
    model, X = trained(name), inputs_of(name)
    fresh = build({**configs[name], **({"nO": None} if "nO" in configs[name] else {})})
    fresh.from_bytes(model.to_bytes())
    expected = as_list(model.predict(X))
    for found, y in zip(as_list(fresh.predict(X)), expected, strict=True):
        numpy.testing.assert_array_equal(found, y)
    assert fresh.to_bytes() == model.to_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_documents_without_tokens(name, trained, inputs_of):
    model = trained(name)
    (Y,) = as_list(model.predict([inputs_of(name)[1]]))
    assert Y.shape == (1 if name == "AttentionTextClassifier" else 0, WIDTHS[name])
    assert numpy.isfinite(Y).all()


@pytest.mark.parametrize("exclusive", [True, False])
def test_categories_get_probabilities(exclusive, trained, docs):
    model = trained("AttentionTextClassifier", exclusive_classes=exclusive)
    Y = model.predict(docs)
    assert ((Y > 0) & (Y < 1)).all()
    assert numpy.allclose(Y.sum(1), 1.0) == exclusive


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("AttentionEncoder", {"n_heads": 3}, "width 14 is not divisible by n_heads 3"),
        ("AttentionEncoder", {"width": 15}, "width 15 is odd"),
        ("AttentionEncoder", {"margin": 9}, "window 17 leaves no core"),
        ("CharacterCNN", {"kernel_size": 2}, "kernel_size 2 is not odd"),
        ("CharacterCNN", {"max_length": 1}, "max_length 1 is less than 2"),
        ("WordEmbed", {"word_dropout": 1.5}, r"word_dropout 1.5 is not in \[0, 1\)"),
        ("WordEmbed", {"word_width": 0, "shape_width": 0}, "are all 0"),
        ("DocumentContext", {"n_heads": 4}, "value_width 6 is not divisible by"),
        ("EntityPairAttention", {"n_heads": 4}, "hidden 10 is not divisible by"),
    ],
)
def test_impossible_sizes(name, changes, message, build, configs):
    with pytest.raises(ValueError, match=message):
        build(configs[name], **changes)
