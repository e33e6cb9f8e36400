"""Between documents and flat PyTorch layers that need to know how they are made up.

Whitespace tokens are no words: doubled spaces and line breaks say nothing, and a model
that has never met them would take them for something. Layers of this package are given
the rows of words alone, and what they return is put back around the whitespace.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy
from spacy.attrs import IS_SPACE, LOWER, SENT_START
from spacy.tokens import Doc
from thinc.api import ArgsKwargs, Model, chain
from thinc.layers.chain import init as init_chain
from thinc.types import Floats2d

from ..words import n_words, words_of
from .bridge import floats_to_torch, from_torch, ints_to_torch
from .lists import flatten, no_backprop, split

Tok2Vec = Model[list[Doc], list[Floats2d]]
Structure = Callable[[list[Doc]], tuple[numpy.ndarray, ...]]


def with_structure(tok2vec: Tok2Vec, layer: Model, structure: Structure) -> Tok2Vec:
    """Run a flat layer on a tok2vec's words and integers that describe the documents.

    The model's attribute `owned` says that a prediction is its caller's alone: a
    listener's, for example, is kept for other components.

    tok2vec: From documents to token vectors.
    layer: From (words of all documents, (n_words, width), and integers) to words;
        whitespace tokens get zeros.
    structure: Gives those integers.
    """
    return Model(
        f"with_structure({layer.name})",
        partial(_forward, structure=structure),
        init=_init,
        layers=[tok2vec, layer],
        attrs={"owned": True},
        dims={"nO": layer.maybe_get_dim("nO")},
    )


def _init(model: Model, X: Any = None, Y: Any = None) -> None:
    tok2vec, layer = model.layers
    tok2vec.initialize(X=X)
    layer.initialize()


def _forward(
    model: Model, docs: list[Doc], is_train: bool, *, structure: Structure
) -> tuple[list[Floats2d], Callable]:
    tok2vec, layer = model.layers
    Xs, bp_tok2vec = tok2vec(docs, is_train)
    lengths = [len(X) for X in Xs]
    words = flat_words(docs)
    X = _chosen(model, flatten(model, Xs, layer.maybe_get_dim("nI")), words)
    if not len(X):
        return _without_words(model, Xs, bp_tok2vec)
    Y, bp_layer = layer((X, *structure(docs)), is_train)
    Ys = split(_put_back(model, Y, words), lengths)
    if not is_train:
        return Ys, no_backprop

    def backprop(dYs: list[Floats2d]) -> Any:
        dX = bp_layer(_chosen(model, flatten(model, dYs), words))
        return bp_tok2vec(split(_put_back(model, dX, words), lengths))

    return Ys, backprop


def _without_words(
    model: Model, Xs: list[Floats2d], bp_tok2vec: Callable
) -> tuple[list[Floats2d], Callable]:
    """Zeros for whitespace, of which no gradient comes back."""
    width = model.layers[1].get_dim("nO")
    Ys = [model.ops.alloc2f(len(X), width) for X in Xs]
    return Ys, lambda dYs: bp_tok2vec([model.ops.xp.zeros_like(X) for X in Xs])


def chain_of_words(tok2vec: Tok2Vec, *layers: Model) -> Model:
    """As Thinc's `chain`; the layers behind a tok2vec are given the words alone.

    tok2vec: From documents to token vectors.
    layers: The first is given one array per document, (n_words, width).
    """
    model = chain(tok2vec, *layers)
    return Model(
        model.name,
        _forward_chain,
        init=init_chain,
        dims={name: model.maybe_get_dim(name) for name in model.dim_names},
        layers=model.layers,
    )


def _forward_chain(
    model: Model, docs: list[Doc], is_train: bool
) -> tuple[Any, Callable]:
    X, bp_tok2vec = vectors_of_words(model.layers[0], docs, is_train)
    backprops = [bp_tok2vec]
    for layer in model.layers[1:]:
        X, backprop = layer(X, is_train)
        backprops.append(backprop)

    def backprop_all(dY: Any) -> Any:
        for each in reversed(backprops):
            dY = each(dY)
        return dY

    return X, backprop_all


def vectors_of_words(
    tok2vec: Tok2Vec, docs: list[Doc], is_train: bool
) -> tuple[list[Floats2d], Callable]:
    """What a tok2vec says of the words of each document, (n_words, width)."""
    Xs, bp_tok2vec = tok2vec(docs, is_train)
    words = [words_of(doc) for doc in docs]
    if all(each is None for each in words):
        return Xs, bp_tok2vec

    def backprop(dYs: list[Floats2d]) -> Any:
        pairs = zip(dYs, words, strict=True)
        return bp_tok2vec([_put_back(tok2vec, dY, each) for dY, each in pairs])

    pairs = zip(Xs, words, strict=True)
    return [_chosen(tok2vec, X, each) for X, each in pairs], backprop


def _chosen(model: Model, X: Any, words: numpy.ndarray | None) -> Any:
    """The rows of words; all of them where `words` is None."""
    return X if words is None else X[model.ops.xp.asarray(words)]


def _put_back(model: Model, X: Any, words: numpy.ndarray | None) -> Any:
    """Rows of words among zeros for whitespace; the reverse of `_chosen`."""
    if words is None:
        return X
    xp = model.ops.xp
    Y = xp.zeros((len(words), X.shape[1]), dtype=X.dtype)
    Y[xp.asarray(words)] = X
    return Y


def tokens_and_structure(
    model: Model, inputs: tuple[Any, ...], is_train: bool
) -> tuple[ArgsKwargs, Callable]:
    """`convert_inputs` of a module that takes (flat tokens, integers, …)."""
    X, *integers = inputs
    args = (
        floats_to_torch(model, X, is_train),
        *(ints_to_torch(model, each) for each in integers),
    )

    def backprop(d_inputs: ArgsKwargs) -> Any:
        return from_torch(model, d_inputs.args[0])

    return ArgsKwargs(args=args, kwargs={}), backprop


def flat_words(docs: list[Doc]) -> numpy.ndarray | None:
    """`words_of` all tokens of all documents."""
    words = [words_of(doc) for doc in docs]
    if all(each is None for each in words):
        return None
    return numpy.concatenate(
        [
            numpy.ones(len(doc), dtype=bool) if each is None else each
            for doc, each in zip(docs, words, strict=True)
        ]
    )


def document_lengths(docs: list[Doc]) -> numpy.ndarray:
    """Words of each document, shape (n_documents,)."""
    return numpy.array([n_words(doc) for doc in docs], dtype="int64")


def document_lengths_each(docs: list[Doc]) -> list[numpy.ndarray]:
    """Words of each document, an array of shape (1,) per document."""
    return [numpy.array([n_words(doc)], dtype="int64") for doc in docs]


def sentence_lengths_each(docs: list[Doc]) -> list[numpy.ndarray]:
    """Words of each sentence, an array of shape (n_sentences,) per document.

    A document without sentence starts is one sentence, one without words has none.
    """
    parts = []
    for doc in docs:
        starts, spaces = doc.to_array([SENT_START, IS_SPACE]).T
        counts = numpy.bincount((starts == 1).cumsum(), weights=spaces == 0)
        parts.append(counts[counts > 0].astype("int64"))
    return parts


def sentence_lengths(docs: list[Doc]) -> numpy.ndarray:
    """Words of each sentence of all documents, shape (n_sentences,)."""
    nothing = numpy.zeros(0, dtype="int64")
    return numpy.concatenate([nothing, *sentence_lengths_each(docs)])


def word_numbers(docs: list[Doc]) -> numpy.ndarray:
    """Which word each is by its lower-case form, shape (n_words,).

    Numbered through all documents: no two of them share a number.
    """
    parts: list[numpy.ndarray] = [numpy.zeros(0, dtype="int64")]
    offset = 0
    for doc in docs:
        lower, spaces = doc.to_array([LOWER, IS_SPACE]).T
        distinct, own = numpy.unique(lower[spaces == 0], return_inverse=True)
        parts.append(own.astype("int64") + offset)
        offset += len(distinct)
    return numpy.concatenate(parts)
