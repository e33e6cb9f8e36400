"""`spacy-attnner.DocumentContext.v1`: token vectors that know their document."""

from collections.abc import Callable
from typing import Any

import numpy
from spacy.attrs import LOWER
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import ArgsKwargs, Linear, Model, chain
from thinc.types import Floats2d

from ..layers.context import DocumentContext
from .bridge import (
    array_output,
    floats_to_torch,
    from_torch,
    ints_to_torch,
    torch_layer,
)
from .lists import flatten, split, tokenwise

Tok2Vec = Model[list[Doc], list[Floats2d]]


@registry.architectures("spacy-attnner.DocumentContext.v1")
def build_document_context(
    tok2vec: Tok2Vec, width: int, value_width: int = 128, n_heads: int = 4
) -> Tok2Vec:
    """Add to every token the other places of its word and the state of its document.

    Words are the same if their lower-case forms are. Cost is linear in the length of a
    document.

    tok2vec: Any layer from documents to token vectors, a listener too.
    width: Width of the output; a tok2vec of another width is projected to it.
    value_width: Width of each of the two things added; divisible by n_heads.
    n_heads: Heads of the attention that pools them.

    Returns a model of shape List[(n_tokens, width)].
    """
    layers: list[Model] = [tok2vec]
    if tok2vec.maybe_get_dim("nO") != width:
        layers.append(tokenwise(Linear(nO=width)))
    module = DocumentContext(width=width, value_width=value_width, n_heads=n_heads)
    context = torch_layer(
        "document_context",
        module,
        convert_inputs=_convert_inputs,
        convert_outputs=array_output,
        dims={"nI": width, "nO": width},
    )
    inner = chain(*layers) if len(layers) > 1 else tok2vec
    return Model(
        "with_documents",
        _forward,
        init=_init,
        layers=[inner, context],
        dims={"nO": width},
    )


def _init(model: Model, X: Any = None, Y: Any = None) -> None:
    model.layers[0].initialize(X=X)


def word_numbers(docs: list[Doc]) -> numpy.ndarray:
    """The distinct lower-case word of each token, numbered through all documents."""
    numbers: list[numpy.ndarray] = [numpy.zeros(0, dtype="int64")]
    offset = 0
    for doc in docs:
        words, own = numpy.unique(doc.to_array(LOWER), return_inverse=True)
        numbers.append(own.astype("int64") + offset)
        offset += len(words)
    return numpy.concatenate(numbers)


def _forward(
    model: Model[list[Doc], list[Floats2d]], docs: list[Doc], is_train: bool
) -> tuple[list[Floats2d], Callable]:
    tok2vec, context = model.layers
    Xs, bp_tok2vec = tok2vec(docs, is_train)
    lengths = [len(X) for X in Xs]
    words = word_numbers(docs)
    Y, bp_context = context((flatten(model, Xs), words, lengths), is_train)

    def backprop(dYs: list[Floats2d]) -> Any:
        return bp_tok2vec(split(bp_context(flatten(model, dYs)), lengths))

    return split(Y, lengths), backprop


def _convert_inputs(
    model: Model, inputs: tuple[Floats2d, numpy.ndarray, list[int]], is_train: bool
) -> tuple[ArgsKwargs, Callable]:
    X, words, lengths = inputs
    args = (
        floats_to_torch(model, X, is_train),
        ints_to_torch(model, words),
        ints_to_torch(model, lengths),
    )

    def backprop(d_inputs: ArgsKwargs) -> Any:
        return from_torch(model, d_inputs.args[0])

    return ArgsKwargs(args=args, kwargs={}), backprop
