"""Lists of one array per document, and the flat array that they are parts of."""

import numpy
import pytest
from thinc.api import Linear, Model, NumpyOps, concatenate

from spacy_attnner.models.chains import chain_of_words, projected
from spacy_attnner.models.rows import Parts, flatten, rowwise
from spacy_attnner.models.word_layers import concatenated

MODEL = Model("any", lambda model, X, is_train: (X, None), ops=NumpyOps())
SPACY_EMBEDDING = {
    "@architectures": "spacy.MultiHashEmbed.v2",
    "width": 10,
    "attrs": ["NORM", "SHAPE"],
    "rows": [53, 31],
    "include_static_vectors": False,
}


def test_parts_are_views_that_remember_the_whole():
    whole = numpy.arange(12.0, dtype="float32").reshape(6, 2)
    parts = Parts(whole, [2, 0, 3, 1])
    assert [len(part) for part in parts] == [2, 0, 3, 1]
    numpy.testing.assert_array_equal(numpy.concatenate(parts), whole)
    assert all(numpy.shares_memory(part, whole) for part in parts if len(part))
    assert flatten(MODEL, parts) is whole
    numpy.testing.assert_array_equal(flatten(MODEL, list(parts)), whole)
    assert flatten(MODEL, list(parts)[:2]).tolist() == whole[:2].tolist()


def test_consecutive_parts_are_not_copied():
    """As a listener gives them: rows of the encoder's, kept as `doc.tensor`."""
    whole = numpy.arange(20.0, dtype="float32").reshape(10, 2)
    a, _, b, c = Parts(whole, [2, 0, 3, 5])
    for arrays, rows in (([a, b], whole[:5]), ([b, c], whole[2:])):
        found = flatten(MODEL, arrays)
        numpy.testing.assert_array_equal(found, rows)
        assert numpy.shares_memory(found, whole)
    turned, wide = whole.T.copy().T, numpy.arange(20.0, dtype="float32").reshape(5, 4)
    for arrays in (
        [b, a],
        [a, c],
        [a, whole[1:5]],
        [whole[::2], whole[1::2]],
        [turned[:5], turned[5:]],
        [wide[:, :2], wide[:, 2:]],
        [a, whole.copy()[2:]],
        [a.copy(), b.copy()],
    ):
        found = flatten(MODEL, arrays)
        numpy.testing.assert_array_equal(found, numpy.concatenate(arrays))
        assert not numpy.shares_memory(found, whole)


def test_concatenate_of_thinc(build, configs, docs):
    """Keeps one array for a batch, and says and learns the same."""
    layers = [build(configs[name]) for name in ("WordEmbed", "CharacterCNN")]
    stock = concatenate(*layers)
    stock.initialize(X=docs)
    ours = projected(concatenate(*layers), 5)
    ours.initialize(X=docs)
    inputs = ours.layers[0]
    assert isinstance(inputs.predict(docs), Parts)
    (Ys, backprop), (expected, bp_expected) = inputs(docs, True), stock(docs, True)
    for Y, again in zip(Ys, expected, strict=True):
        numpy.testing.assert_allclose(Y, again, atol=1e-6)
    bp_expected(expected)
    once = gradients(stock)
    backprop(expected)
    for gradient, twice in zip(once, gradients(stock), strict=True):
        numpy.testing.assert_allclose(twice, 2 * gradient, rtol=1e-4, atol=1e-6)


def test_flat_arrays_without_rows():
    empty = numpy.zeros((0, 0), dtype="float32")
    some = numpy.ones((2, 3), dtype="float32")
    assert flatten(MODEL, [empty, some, empty]).shape == (2, 3)
    assert flatten(MODEL, [empty, empty], 5).shape == (0, 5)
    assert flatten(MODEL, Parts(empty, [0, 0]), 5).shape == (0, 5)
    narrow = numpy.zeros((2, 0), dtype="float32")  # as other packages give for " "
    for n in (1, 2):
        assert flatten(MODEL, [*Parts(narrow, [1, 1])][:n]).shape == (n, 0)


