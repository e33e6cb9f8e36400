"""`spacy-attnner.WordEmbed.v1`: what is known of a word before its context."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy
from spacy.attrs import IDS
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import HashEmbed, Model, concatenate, uniform_init
from thinc.types import Floats2d, Ints2d
from thinc.util import to_numpy

from .lists import unflatten
from .vectors import static_vectors


@registry.architectures("spacy-attnner.WordEmbed.v1")
def build_word_embed(
    vector_width: int = 100,
    word_width: int = 0,
    word_rows: int = 10000,
    word_dropout: float = 0.5,
    shape_width: int = 16,
    shape_rows: int = 500,
) -> Model[list[Doc], list[Floats2d]]:
    """Concatenate static vectors, hashed lower-case words and hashed word shapes.

    A width of 0 leaves the part out. The hash embeddings are Bloom embeddings (Serrà
    and Karatzoglou, 2017), as in spaCy's `MultiHashEmbed`.

    vector_width: Width of the projection of the vocab's static vectors.
    word_width, word_rows: Embedding of the lower-case form, learnt from the corpus.
    word_dropout: Share of tokens whose learnt word is hidden in training, so that the
        model knows what to do with words it has not seen.
    shape_width, shape_rows: Embedding of the shape (Xxxx, dd, …).

    Raises ValueError if all widths are 0.
    """
    parts: list[Model] = []
    if vector_width:
        parts.append(static_vectors(vector_width))
    if word_width:
        parts.append(_hashed("LOWER", word_width, word_rows, hide=word_dropout))
    if shape_width:
        parts.append(_hashed("SHAPE", shape_width, shape_rows))
    if not parts:
        raise ValueError("vector_width, word_width and shape_width are all 0")
    joined = parts[0] if len(parts) == 1 else concatenate(*parts)
    joined.set_dim("nO", vector_width + word_width + shape_width, force=True)
    return unflatten(joined)


def _hashed(attr: str, width: int, rows: int, hide: float = 0.0) -> Model:
    embed = HashEmbed(
        width, rows, seed=11, initializer=partial(uniform_init, lo=-0.1, hi=0.1)
    )
    return Model(
        f"hashed({attr})",
        _forward_hashed,
        init=_init_hashed,
        layers=[_token_attr(attr, hide), embed],
        dims={"nO": width},
    )


def _init_hashed(model: Model, X: Any = None, Y: Any = None) -> None:
    model.layers[1].initialize()


def _forward_hashed(
    model: Model[list[Doc], Floats2d], docs: list[Doc], is_train: bool
) -> tuple[Floats2d, Callable]:
    attr, embed = model.layers
    ids, _ = attr(docs, is_train)
    if not is_train:  # each distinct id once
        words, tokens = numpy.unique(to_numpy(ids), return_inverse=True)
        xp: Any = model.ops.xp
        Y, _ = embed(xp.asarray(words), is_train)
        return Y[xp.asarray(tokens)], lambda dY: []
    Y, bp_embed = embed(ids, is_train)

    def backprop(dY: Floats2d) -> list[Doc]:
        bp_embed(dY)
        return []

    return Y, backprop


def _token_attr(attr: str, hide: float) -> Model[list[Doc], Ints2d]:
    """One attribute of every token, shape (n_tokens, 1), some hidden in training."""
    if not 0.0 <= hide < 1.0:
        raise ValueError(f"word_dropout {hide} is not in [0, 1)")
    return Model(
        f"token_attr({attr})",
        _forward,
        attrs={"attr": IDS[attr], "hide": hide},
    )


def _forward(model: Model, docs: list[Doc], is_train: bool) -> tuple[Ints2d, Callable]:
    ops, attr = model.ops, model.attrs["attr"]
    xp: Any = ops.xp
    arrays = [xp.asarray(doc.to_array(attr), dtype="uint64") for doc in docs]
    ids = xp.concatenate([xp.zeros(0, dtype="uint64"), *arrays])
    if is_train and model.attrs["hide"]:
        hidden = xp.random.uniform(0.0, 1.0, ids.shape) < model.attrs["hide"]
        ids = xp.where(hidden, ids.dtype.type(0), ids)
    return ids, lambda dY: []
