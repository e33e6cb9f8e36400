"""Between documents, one array per document, and one flat array for a batch.

What spaCy's layers hand to each other is a list with an array per document. Here such a
list remembers the flat array that its arrays are parts of, so that the next layer that
wants it flat pays nothing.
"""

from collections.abc import Callable
from functools import partial
from itertools import accumulate
from typing import Any, NamedTuple

import numpy
from spacy.tokens import Doc
from thinc.api import ArgsKwargs, Linear, Model, chain
from thinc.layers.chain import forward as forward_chain
from thinc.layers.chain import init as init_chain
from thinc.layers.concatenate import forward as forward_concatenate
from thinc.layers.linear import forward as linear_forward
from thinc.types import Floats2d

from .batch import Batch, Words
from .bridge import floats_to_torch, from_torch, no_backprop
from .products import add_product, linear

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


# layers that see words by themselves


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
    batch = Batch.of(docs)
    if not is_train:
        words, own = batch.distinct
        Y: Any = model.layers[0].predict(words)
        return Parts(Y[model.ops.xp.asarray(own)], batch.lengths), no_backprop
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
    batch = Batch.of(docs)
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
    if not _sees_words(model):
        Ys = [layer.predict(batch) for layer in model.layers]
        return _side_by_side(model, [flatten(model, Xs) for Xs in Ys])
    return _rows_of_distinct(model, batch)[model.ops.xp.asarray(batch.distinct[1])]


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


def _sees_words(tok2vec: Model) -> bool:
    """Whether a tok2vec is made of tok2vecs of words by themselves alone."""
    if tok2vec._func is _forward_concatenated:
        return all(map(is_of_words, tok2vec.layers))
    return is_of_words(tok2vec)


def _rows_of_distinct(tok2vec: Model, batch: Batch) -> Any:
    """What a tok2vec that sees words says of those of a batch, (n_distinct, width)."""
    words, _ = batch.distinct
    layers = [tok2vec] if is_of_words(tok2vec) else tok2vec.layers
    return _side_by_side(tok2vec, [layer.layers[0].predict(words) for layer in layers])


def _of_distinct(tok2vec: Model, batch: Batch) -> OfWords:
    own = batch.distinct[1]
    own = own if batch.words is None else own[batch.words]
    return OfWords(_rows_of_distinct(tok2vec, batch), own)


# layers behind a tok2vec


def rowwise(layer: Model[Floats2d, Floats2d]) -> Model:
    """Run a layer on the joined rows of a list with one array per document."""
    return Model(
        f"tokenwise({layer.name})", _forward_rows, init=_init_rows, layers=[layer]
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
    batch = Batch.of(docs)
    if is_train or not _is_projection(model.layers) or not any(batch.lengths):
        return forward_chain(model, batch, is_train)
    return Parts(_project(model.layers, batch), batch.lengths), no_backprop


def _is_projection(layers: list[Model]) -> bool:
    """Whether layers begin with one that is linear in what tok2vecs say together."""
    tok2vec, layer, *_ = [*layers, None]
    return (
        tok2vec._func is _forward_concatenated
        and layer is not None
        and layer._func is _forward_rows
        and layer.layers[0]._func is linear_forward
    )


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
        by_words = _sees_words(each)
        if by_words:
            X = _rows_of_distinct(each, batch)
        else:
            X = flatten(layer, each.predict(batch), each.maybe_get_dim("nO"))
        W_own, W = W[:, : X.shape[1]], W[:, X.shape[1] :]
        if by_words:
            Z = linear(ops, X, W_own)[ops.xp.asarray(batch.distinct[1])]
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


def with_structure(
    tok2vec: Tok2Vec, layer: Model, structure: Structure, *, words: bool = False
) -> Tok2Vec:
    """Run a flat layer on a tok2vec's words and integers that describe the documents.

    The model's attribute `owned` says that a prediction is its caller's alone: a
    listener's, for example, is kept for other components.

    tok2vec: From documents to token vectors.
    layer: From (words of all documents, (n_words, width), and integers) to words;
        whitespace tokens get zeros.
    structure: Gives those integers.
    words: Whether in predictions the layer takes `OfWords` in place of words.
    """
    return Model(
        f"with_structure({layer.name})",
        partial(_forward_structure, structure=structure, words=words),
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
    model: Model, docs: list[Doc], is_train: bool, *, structure: Structure, words: bool
) -> tuple[list[Floats2d], Callable]:
    batch = Batch.of(docs)
    tok2vec, layer = model.layers
    if words and not is_train and _sees_words(tok2vec) and any(batch.lengths):
        X = _of_distinct(tok2vec, batch)
        if len(X.own):
            Y = layer.predict((X, *structure(batch)))
            return Parts(of_tokens(model, Y, batch), batch.lengths), no_backprop
    Xs, bp_tok2vec = tok2vec(batch, is_train)
    X = of_words(model, flatten(model, Xs, layer.maybe_get_dim("nI")), batch)
    if not len(X):
        return _without_words(model, Xs, bp_tok2vec)
    Y, bp_layer = layer((X, *structure(batch)), is_train)
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
    batch = Batch.of(docs)
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
    if not is_train and _sees_words(tok2vec) and any(batch.lengths):
        X = _of_distinct(tok2vec, batch)
        own: Any = tok2vec.ops.xp.asarray(X.own)
        return Parts(X.rows[own], batch.document_lengths), no_backprop
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
    if func is _forward_concatenated:
        return list(model.layers)
    if func in (_forward_structure, _forward_chain, _forward_projected, forward_chain):
        return model.layers[:1]
    return None


def of_words(model: Model, X: Any, batch: Batch) -> Any:
    """The rows of words among those of all tokens."""
    return X if batch.words is None else X[batch.words_of(model.ops.xp)]


def of_tokens(model: Model, X: Any, batch: Batch) -> Any:
    """Rows of words among zeros for whitespace; the reverse of `of_words`."""
    if batch.words is None:
        return X
    xp: Any = model.ops.xp
    Y = xp.zeros((sum(batch.lengths), X.shape[1]), dtype=X.dtype)
    Y[batch.words_of(xp)] = X
    return Y


def words_and_structure(
    model: Model, inputs: tuple[Any, ...], is_train: bool
) -> tuple[ArgsKwargs, Callable]:
    """`convert_inputs` of a module that takes (flat words, integers of the host, …)."""
    X, *integers = inputs

    def backprop(d_inputs: ArgsKwargs) -> Any:
        return from_torch(model, d_inputs.args[0])

    args = (floats_to_torch(model, X, is_train), *integers)
    return ArgsKwargs(args=args, kwargs={}), backprop
