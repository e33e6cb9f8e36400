"""`spacy-attnner.WordEmbed.v1`: what is known of a word before its context."""

from collections.abc import Callable
from functools import partial
from typing import Any

from spacy.attrs import IDS
from spacy.util import registry
from thinc.api import HashEmbed, Model, uniform_init
from thinc.types import Floats2d

from .batch import Words
from .rows import Tok2Vec, beside_each_other, tok2vec_of_words
from .static_vectors import static_vectors


@registry.architectures("spacy-attnner.WordEmbed.v1")
def build_word_embed(
    vector_width: int = 100,
    word_width: int = 0,
    word_rows: int = 10000,
    word_dropout: float = 0.5,
    shape_width: int = 16,
    shape_rows: int = 500,
) -> Tok2Vec:
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
    return tok2vec_of_words(parts[0] if len(parts) == 1 else beside_each_other(*parts))


def _hashed(attr: str, width: int, rows: int, hide: float = 0.0) -> Model:
    embed = HashEmbed(
        width, rows, seed=11, initializer=partial(uniform_init, lo=-0.1, hi=0.1)
    )
    return Model(
        f"hashed({attr})",
        _forward_hashed,
        init=_init_hashed,
        layers=[_word_attr(attr, hide), embed],
        dims={"nO": width},
    )


def _init_hashed(model: Model, X: Any = None, Y: Any = None) -> None:
    model.layers[1].initialize()


def _forward_hashed(
    model: Model[Words, Floats2d], words: Words, is_train: bool
) -> tuple[Floats2d, Callable]:
    attr, embed = model.layers
    ids, _ = attr(words, is_train)
    Y, bp_embed = embed(ids, is_train)

    def backprop(dY: Floats2d) -> list:
        bp_embed(dY)
        return []

    return Y, backprop


def _word_attr(attr: str, hide: float) -> Model[Words, Any]:
    """One attribute of every word, shape (n_words,), some hidden in training."""
    if not 0.0 <= hide < 1.0:
        raise ValueError(f"word_dropout {hide} is not in [0, 1)")
    return Model(
        f"token_attr({attr})",
        _forward_attr,
        attrs={"attr": IDS[attr], "hide": hide},
    )


def _forward_attr(model: Model, words: Words, is_train: bool) -> tuple[Any, Callable]:
    xp: Any = model.ops.xp
    ids = xp.asarray(words.column(model.attrs["attr"]), dtype="uint64")
    if is_train and model.attrs["hide"]:
        hidden = xp.random.uniform(0.0, 1.0, ids.shape) < model.attrs["hide"]
        ids = xp.where(hidden, ids.dtype.type(0), ids)
    return ids, lambda dY: []
