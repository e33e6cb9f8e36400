"""`spacy-attnner.WordEmbed.v1`: what is known of a word before its context."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from spacy.attrs import IDS
from spacy.util import registry
from thinc.api import HashEmbed, Model, uniform_init
from thinc.types import Floats2d

from .batch import Words
from .rows import Tok2Vec
from .static_vectors import static_vectors
from .subwords import affixes, subwords
from .word_layers import beside_each_other, tok2vec_of_words


@registry.architectures("spacy-attnner.WordEmbed.v1")
def build_word_embed(
    vector_width: int = 100,
    word_width: int = 0,
    word_rows: int = 10000,
    word_dropout: float = 0.5,
    shape_width: int = 16,
    shape_rows: int = 500,
    affix_width: int = 0,
    affix_rows: int = 10000,
    affix_sizes: Sequence[int] = (1, 3, -2, -3, -4),
    subword_width: int = 0,
    subword_rows: int = 20000,
    subword_sizes: Sequence[int] = (3, 4, 5),
    init_range: float = 0.1,
) -> Tok2Vec:
    """Concatenate static vectors, lower-case words, word shapes, affixes, subwords.

    A width of 0 leaves the part out. The hash embeddings are Bloom embeddings (Serrà
    and Karatzoglou, 2017), as in spaCy's `MultiHashEmbed`.

    vector_width: Width of the projection of the vocab's static vectors.
    word_width, word_rows: Embedding of the lower-case form, learnt from the corpus.
    word_dropout: Share of tokens whose learnt word is hidden in training, so that the
        model knows what to do with words it has not seen.
    shape_width, shape_rows: Embedding of the shape (Xxxx, dd, …).
    affix_width, affix_rows, affix_sizes: Embeddings of the first characters of a word,
        of the last where a size is negative; of this width each.
    subword_width, subword_rows, subword_sizes: Sum of the embeddings of a word's
        n-grams of so many characters, where nothing else is known of a word.
    init_range: Most of a weight that is learnt from nothing, either way; where there
        are no static vectors, small ones are slow to learn.

    Raises ValueError if all widths are 0.
    """
    parts: list[Model] = []
    if vector_width:
        parts.append(static_vectors(vector_width))
    if word_width:
        word = _word_attr("LOWER", word_dropout)
        parts.append(_hashed(word, word_width, word_rows, init_range))
    if shape_width:
        shape = _word_attr("SHAPE", 0.0)
        parts.append(_hashed(shape, shape_width, shape_rows, init_range))
    if affix_width:
        parts.append(affixes(affix_width, affix_rows, affix_sizes, init_range))
    if subword_width:
        parts.append(subwords(subword_width, subword_rows, subword_sizes, init_range))
    if not parts:
        raise ValueError(
            "vector_width, word_width, shape_width, affix_width and subword_width "
            "are all 0"
        )
    return tok2vec_of_words(parts[0] if len(parts) == 1 else beside_each_other(*parts))


def _hashed(attr: Model[Words, Any], width: int, rows: int, init: float) -> Model:
    embed = HashEmbed(
        width, rows, seed=11, initializer=partial(uniform_init, lo=-init, hi=init)
    )
    return Model(
        attr.name.replace("token_attr", "hashed"),
        _forward_hashed,
        init=_init_hashed,
        layers=[attr, embed],
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
    (found,) = words.arrays(xp, _column, model.attrs["attr"])
    ids = found.view("uint64")
    if is_train and model.attrs["hide"]:
        hidden = xp.random.uniform(0.0, 1.0, ids.shape) < model.attrs["hide"]
        ids = xp.where(hidden, ids.dtype.type(0), ids)
    return ids, lambda dY: []


def _column(words: Words, attr: int) -> list[Any]:
    return [words.column(attr)]
