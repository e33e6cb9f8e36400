"""Tok2vecs for which a word is the same wherever it stands: asked once about each."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy
from spacy.tokens import Doc
from thinc.api import Model
from thinc.layers.concatenate import forward as forward_concatenate
from thinc.types import Floats2d

from .batch import Batch, Words, own_of_tokens, own_of_words
from .bridge import no_backprop
from .rows import Parts, Tok2Vec, flatten


def tok2vec_of_words(layer: Model[Words, Floats2d]) -> Tok2Vec:
    """A tok2vec of a layer for which a word is the same wherever it stands.

    In prediction the layer is asked about each distinct word once.
    """
    return Model(
        f"unflatten({layer.name})",
        _forward_words,
        init=_init_words,
        layers=[layer],
        dims={"nO": layer.maybe_get_dim("nO")},
    )


def _init_words(model: Model, X: Any = None, Y: Any = None) -> None:
    model.layers[0].initialize(X=Batch.of(X).tokens if X else None)
    if model.has_dim("nO") is None and model.layers[0].has_dim("nO"):
        model.set_dim("nO", model.layers[0].get_dim("nO"))


def _forward_words(
    model: Model, docs: list[Doc], is_train: bool
) -> tuple[list[Floats2d], Callable]:
    batch = Batch.of(docs, None if is_train else model)
    if not is_train:
        Y: Any = model.layers[0].predict(batch.distinct[0])
        (own,) = batch.arrays(model.ops.xp, own_of_tokens)
        return Parts(Y[own], batch.lengths), no_backprop
    Y, bp = model.layers[0](batch.tokens, is_train)

    def backprop(dYs: list[Floats2d]) -> Any:
        return bp(flatten(model, dYs)) if dYs else []

    return Parts(Y, batch.lengths), backprop


def is_of_words(layer: Model) -> bool:
    """Whether a layer is a tok2vec of words by themselves."""
    return layer._func is _forward_words


def beside_each_other(*layers: Model) -> Model[Words, Floats2d]:
    """Concatenate what layers say of words, (n_words, sum of their widths)."""
    widths = [layer.get_dim("nO") for layer in layers]
    return Model(
        "|".join(layer.name for layer in layers),
        _forward_beside,
        init=_init_beside,
        layers=layers,
        dims={"nO": sum(widths)},
    )


def _init_beside(model: Model, X: Any = None, Y: Any = None) -> None:
    for layer in model.layers:
        layer.initialize(X=X)


def _forward_beside(
    model: Model, words: Words, is_train: bool
) -> tuple[Floats2d, Callable]:
    results = [layer(words, is_train) for layer in model.layers]
    Ys = [Y for Y, _ in results]
    return _side_by_side(model, Ys), _split_backprop(
        model, [bp for _, bp in results], [Y.shape[1] for Y in Ys]
    )


def _side_by_side(model: Model, Ys: list[Any]) -> Any:
    return Ys[0] if len(Ys) == 1 else model.ops.xp.concatenate(Ys, axis=1)


def _split_backprop(
    model: Model, backprops: list[Callable], widths: list[int]
) -> Callable:
    ends = numpy.cumsum(widths).tolist()

    def backprop(dY: Any) -> Any:
        for bp, end, width in zip(backprops, ends, widths, strict=True):
            bp(model.ops.as_contig(dY[:, end - width : end]))
        return []

    return backprop


def concatenated(*tok2vecs: Tok2Vec) -> Tok2Vec:
    """Concatenate tok2vecs; those of words by themselves see each word once."""
    widths = [tok2vec.maybe_get_dim("nO") for tok2vec in tok2vecs]
    known = [width for width in widths if width is not None]
    return Model(
        "|".join(tok2vec.name for tok2vec in tok2vecs),
        _forward_concatenated,
        init=_init_beside,
        layers=tok2vecs,
        dims={"nO": sum(known) if len(known) == len(widths) else None},
    )


def _forward_concatenated(
    model: Model, docs: list[Doc], is_train: bool
) -> tuple[list[Floats2d], Callable]:
    batch = Batch.of(docs, None if is_train else model)
    if not is_train:
        return Parts(_predict_concatenated(model, batch), batch.lengths), no_backprop
    results = [layer(batch, is_train) for layer in model.layers]
    Ys = [flatten(model, Xs) for Xs, _ in results]
    backprops = [lambda dY, bp=bp: bp(Parts(dY, batch.lengths)) for _, bp in results]
    bp_all = _split_backprop(model, backprops, [Y.shape[1] for Y in Ys])

    def backprop(dYs: list[Floats2d]) -> Any:
        return bp_all(flatten(model, dYs))

    return Parts(_side_by_side(model, Ys), batch.lengths), backprop


def _predict_concatenated(model: Model, batch: Batch) -> Any:
    """All at once where all are of words, (n_tokens, width)."""
    if not sees_words(model):
        Ys = [layer.predict(batch) for layer in model.layers]
        return _side_by_side(model, [flatten(model, Xs) for Xs in Ys])
    (own,) = batch.arrays(model.ops.xp, own_of_tokens)
    return rows_of_distinct(model, batch)[own]


def is_concatenated(tok2vec: Model) -> bool:
    """Whether a tok2vec is several side by side."""
    return tok2vec._func is _forward_concatenated


def joined(tok2vec: Tok2Vec) -> Tok2Vec:
    """Thinc's `concatenate` as this module's, which keeps a batch in one array."""
    if tok2vec._func is forward_concatenate:
        return concatenated(*tok2vec.layers)
    return tok2vec


class OfWords(NamedTuple):
    """What a tok2vec of words by themselves says of a batch.

    rows: Of each distinct word, (n_distinct, width).
    own: Which of them each word of the batch is, on the host, (n_words,).
    """

    rows: Any
    own: numpy.ndarray


def sees_words(tok2vec: Model) -> bool:
    """Whether a tok2vec is made of tok2vecs of words by themselves alone."""
    if is_concatenated(tok2vec):
        return all(map(is_of_words, tok2vec.layers))
    return is_of_words(tok2vec)


def rows_of_distinct(tok2vec: Model, batch: Batch) -> Any:
    """What a tok2vec that sees words says of those of a batch, (n_distinct, width)."""
    words, _ = batch.distinct
    layers = [tok2vec] if is_of_words(tok2vec) else tok2vec.layers
    return _side_by_side(tok2vec, [layer.layers[0].predict(words) for layer in layers])


def of_distinct(tok2vec: Model, batch: Batch) -> OfWords:
    (own,) = batch.here(own_of_words)
    return OfWords(rows_of_distinct(tok2vec, batch), own)
