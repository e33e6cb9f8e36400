"""What stands behind a tok2vec: layers that are given the words, without whitespace."""

from collections.abc import Callable
from functools import partial
from typing import Any

from spacy.tokens import Doc
from thinc.api import Linear, Model, chain
from thinc.layers.chain import forward as forward_chain
from thinc.layers.chain import init as init_chain
from thinc.types import Floats2d

from .batch import Batch, own_of_tokens, own_of_words
from .bridge import no_backprop
from .products import add_product, linear
from .rows import Parts, Tok2Vec, flatten, is_linear, of_tokens, of_words, rowwise
from .word_layers import (
    is_concatenated,
    joined,
    of_distinct,
    rows_of_distinct,
    sees_words,
)


def projected(tok2vec: Tok2Vec, width: int) -> Tok2Vec:
    """A tok2vec with a linear layer behind it."""
    return _as_chain(
        chain(joined(tok2vec), rowwise(Linear(nO=width))), _forward_projected
    )


def _as_chain(model: Model, forward: Callable) -> Model:
    """The layers of Thinc's `chain` with another forward pass."""
    dims = {name: model.maybe_get_dim(name) for name in model.dim_names}
    return Model(model.name, forward, init=init_chain, dims=dims, layers=model.layers)


def _forward_projected(
    model: Model, docs: list[Doc], is_train: bool
) -> tuple[list[Floats2d], Callable]:
    batch = Batch.of(docs, None if is_train else model)
    if is_train or not _is_projection(model.layers) or not any(batch.lengths):
        return forward_chain(model, batch, is_train)
    return Parts(_project(model.layers, batch), batch.lengths), no_backprop


def _is_projection(layers: list[Model]) -> bool:
    """Whether layers begin with one that is linear in what tok2vecs say together."""
    tok2vec, layer, *_ = [*layers, None]
    return is_concatenated(tok2vec) and layer is not None and is_linear(layer)


def _project(layers: list[Model], batch: Batch) -> Any:
    """What a linear layer makes of concatenated tok2vecs, (n_tokens, width).

    It is a sum of products, one for each of them, and nothing is put side by side. For
    prediction, of a batch that has tokens.
    """
    tok2vec, (layer,) = layers[0], layers[1].layers
    ops: Any = layer.ops
    W: Any = layer.get_param("W")
    Y: Any = None
    rest = []
    for each in tok2vec.layers:
        by_words = sees_words(each)
        if by_words:
            X = rows_of_distinct(each, batch)
        else:
            X = flatten(layer, each.predict(batch), each.maybe_get_dim("nO"))
        W_own, W = W[:, : X.shape[1]], W[:, X.shape[1] :]
        if by_words:
            (own,) = batch.arrays(ops.xp, own_of_tokens)
            Z = linear(ops, X, W_own)[own]
            Y = Z if Y is None else Y + Z
        else:
            rest.append((X, W_own))
    if Y is None:
        X, W_own = rest.pop()
        Y = linear(ops, X, W_own)
    Y += layer.get_param("b")
    for X, W_own in rest:
        Y = add_product(ops, Y, X, W_own)
    return Y


def with_structure(tok2vec: Tok2Vec, layer: Model, *, words: bool = False) -> Tok2Vec:
    """Run a flat layer on a tok2vec's words and the batch that they are of.

    The model's attribute `owned` says that a prediction is its caller's alone: a
    listener's, for example, is kept for other components.

    tok2vec: From documents to token vectors.
    layer: From (words of all documents, (n_words, width), and their batch) to words;
        whitespace tokens get zeros.
    words: Whether in predictions the layer takes `OfWords` in place of words.
    """
    return Model(
        f"with_structure({layer.name})",
        partial(_forward_structure, words=words),
        init=_init_structure,
        layers=[tok2vec, layer],
        attrs={"owned": True},
        dims={"nO": layer.maybe_get_dim("nO")},
    )


def _init_structure(model: Model, X: Any = None, Y: Any = None) -> None:
    tok2vec, layer = model.layers
    tok2vec.initialize(X=X)
    layer.initialize()


