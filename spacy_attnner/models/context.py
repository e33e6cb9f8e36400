"""`spacy-attnner.DocumentContext.v1`: token vectors that know their document."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import ArgsKwargs, Linear, Model, chain

from ..layers.context import DocumentContext
from .bridge import array_output, torch_layer
from .documents import (
    Tok2Vec,
    document_lengths,
    tokens_and_structure,
    with_structure,
    word_numbers,
)
from .lists import tokenwise


@registry.architectures("spacy-attnner.DocumentContext.v1")
def build_document_context(
    tok2vec: Tok2Vec,
    width: int,
    value_width: int = 128,
    n_heads: int = 4,
    repeats: bool = True,
    state: bool = True,
) -> Tok2Vec:
    """Add to every token the other places of its word and the state of its document.

    Words are the same if their lower-case forms are. Cost is linear in the length of a
    document.

    tok2vec: Any layer from documents to token vectors, a listener too.
    width: Width of the output; a tok2vec of another width is projected to it.
    value_width: Width of each of the two things added; divisible by n_heads.
    n_heads: Heads of the attention that pools them.
    repeats: Add the other places of the word.
    state: Add the state of the document.

    Returns a model of shape List[(n_tokens, width)].
    """
    make_module = partial(
        DocumentContext,
        width=width,
        value_width=value_width,
        n_heads=n_heads,
        repeats=repeats,
        state=state,
    )
    inputs: Model = tok2vec
    if tok2vec.maybe_get_dim("nO") != width:
        inputs = chain(tok2vec, tokenwise(Linear(nO=width)))
    owned = inputs is not tok2vec or tok2vec.attrs.get("owned", False)
    context = torch_layer(
        "document_context",
        make_module,
        convert_inputs=partial(_inputs, overwrite=owned),
        convert_outputs=array_output,
        dims={"nI": width, "nO": width},
    )
    return with_structure(inputs, context, _structure)


def _structure(docs: list[Doc]) -> tuple[numpy.ndarray, ...]:
    return word_numbers(docs), document_lengths(docs)


def _inputs(
    model: Model, inputs: tuple[Any, ...], is_train: bool, *, overwrite: bool
) -> tuple[ArgsKwargs, Callable]:
    converted, backprop = tokens_and_structure(model, inputs, is_train)
    converted.kwargs["overwrite"] = overwrite and not is_train
    return converted, backprop
