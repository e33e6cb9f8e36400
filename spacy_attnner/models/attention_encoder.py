"""`spacy-attnner.AttentionEncoder.v1`: from documents to contextual token vectors."""

from functools import partial
from typing import Any, cast

import numpy
from spacy.util import registry
from thinc.api import Model
from thinc.types import Floats2d

from ..layers.sequence_encoder import SequenceEncoder, indices
from .batch import Batch, own_of_words
from .bridge import (
    AttnShim,
    array_output,
    floats_to_torch,
    from_torch,
    predict_with,
    torch_layer,
)
from .chains import projected, with_structure
from .rows import Structure, Tok2Vec, words_and_structure
from .word_layers import OfWords, concatenated


@registry.architectures("spacy-attnner.AttentionEncoder.v1")
def build_attention_encoder(
    embed: Tok2Vec,
    characters: Tok2Vec | None = None,
    entities: Tok2Vec | None = None,
    width: int = 256,
    depth: int = 1,
    n_heads: int = 4,
    window: int = 96,
    margin: int = 16,
    sentences: bool = False,
    mixed_precision: bool = False,
    transformer: Tok2Vec | None = None,
) -> Tok2Vec:
    """BiLSTM and gated multi-head self-attention over any embedding layer.

    embed: Any layer from documents to token vectors, spaCy's own embeddings included.
    characters, entities, transformer: Further ones, concatenated to it, or null.
    width: Width of the output; even, and divisible by n_heads.
    depth: BiLSTM layers.
    n_heads: Self-attention heads; 0 for none.
    window, margin: Longer documents are encoded in windows of `window` tokens that
        overlap by twice `margin`, so cost is linear in their length.
    sentences: Encode every sentence by itself where a document has sentence starts
        (set by a parser, a `senter`, a `sentencizer`); a document without them is
        encoded as one piece.
    mixed_precision: Compute in bfloat16 where PyTorch's autocast allows; on a GPU the
        BiLSTM stays in float32.

    Returns a model of shape List[(n_tokens, width)].
    """
    parts = [
        each for each in (embed, characters, entities, transformer) if each is not None
    ]
    inputs = concatenated(*parts) if len(parts) > 1 else embed
    input_width = inputs.maybe_get_dim("nO")
    if input_width is None:  # a listener learns its width late: absorb it
        inputs, input_width = projected(inputs, width), width
    make_module = partial(
        SequenceEncoder,
        input_width=input_width,
        width=width,
        depth=depth,
        n_heads=n_heads,
        window=window,
        margin=margin,
    )
    structure = _sentences if sentences else _documents
    encoder = torch_layer(
        "attention_encoder",
        make_module,
        convert_inputs=partial(words_and_structure, structure=structure),
        convert_outputs=array_output,
        dims={"nI": input_width, "nO": width},
        mixed_precision=mixed_precision,
        predict=partial(_predict, structure=structure, remember=not mixed_precision),
    )
    model = with_structure(inputs, encoder, words=not mixed_precision)
    model.attrs["sentences"] = sentences
    return model


def _predict(
    model: Model, inputs: tuple[Any, Batch], *, structure: Structure, remember: bool
) -> Floats2d:
    shim, (Xs, batch) = cast(AttnShim, model.shims[0]), inputs
    rows, own = Xs if isinstance(Xs, OfWords) else (Xs, None)
    X = floats_to_torch(model, rows, False)
    there = None
    if not X.is_cpu:
        settings = shim._model.settings(X.device)
        there = batch.there(X.device, _indices, structure, own is not None, *settings)
    (lengths,), notes = structure(batch), shim.notes if remember else None
    args = (X, lengths, notes, own, there)
    return from_torch(model, predict_with(model, lambda m: m(*args)))


def _indices(
    batch: Batch, structure: Structure, of_words: bool, *settings: Any
) -> list[numpy.ndarray]:
    words = batch.here(own_of_words)[0] if of_words else None
    (lengths,) = structure(batch)
    return indices(lengths, words, *settings)


def _sentences(batch: Batch) -> tuple[numpy.ndarray, ...]:
    return (batch.sentence_lengths,)


def _documents(batch: Batch) -> tuple[numpy.ndarray, ...]:
    return (batch.document_lengths,)
