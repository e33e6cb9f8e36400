"""Frozen word vectors with a learned projection, checked against their table."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy
from spacy.attrs import LOWER, ORTH
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Model, Ops, glorot_uniform_init
from thinc.types import Floats2d
from thinc.util import get_array_module, to_numpy


def static_vectors(width: int) -> Model[list[Doc], Floats2d]:
    """Look up each token in the vocab's vectors and project to `width`.

    As spaCy's `StaticVectors`, but without a dropout of its own (the encoder's locked
    dropout would double it), and it knows the table that it was trained with.

    Returns shape (n_tokens, width); tokens without a vector give zeros.
    Raises ValueError where the vocab has no vectors, or another table than in training.
    """
    return Model(
        "static_vectors",
        _forward,
        init=partial(_init, glorot_uniform_init),
        params={"W": None},
        dims={"nO": width, "nM": None},
        attrs={"vectors": ""},
    )


def describe_vectors(vocab: Vocab) -> str:
    """Name, shape and key attribute of a vectors table."""
    vectors = vocab.vectors
    rows, width = vectors.shape
    return f"{vectors.name or 'unnamed'} ({rows} x {width})"


def _init(init_W: Callable, model: Model, X: Any = None, Y: Any = None) -> None:
    if not X:
        raise ValueError("static vectors cannot be initialized without a document")
    vocab = X[0].vocab
    width = vocab.vectors.shape[1]
    if not width:
        raise ValueError(
            "the model uses static vectors and the vocab has none: set "
            "initialize.vectors (--paths.vectors) to a pipeline with vectors, or set "
            "the embedding's vector_width to 0"
        )
    model.set_dim("nM", width)
    model.attrs["vectors"] = describe_vectors(vocab)
    model.set_param("W", init_W(model.ops, (model.get_dim("nO"), width)))


def _check(model: Model, vocab: Vocab) -> None:
    here = describe_vectors(vocab)
    if here != model.attrs["vectors"]:
        raise ValueError(
            f"the model was trained with the vectors {model.attrs['vectors']}, the "
            f"vocab has {here}: load it with the vectors it was trained with, or train "
            "it again on these"
        )


def _rows(ops: Ops, docs: list[Doc], vocab: Vocab) -> tuple[Floats2d, Any]:
    """Vectors of the distinct words, zeros for unknown ones, and the row of each token.

    Shapes (n_words, table width) and (n_tokens,).
    """
    vectors = vocab.vectors
    attr = getattr(vectors, "attr", ORTH)
    keys = numpy.concatenate([doc.to_array([attr, LOWER]) for doc in docs])
    distinct, first, tokens = numpy.unique(
        keys[:, 0], return_index=True, return_inverse=True
    )
    if getattr(vectors, "mode", "default") == "floret":
        V: Any = ops.asarray2f(vectors.get_batch(distinct))
    else:
        # spaCy 3.8 forgets a table's attr when it saves it, so a lower-case table
        # comes back as one of ORTH: what is not found as it stands is tried lower-case
        rows: Any = to_numpy(vectors.find(keys=distinct))
        unknown = numpy.flatnonzero(rows < 0)
        rows[unknown] = to_numpy(vectors.find(keys=keys[first[unknown], 1]))
        # the table may be on the GPU and the model not, or the other way round
        xp = get_array_module(vectors.data)
        V = ops.asarray2f(vectors.data[xp.asarray(rows)])
        V[ops.xp.asarray(rows < 0)] = 0.0  # row -1 is the last word's
    return V, ops.xp.asarray(tokens)


def _forward(
    model: Model[list[Doc], Floats2d], docs: list[Doc], is_train: bool
) -> tuple[Floats2d, Callable]:
    ops = model.ops
    if not sum(map(len, docs)):
        return ops.alloc2f(0, model.get_dim("nO")), lambda dY: []
    vocab = docs[0].vocab
    _check(model, vocab)
    V_words, tokens = _rows(ops, docs, vocab)
    W = cast(Floats2d, model.get_param("W"))
    if not is_train:  # a word is projected once, however often it comes up
        Y_words: Any = ops.gemm(V_words, W, trans2=True)
        return Y_words[tokens], lambda dY: []
    V = ops.as_contig(cast(Any, V_words)[tokens])
    Y = ops.gemm(V, W, trans2=True)

    def backprop(dY: Floats2d) -> list[Doc]:
        model.inc_grad("W", ops.gemm(dY, V, trans1=True))
        return []

    return Y, backprop
