"""`spacy-attnner.TransformerEncoder.v1`: a pretrained encoder as a tok2vec."""

import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Literal, cast

from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import ArgsKwargs, Linear, Model
from thinc.types import Floats2d
from torch import nn

from ..layers.piece_encoder import Pieces
from .batch import Batch
from .bridge import AttnShim, array_output, device_of, no_backprop, torch_layer
from .fine_tuning import FineTuning
from .pretrained import (
    PieceSettings,
    PretrainedEncoder,
    load_pretrained,
    pretrained_from_bytes,
    pretrained_to_bytes,
)
from .rows import Parts, Tok2Vec, flatten, of_tokens, of_words


@registry.architectures("spacy-attnner.TransformerEncoder.v1")
def build_transformer_encoder(
    name: str | None,
    width: int | None = None,
    window: int | None = None,
    margin: int = 64,
    pooling: Literal["mean", "first"] = "mean",
    top_layers: int = 1,
    half_precision: bool = False,
    mixed_precision: bool = False,
    tuning: FineTuning | None = None,
) -> Tok2Vec:
    """A pretrained encoder, fine-tuned: one contextual vector per token.

    The encoder, its tokenizer and its configuration become part of the pipeline, which
    needs neither `name` nor a network any more. Words are cut into word pieces one by
    one, and the vectors of their pieces pooled; nothing is aligned, and nothing is left
    out: a document longer than `window` is encoded in overlapping windows, of whole
    sentences where it has sentence starts. Whitespace tokens get zeros. In training the
    encoder keeps the dropout that it was pretrained with, but for that of attention
    weights, which fused attention cannot do.

    name: A folder with config.json, tokenizer.json and model.safetensors, or a name on
        Hugging Face's hub.
    width: Width of the output. Where it is not the encoder's own, a linear layer
        follows; None is the encoder's own, which nobody knows before `initialize`.
    window: Most word pieces in one piece of text; None is 512, or what the encoder can
        take, if that is less.
    margin: Word pieces of context that a window gives to the words it owns, on each
        side, where a document is longer than a window.
    pooling: Of a word's pieces: their mean, or the first.
    top_layers: The mean of so many of its last layers, or of all, is its output. 4
        serves an encoder that is frozen (Devlin et al. 2019, section 5.3), whose last
        layer is made for what it was pretrained on.
    half_precision: Store the weights as float16; computing is in float32.
    mixed_precision: Compute in bfloat16 where PyTorch's autocast allows.
    tuning: How it learns (`FineTuning.v1`); null is at the rate of the rest.

    Returns a model of shape List[(n_tokens, width)]. `initialize` raises ValueError
    where the encoder cannot be had.
    """
    settings = PieceSettings(window, margin, pooling, top_layers)
    pieces = torch_layer(
        "piece_encoder",
        nn.Module,
        convert_inputs=_pieces_alone,
        convert_outputs=array_output,
        dims={"nO": None},
        mixed_precision=mixed_precision,
        load_module=partial(load_pretrained, name, settings),
        stored=(
            partial(pretrained_to_bytes, half_precision=half_precision),
            partial(pretrained_from_bytes, settings=settings),
        ),
        tuning=tuning,
    )
    return Model(
        "transformer_encoder",
        _forward,
        init=_init,
        layers=[pieces, Linear(nO=width)],
        dims={"nO": width},
        attrs={"owned": True},
    )


def _encoder(model: Model) -> PretrainedEncoder:
    """What the layer of pieces has loaded; raises ValueError if nothing."""
    module = cast(AttnShim, model.shims[0])._model
    if not isinstance(module, PretrainedEncoder):
        raise ValueError(
            "the transformer encoder is not loaded: initialize the pipeline, or load "
            "one that is trained"
        )
    return module


def _init(model: Model, X: Any = None, Y: Any = None) -> None:
    pieces, projection = model.layers
    pieces.initialize()
    width = _encoder(pieces).width
    pieces.set_dim("nO", width, force=True)
    if model.has_dim("nO") is None:
        model.set_dim("nO", width)
    if model.get_dim("nO") != width:
        projection.set_dim("nI", width, force=True)
        projection.initialize()


def _forward(
    model: Model, docs: list[Doc], is_train: bool
) -> tuple[list[Floats2d], Callable]:
    batch = Batch.of(docs, None if is_train else model)
    layer, projection = model.layers
    encoder = _encoder(layer)
    if not batch.document_lengths.sum():
        Y: Any = model.ops.alloc2f(sum(batch.lengths), model.get_dim("nO"))
        return Parts(Y, batch.lengths), lambda dYs: []
    asked = _layout, weakref.ref(encoder)
    there = None if is_train else batch.there(device_of(layer), *asked)
    if there is None:
        pieces = encoder.pieces.of(batch, encoder.most_pieces)
    else:
        layout = batch.here(*asked)
        pieces = replace(layout.pieces, placed=(layout, there))
    Y, bp_layer = layer(pieces, is_train)
    bp_projection: Callable = _same
    if projection.has_param("W"):
        Y, bp_projection = projection(Y, is_train)
    Ys = Parts(of_tokens(model, Y, batch), batch.lengths)
    if not is_train:
        return Ys, no_backprop

    def backprop(dYs: list[Floats2d]) -> list[Doc]:
        dY = of_words(model, flatten(model, dYs), batch)
        bp_layer(bp_projection(model.ops.as_contig(dY)))
        return []

    return Ys, backprop


def _layout(batch: Batch, of: weakref.ref[PretrainedEncoder]) -> list[Any]:
    """What an encoder reads of a batch; it is gone where another one was loaded."""
    encoder = of()
    if encoder is None or not batch.document_lengths.any():
        return []
    pieces = encoder.pieces.of(batch, encoder.most_pieces)
    return encoder.lay_out(pieces, learns=False)


def _same(dY: Any) -> Any:
    return dY


def _pieces_alone(
    model: Model, pieces: Pieces, is_train: bool
) -> tuple[ArgsKwargs, Callable]:
    """`convert_inputs`: integers of the host, of which no gradient comes back."""
    return ArgsKwargs(args=(pieces,), kwargs={}), _nothing


def _nothing(d_inputs: Any) -> list[Any]:
    return []
