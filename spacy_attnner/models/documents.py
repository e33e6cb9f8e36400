"""Between documents and flat PyTorch layers that need to know how they are made up."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy
from spacy.attrs import LOWER, SENT_START
from spacy.tokens import Doc
from thinc.api import ArgsKwargs, Model
from thinc.types import Floats2d

from .bridge import floats_to_torch, from_torch, ints_to_torch
from .lists import flatten, no_backprop, split

Tok2Vec = Model[list[Doc], list[Floats2d]]
Structure = Callable[[list[Doc]], tuple[numpy.ndarray, ...]]


def with_structure(tok2vec: Tok2Vec, layer: Model, structure: Structure) -> Tok2Vec:
    """Run a flat layer on a tok2vec's tokens and integers that describe the documents.

    The model's attribute `owned` says that a prediction is its caller's alone: a
    listener's, for example, is kept for other components.

    tok2vec: From documents to token vectors.
    layer: From (tokens of all documents, (n_tokens, width), and integers) to tokens.
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
    Y, bp_layer = layer((flatten(model, Xs), *structure(docs)), is_train)
    if not is_train:
        return split(Y, lengths), no_backprop

    def backprop(dYs: list[Floats2d]) -> Any:
        return bp_tok2vec(split(bp_layer(flatten(model, dYs)), lengths))

    return split(Y, lengths), backprop


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


def document_lengths(docs: list[Doc]) -> numpy.ndarray:
    """Tokens of each document, shape (n_documents,)."""
    return numpy.array([len(doc) for doc in docs], dtype="int64")


def document_lengths_each(docs: list[Doc]) -> list[numpy.ndarray]:
    """Tokens of each document, an array of shape (1,) per document."""
    return [numpy.array([len(doc)], dtype="int64") for doc in docs]


def sentence_lengths_each(docs: list[Doc]) -> list[numpy.ndarray]:
    """Tokens of each sentence, an array of shape (n_sentences,) per document.

    A document without sentence starts is one sentence, an empty one has none.
    """
    parts = []
    for doc in docs:
        starts = numpy.flatnonzero(doc.to_array(SENT_START) == 1)
        bounds = numpy.unique(numpy.concatenate([[0], starts, [len(doc)]]))
        parts.append(numpy.diff(bounds).astype("int64"))
    return parts


def sentence_lengths(docs: list[Doc]) -> numpy.ndarray:
    """Tokens of each sentence of all documents, shape (n_sentences,)."""
    nothing = numpy.zeros(0, dtype="int64")
    return numpy.concatenate([nothing, *sentence_lengths_each(docs)])


def word_numbers(docs: list[Doc]) -> numpy.ndarray:
    """The distinct lower-case word of each token, shape (n_tokens,).

    Numbered through all documents: no two of them share a number.
    """
    parts: list[numpy.ndarray] = [numpy.zeros(0, dtype="int64")]
    offset = 0
    for doc in docs:
        words, own = numpy.unique(doc.to_array(LOWER), return_inverse=True)
        parts.append(own.astype("int64") + offset)
        offset += len(words)
    return numpy.concatenate(parts)