def test_rows_of_all_documents_at_once():
    layer = Linear(nO=2, nI=3)
    model = rowwise(layer)
    X = [numpy.random.normal(size=(n, 3)).astype("float32") for n in (4, 0, 1)]
    model.initialize(X=X)
    Y, backprop = model(X, is_train=True)
    for x, y, again in zip(X, Y, model.predict(X), strict=True):
        numpy.testing.assert_allclose(y, layer.predict(x), atol=1e-6)
        numpy.testing.assert_allclose(again, y, atol=1e-6)
    assert [x.shape for x in backprop(Y)] == [(4, 3), (0, 3), (1, 3)]


@pytest.mark.parametrize("embed", ["WordEmbed", "spaCy's"])
def test_concatenated_predicts_what_it_trains_on(embed, build, configs, docs):
    """All of words by themselves, and beside a tok2vec that asks for documents."""
    config = configs.get(embed, SPACY_EMBEDDING)
    layers = [build(config), build(configs["CharacterCNN"])]
    model = concatenated(*layers)
    model.initialize(X=docs)
    for batch in (docs, docs[:1], docs[1:2], docs[3:4]):
        Y, _ = model(batch, is_train=True)
        alone = [layer.predict(batch) for layer in layers]
        rows = zip(model.predict(batch), Y, *alone, strict=True)
        for doc, (found, y, first, second) in zip(batch, rows, strict=True):
            assert found.shape == (len(doc), 21)
            numpy.testing.assert_allclose(found, y, atol=1e-6)
            expected = numpy.hstack([first, second])
            numpy.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    "embeds",
    [
        ("WordEmbed", "CharacterCNN"),
        ("WordEmbed", "spaCy's"),
        ("spaCy's", "CharacterCNN"),
        ("spaCy's", "spaCy's"),
        ("WordEmbed",),
    ],
)
def test_projections_of_what_is_concatenated(embeds, build, configs, docs):
    """In prediction a sum of products, one for each tok2vec."""
    layers = [build(configs.get(name, SPACY_EMBEDDING)) for name in embeds]
    alone = projected(concatenated(*layers), 7)
    alone.initialize(X=docs)
    linear = alone.layers[1].layers[0]
    linear.set_param("b", numpy.arange(7, dtype="float32"))
    words = chain_of_words(
        concatenated(*layers), rowwise(linear), rowwise(Linear(2, 7))
    )
    words.layers[2].initialize()
    for batch in (docs, docs[:1], docs[1:2], docs[3:4]):
        for model in (alone, words):
            Y, _ = model(batch, is_train=True)
            for found, y in zip(model.predict(batch), Y, strict=True):
                assert found.shape == y.shape
                numpy.testing.assert_allclose(found, y, atol=1e-5)


def test_concatenated_gives_each_layer_its_part_of_the_gradient(build, configs, docs):
    layers = [build(configs["WordEmbed"]), build(configs["CharacterCNN"])]
    model = concatenated(*layers)
    model.initialize(X=docs)
    Y, backprop = model(docs, is_train=True)
    d_Y = [numpy.random.normal(size=y.shape).astype("float32") for y in Y]
    backprop(d_Y)
    together = gradients(model)
    for layer, columns in zip(layers, (slice(10), slice(10, None)), strict=True):
        clear(layer)
        layer(docs, is_train=True)[1]([d[:, columns] for d in d_Y])
    for found, expected in zip(together, gradients(model), strict=True):
        numpy.testing.assert_allclose(found, expected, atol=1e-5)


def gradients(model):
    return [
        *(
            node.get_grad(key).copy()
            for node in model.walk()
            for key in node.grad_names
        ),
        *(parameter.grad.numpy().copy() for parameter in torch_weights(model)),
    ]


def clear(model):
    for node in model.walk():
        for key in node.grad_names:
            node.set_grad(key, numpy.zeros_like(node.get_grad(key)))
    for parameter in torch_weights(model):
        parameter.grad = None


def torch_weights(model):
    shims = (shim for node in model.walk() for shim in node.shims)
    return [parameter for shim in shims for parameter in shim._model.parameters()]
