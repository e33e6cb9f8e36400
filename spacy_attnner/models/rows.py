"""Between documents, one array per document, and one flat array for a batch.

What spaCy's layers hand to each other is a list with an array per document. Here such a
list remembers the flat array that its arrays are parts of, so that the next layer that
wants it flat pays nothing.
"""

from collections.abc import Callable
from itertools import accumulate
from typing import Any

import numpy
from spacy.tokens import Doc
from thinc.api import ArgsKwargs, Model
from thinc.layers.linear import forward as linear_forward
from thinc.types import Floats2d

from .batch import Batch, places_of_words
from .bridge import floats_to_torch, from_torch, no_backprop
from .products import linear

Tok2Vec = Model[list[Doc], list[Floats2d]]
Structure = Callable[[Batch], tuple[numpy.ndarray, ...]]


class Parts(list[Floats2d]):
    """Consecutive parts of a flat array, (n_rows, width), and the whole.

    batch: The documents whose words these are, where a layer may have to know.
    """

    batch: Batch | None = None

    def __init__(self, whole: Floats2d, lengths: Any) -> None:
        sizes = lengths.tolist() if isinstance(lengths, numpy.ndarray) else lengths
        pairs = zip(accumulate(sizes), sizes, strict=True)
        super().__init__(whole[end - n : end] for end, n in pairs)
        self.whole = whole


def flatten(model: Model, Xs: list[Floats2d], width: int | None = None) -> Floats2d:
    """Join the arrays of a batch into one, (n_rows, width); parts are not copied.

    Arrays without rows may have another width: those of spacy-transformers' empty
    documents have 0. Where no array has rows, `width` is the result's, if it is given.
    """
    if isinstance(Xs, Parts):
        X = Xs.whole
    else:
        filled = [X for X in Xs if len(X)] or Xs[:1]
        X = _whole(filled)
        if X is None:
            X = model.ops.xp.concatenate(filled, axis=0)
    if width is not None and not len(X):
        X = model.ops.alloc2f(0, width)
    return model.ops.as_contig(X)


def _whole(Xs: list[Any]) -> Any:
    """The rows of a flat array of which arrays are consecutive parts, if they are."""
    if len(Xs) == 1:
        return Xs[0]
    base: Any = Xs[0].base if Xs else None
    if (
        not hasattr(base, "flags")
        or not base.flags.c_contiguous
        or any(X.base is not base or not X.flags.c_contiguous for X in Xs)
        or any(X.shape[1] != Xs[0].shape[1] or X.dtype != base.dtype for X in Xs)
    ):
        return None
    first, *starts = map(_address, Xs)
    sizes = accumulate(X.nbytes for X in Xs)
    if any(start != first + n for start, n in zip(starts, sizes, strict=False)):
        return None
    start = (first - _address(base)) // base.itemsize
    n_rows, width = sum(map(len, Xs)), Xs[0].shape[1]
    return base.reshape(-1)[start : start + n_rows * width].reshape(n_rows, width)


def _address(X: Any) -> int:
    if isinstance(X, numpy.ndarray):
        return X.__array_interface__["data"][0]  # `ctypes.data` takes three times that
    return X.data.ptr


def rowwise(layer: Model[Floats2d, Floats2d]) -> Model:
    """Run a layer on the joined rows of a list with one array per document."""
    return Model(
        f"tokenwise({layer.name})", _forward_rows, init=_init_rows, layers=[layer]
    )


def is_linear(layer: Model) -> bool:
    """Whether a layer is Thinc's `Linear`, run on rows."""
    return layer._func is _forward_rows and layer.layers[0]._func is linear_forward


def _init_rows(model: Model, X: Any = None, Y: Any = None) -> None:
    model.layers[0].initialize(X=flatten(model, X) if X else None)


def _forward_rows(
    model: Model, Xs: list[Floats2d], is_train: bool
) -> tuple[list[Floats2d], Callable]:
    lengths = [len(X) for X in Xs]
    layer = model.layers[0]
    X = flatten(model, Xs, layer.maybe_get_dim("nI"))
    if not is_train and layer._func is linear_forward:
        W, b = layer.get_param("W"), layer.get_param("b")
        Y, bp = linear(layer.ops, X, W, b), no_backprop
    else:
        Y, bp = layer(X, is_train)
    Ys = Parts(Y, lengths)
    Ys.batch = getattr(Xs, "batch", None)
    if not is_train:
        return Ys, no_backprop

    def backprop(dYs: list[Floats2d]) -> list[Floats2d]:
        return Parts(bp(flatten(model, dYs)), lengths)

    return Ys, backprop


def of_words(model: Model, X: Any, batch: Batch) -> Any:
    """The rows of words among those of all tokens."""
    if batch.words is None:
        return X
    return X[batch.arrays(model.ops.xp, places_of_words)[0]]


def of_tokens(model: Model, X: Any, batch: Batch) -> Any:
    """Rows of words among zeros for whitespace; the reverse of `of_words`."""
    if batch.words is None:
        return X
    xp: Any = model.ops.xp
    Y = xp.zeros((sum(batch.lengths), X.shape[1]), dtype=X.dtype)
    Y[batch.arrays(xp, places_of_words)[0]] = X
    return Y


def words_and_structure(
    model: Model,
    inputs: tuple[Any, ...],
    is_train: bool,
    *,
    structure: Structure | None = None,
) -> tuple[ArgsKwargs, Callable]:
    """`convert_inputs` of a module that takes (flat words, integers of the host, …).

    structure: Gives the integers, where the layer is given a batch in their place.
    """
    X, *integers = inputs
    if structure is not None:
        integers = structure(*integers)

    def backprop(d_inputs: ArgsKwargs) -> Any:
        return from_torch(model, d_inputs.args[0])

    args = (floats_to_torch(model, X, is_train), *integers)
    return ArgsKwargs(args=args, kwargs={}), backprop
