"""`spacy-attnner.DocumentContext.v1`: token vectors that know their document."""

from functools import partial
from typing import Any, cast

import numpy
from spacy.util import registry
from thinc.api import Model
from thinc.types import Floats2d

from ..layers.group_context import DocumentContext, context_arrays
from .batch import Batch
from .bridge import (
    AttnShim,
    array_output,
    floats_to_torch,
    from_torch,
    predict_with,
    torch_layer,
)
from .chains import projected, with_structure
from .rows import Tok2Vec, words_and_structure


@registry.architectures("spacy-attnner.DocumentContext.v1")
def build_document_context(
    tok2vec: Tok2Vec,
    width: int | None = None,
    value_width: int = 128,
    n_heads: int = 4,
    repeats: bool = True,
    state: bool = True,
) -> Tok2Vec:
    """Add to every token the other places of its word and the state of its document.

    Words are the same if their lower-case forms are. Cost is linear in the length of a
    document.

    tok2vec: Any layer from documents to token vectors, a listener too.
    width: Width of the output, the tok2vec's own if None; a tok2vec of another width is
        projected to it.
    value_width: Width of each of the two things added; divisible by n_heads.
    n_heads: Heads of the attention that pools them.
    repeats: Add the other places of the word.
    state: Add the state of the document.

    Returns a model of shape List[(n_tokens, width)]. Raises ValueError where nobody
    says the width.
    """
    width = width or tok2vec.maybe_get_dim("nO")
    if width is None:
        raise ValueError(
            f"the width of {tok2vec.name!r} below DocumentContext.v1 is not known: set "
            "the context's width"
        )
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
        inputs = projected(tok2vec, width)
    owned = inputs is not tok2vec or tok2vec.attrs.get("owned", False)
    context = torch_layer(
        "document_context",
        make_module,
        convert_inputs=partial(words_and_structure, structure=_structure),
        convert_outputs=array_output,
        dims={"nI": width, "nO": width},
        predict=partial(_predict, overwrite=owned),
    )
    return with_structure(inputs, context)


def _structure(batch: Batch) -> tuple[numpy.ndarray, ...]:
    return batch.word_numbers, batch.document_lengths


def _arrays(batch: Batch) -> list[numpy.ndarray]:
    return context_arrays(*_structure(batch))


def _predict(model: Model, inputs: tuple[Any, ...], *, overwrite: bool) -> Floats2d:
    notes = cast(AttnShim, model.shims[0]).notes
    batch = inputs[1]
    X = floats_to_torch(model, inputs[0], False)
    there = None if X.is_cpu else batch.there(X.device, _arrays)
    structure = (*_structure(batch), overwrite, notes, there)
    return from_torch(model, predict_with(model, lambda m: m(X, *structure)))