def _forward_structure(
    model: Model, docs: list[Doc], is_train: bool, *, words: bool
) -> tuple[list[Floats2d], Callable]:
    batch = Batch.of(docs, None if is_train else model)
    tok2vec, layer = model.layers
    if words and not is_train and sees_words(tok2vec) and any(batch.lengths):
        X = of_distinct(tok2vec, batch)
        if len(X.own):
            Y = layer.predict((X, batch))
            return Parts(of_tokens(model, Y, batch), batch.lengths), no_backprop
    Xs, bp_tok2vec = tok2vec(batch, is_train)
    X = of_words(model, flatten(model, Xs, layer.maybe_get_dim("nI")), batch)
    if not len(X):
        return _without_words(model, Xs, bp_tok2vec)
    Y, bp_layer = layer((X, batch), is_train)
    Ys = Parts(of_tokens(model, Y, batch), batch.lengths)
    if not is_train:
        return Ys, no_backprop

    def backprop(dYs: list[Floats2d]) -> Any:
        dX = bp_layer(of_words(model, flatten(model, dYs), batch))
        return bp_tok2vec(Parts(of_tokens(model, dX, batch), batch.lengths))

    return Ys, backprop


def _without_words(
    model: Model, Xs: list[Floats2d], bp_tok2vec: Callable
) -> tuple[list[Floats2d], Callable]:
    """Zeros for whitespace, of which no gradient comes back."""
    width = model.layers[1].get_dim("nO")
    Ys = [model.ops.alloc2f(len(X), width) for X in Xs]
    return Ys, lambda dYs: bp_tok2vec([model.ops.xp.zeros_like(X) for X in Xs])


def chain_of_words(tok2vec: Tok2Vec, *layers: Model) -> Model:
    """As Thinc's `chain`; the layers behind a tok2vec are given the words alone.

    tok2vec: From documents to token vectors.
    layers: The first is given one array per document, (n_words, width).
    """
    return _as_chain(chain(joined(tok2vec), *layers), _forward_chain)


def _forward_chain(
    model: Model, docs: list[Doc], is_train: bool
) -> tuple[Any, Callable]:
    batch = Batch.of(docs, None if is_train else model)
    if not is_train and not any(batch.lengths):
        # spacy-transformers' listener fails where no document has tokens
        X: Any = Parts(model.ops.alloc2f(0, 0), batch.lengths)
        bp_tok2vec: Callable = no_backprop
        layers = model.layers[1:]
    elif not is_train and _is_projection(model.layers):
        X = of_words(model, _project(model.layers, batch), batch)
        X = Parts(X, batch.document_lengths)
        bp_tok2vec, layers = no_backprop, model.layers[2:]
    else:
        X, bp_tok2vec = vectors_of_words(model.layers[0], batch, is_train)
        if not isinstance(X, Parts):
            X = Parts(flatten(model, X), batch.document_lengths)
        layers = model.layers[1:]
    X.batch = batch
    backprops = [bp_tok2vec]
    for layer in layers:
        X, backprop = layer(X, is_train)
        backprops.append(backprop)

    def backprop_all(dY: Any) -> Any:
        for each in reversed(backprops):
            dY = each(dY)
        return dY

    return X, backprop_all


def vectors_of_words(
    tok2vec: Tok2Vec, batch: Batch, is_train: bool
) -> tuple[list[Floats2d], Callable]:
    """What a tok2vec says of the words of each document, (n_words, width)."""
    if not is_train and sees_words(tok2vec) and any(batch.lengths):
        rows = rows_of_distinct(tok2vec, batch)
        (own,) = batch.arrays(tok2vec.ops.xp, own_of_words)
        return Parts(rows[own], batch.document_lengths), no_backprop
    Xs, bp_tok2vec = tok2vec(batch, is_train)
    if batch.words is None:
        return Xs, bp_tok2vec

    def backprop(dYs: list[Floats2d]) -> Any:
        dX = of_tokens(tok2vec, flatten(tok2vec, dYs), batch)
        return bp_tok2vec(Parts(dX, batch.lengths))

    X = of_words(tok2vec, flatten(tok2vec, Xs), batch)
    return Parts(X, batch.document_lengths), backprop


def given_documents(model: Model) -> list[Model] | None:
    """The layers of a composed tok2vec that are given its documents.

    None for a tok2vec that is no composition of this module's or of Thinc's `chain`.
    """
    func: Any = getattr(model._func, "func", model._func)  # of a partial
    if is_concatenated(model):
        return list(model.layers)
    if func in (_forward_structure, _forward_chain, _forward_projected, forward_chain):
        return model.layers[:1]
    return None
