"""Between one flat array for a batch and a list with one array per document."""

from collections.abc import Callable
from typing import Any

import numpy
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d


def split(X: Floats2d, lengths: list[int]) -> list[Floats2d]:
    """Cut a flat array, (n_tokens, width), into one view per document."""
    ends = numpy.cumsum(lengths).tolist()
    return [X[end - n : end] for end, n in zip(ends, lengths, strict=True)]


def flatten(model: Model, Xs: list[Floats2d], width: int | None = None) -> Floats2d:
    """Join the arrays of a batch into one, (n_tokens, width); one is not copied.

    Arrays without rows may have another width: those of spacy-transformers' empty
    documents have 0. Where no array has rows, `width` is the result's, if it is given.
    """
    filled = [X for X in Xs if len(X)] or Xs[:1]
    X = filled[0] if len(filled) == 1 else model.ops.xp.concatenate(filled, axis=0)
    if width is not None and not len(X):
        X = model.ops.alloc2f(0, width)
    return model.ops.as_contig(X)


def no_backprop(dY: Any) -> Any:
    """What a prediction returns for backprop, so that it holds on to no array."""
    raise RuntimeError("a prediction has no gradient: call the layer with is_train")


def unflatten(
    layer: Model[list[Doc], Floats2d],
) -> Model[list[Doc], list[Floats2d]]:
    """Give a layer that returns one flat array spaCy's list of arrays instead."""
    return Model(
        f"unflatten({layer.name})",
        _forward,
        init=_init,
        layers=[layer],
        dims={"nO": layer.maybe_get_dim("nO")},
    )


def _init(model: Model, X: Any = None, Y: Any = None) -> None:
    model.layers[0].initialize(X=X)
    if model.has_dim("nO") is None and model.layers[0].has_dim("nO"):
        model.set_dim("nO", model.layers[0].get_dim("nO"))


def _forward(
    model: Model[list[Doc], list[Floats2d]], docs: list[Doc], is_train: bool
) -> tuple[list[Floats2d], Callable]:
    Y, bp = model.layers[0](docs, is_train)
    Ys = split(Y, [len(doc) for doc in docs])
    if not is_train:
        return Ys, no_backprop

    def backprop(dYs: list[Floats2d]) -> Any:
        return bp(flatten(model, dYs)) if dYs else []

    return Ys, backprop


def tokenwise(layer: Model[Floats2d, Floats2d]) -> Model:
    """Run a layer on the joined tokens of a list with one array per document."""
    return Model(
        f"tokenwise({layer.name})", _forward_tokens, init=_init_tokens, layers=[layer]
    )


def _init_tokens(model: Model, X: Any = None, Y: Any = None) -> None:
    model.layers[0].initialize(X=flatten(model, X) if X else None)


def _forward_tokens(
    model: Model, Xs: list[Floats2d], is_train: bool
) -> tuple[list[Floats2d], Callable]:
    lengths = [len(X) for X in Xs]
    layer = model.layers[0]
    Y, bp = layer(flatten(model, Xs, layer.maybe_get_dim("nI")), is_train)
    if not is_train:
        return split(Y, lengths), no_backprop

    def backprop(dYs: list[Floats2d]) -> list[Floats2d]:
        return split(bp(flatten(model, dYs)), lengths)

    return split(Y, lengths), backprop
