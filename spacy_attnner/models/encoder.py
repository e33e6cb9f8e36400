"""`spacy-attnner.AttentionEncoder.v1`: from documents to contextual token vectors."""

from collections.abc import Callable
from typing import Any

from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import ArgsKwargs, Linear, Model, chain, concatenate
from thinc.types import Floats2d

from ..layers.encoders import SequenceEncoder
from .bridge import (
    array_output,
    floats_to_torch,
    from_torch,
    ints_to_torch,
    torch_layer,
)
from .lists import flatten, split, tokenwise

Embedder = Model[list[Doc], list[Floats2d]]


@registry.architectures("spacy-attnner.AttentionEncoder.v1")
def build_attention_encoder(
    embed: Embedder,
    characters: Embedder | None = None,
    width: int = 256,
    depth: int = 1,
    n_heads: int = 4,
    window: int = 96,
    margin: int = 16,
    mixed_precision: bool = False,
) -> Embedder:
    """BiLSTM and gated multi-head self-attention over any embedding layer.

    embed: Any layer from documents to token vectors, spaCy's own embeddings included.
    characters: A second one, concatenated to it, or null.
    width: Width of the output; even, and divisible by n_heads.
    depth: BiLSTM layers.
    n_heads: Self-attention heads; 0 for none.
    window, margin: Longer documents are encoded in windows of `window` tokens that
        overlap by twice `margin`, so cost is linear in their length.
    mixed_precision: Compute in bfloat16 where PyTorch's autocast allows; on a GPU the
        BiLSTM stays in float32.

    Returns a model of shape List[(n_tokens, width)].
    """
    inputs = concatenate(embed, characters) if characters is not None else embed
    parts = [embed] if characters is None else [embed, characters]
    widths = [part.maybe_get_dim("nO") for part in parts]
    layers: list[Model] = [inputs]
    if None in widths:  # a listener learns its width late: absorb it
        input_width = width
        layers.append(tokenwise(Linear(nO=width)))
    else:
        input_width = sum(n for n in widths if n is not None)
    module = SequenceEncoder(
        input_width=input_width,
        width=width,
        depth=depth,
        n_heads=n_heads,
        window=window,
        margin=margin,
    )
    encoder = torch_layer(
        "attention_encoder",
        module,
        convert_inputs=sequence_input,
        convert_outputs=array_output,
        dims={"nI": input_width, "nO": width},
        mixed_precision=mixed_precision,
    )
    model = chain(*layers, sequences(encoder))
    model.set_dim("nO", width, force=True)
    return model


def sequences(layer: Model) -> Model[list[Floats2d], list[Floats2d]]:
    """Run a flat sequence layer on a list with one array per document."""
    return Model(
        f"sequences({layer.name})",
        _forward,
        layers=[layer],
        dims={"nI": layer.maybe_get_dim("nI"), "nO": layer.maybe_get_dim("nO")},
    )


def _forward(
    model: Model, Xs: list[Floats2d], is_train: bool
) -> tuple[list[Floats2d], Callable]:
    lengths = [len(X) for X in Xs]
    Y, bp = model.layers[0]((flatten(model, Xs), lengths), is_train)

    def backprop(dYs: list[Floats2d]) -> list[Floats2d]:
        return split(bp(flatten(model, dYs)), lengths)

    return split(Y, lengths), backprop


def sequence_input(
    model: Model, X_lengths: tuple[Floats2d, list[int]], is_train: bool
) -> tuple[ArgsKwargs, Callable]:
    """`convert_inputs` of a module that takes (flat tokens, lengths)."""
    X, lengths = X_lengths
    args = (floats_to_torch(model, X, is_train), ints_to_torch(model, lengths))

    def backprop(d_inputs: ArgsKwargs) -> Any:
        return from_torch(model, d_inputs.args[0])

    return ArgsKwargs(args=args, kwargs={}), backprop
