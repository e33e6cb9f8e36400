"""Words as the sums of their hashed pieces, and their hashed beginnings and ends."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy
from thinc.api import HashEmbed, Model, uniform_init
from thinc.types import Floats2d

from ..layers.characters import code_points
from .batch import Words

START, END = "\x02", "\x03"  # stand for a word's two ends in its pieces
LONGEST = 32  # characters, ends included; of longer words the two halves' ends
STEP = numpy.uint64(0x100000001B3)  # FNV's prime
SPREAD = numpy.uint64(0xFF51AFD7ED558CCD)  # MurmurHash3's finalizer, as the shifts are
SHIFT = numpy.uint64(33)


def subwords(width: int, rows: int, sizes: Sequence[int], init: float) -> Model:
    """Sum of the embeddings of a word's n-grams, over the root of their number.

    A word has START and END around it, so that its beginnings and ends are told from
    the same letters inside. Source: Bojanowski et al. (2017), "Enriching Word Vectors
    with Subword Information"; here n-grams alone, without the word.

    width, rows: Of the table, whose rows n-grams share by their hashes.
    sizes: Characters of an n-gram.
    init: Most of a new weight, either way.

    Returns shape (n_words, width); a word without n-grams gives zeros.
    Raises ValueError for sizes below 1 or none.
    """
    if not sizes or min(sizes) < 1:
        raise ValueError(f"subword_sizes {list(sizes)} are not all 1 or more")
    return Model(
        "subwords",
        partial(_forward, sizes=tuple(sizes)),
        init=partial(_init, init=init),
        params={"E": None},
        dims={"nO": width, "nV": rows},
    )


def _init(model: Model, X: Any = None, Y: Any = None, *, init: float) -> None:
    shape = model.get_dim("nV"), model.get_dim("nO")
    model.set_param("E", uniform_init(model.ops, shape, lo=-init, hi=init))


def _forward(
    model: Model[Words, Floats2d],
    words: Words,
    is_train: bool,
    *,
    sizes: tuple[int, ...],
) -> tuple[Floats2d, Callable]:
    ops: Any = model.ops
    E: Any = model.get_param("E")
    distinct, own = words.distinct()
    rows, counts = distinct.arrays(ops.xp, _rows, len(E), sizes)
    lengths = counts.astype("int32")
    scales = ops.asarray2f(1.0 / ops.xp.sqrt(ops.xp.maximum(counts, 1))[:, None])
    Y = ops.reduce_sum(E[rows], lengths) * scales  # (n_distinct, width)

    def backprop(dY: Floats2d) -> list:
        d_rows = ops.backprop_reduce_sum(_gathered(ops, dY, own, Y) * scales, lengths)
        dE = ops.alloc2f(*E.shape)
        ops.scatter_add(dE, rows, d_rows)
        model.inc_grad("E", dE)
        return []

    return _spread(ops, Y, own), backprop


def affixes(width: int, rows: int, sizes: Sequence[int], init: float) -> Model:
    """Embeddings of a word's beginnings and ends, side by side, in one hashed table.

    As the PREFIX and SUFFIX of spaCy's `MultiHashEmbed`, of more than one length.

    width, rows: Of the table; the width is that of each of them.
    sizes: Characters of each; of ends negative.
    init: Most of a new weight, either way.

    Returns shape (n_words, number of sizes * width).
    Raises ValueError for a size of 0 or none.
    """
    if not sizes or 0 in sizes:
        raise ValueError(f"affix_sizes {list(sizes)} are none, or one of them is 0")
    initializer = partial(uniform_init, lo=-init, hi=init)
    embed = HashEmbed(width, rows, seed=13, initializer=initializer)
    return Model(
        "affixes",
        partial(_forward_affixes, sizes=tuple(sizes)),
        init=_init_affixes,
        layers=[embed],
        dims={"nO": len(sizes) * width},
    )


def _init_affixes(model: Model, X: Any = None, Y: Any = None) -> None:
    model.layers[0].initialize()


def _forward_affixes(
    model: Model[Words, Floats2d],
    words: Words,
    is_train: bool,
    *,
    sizes: tuple[int, ...],
) -> tuple[Floats2d, Callable]:
    ops: Any = model.ops
    distinct, own = words.distinct()
    (ids,) = distinct.arrays(ops.xp, _ends, sizes)
    rows, bp_embed = model.layers[0](ids.view("uint64"), is_train)
    Y = rows.reshape(len(distinct), model.get_dim("nO"))

    def backprop(dY: Floats2d) -> list:
        bp_embed(_gathered(ops, dY, own, Y).reshape(rows.shape))
        return []

    return _spread(ops, Y, own), backprop


def _rows(words: Words, n_rows: int, sizes: tuple[int, ...]) -> list[numpy.ndarray]:
    """Rows of a table for all n-grams of words, and how many each word has."""
    hashes, counts = ngrams(words.strings(), sizes)
    return [(hashes % numpy.uint64(n_rows)).astype("int32"), counts]


def _ends(words: Words, sizes: tuple[int, ...]) -> list[numpy.ndarray]:
    return [beginnings_and_ends(words.strings(), sizes).ravel()]


def _spread(ops: Any, Y: Any, own: numpy.ndarray | None) -> Any:
    """From distinct words to all, (n_words, width)."""
    return Y if own is None else Y[ops.xp.asarray(own)]


def _gathered(ops: Any, dY: Any, own: numpy.ndarray | None, Y: Any) -> Any:
    """From all words to distinct ones, sums of the gradients, of the shape of Y."""
    if own is None:
        return dY
    found = ops.alloc2f(*Y.shape)
    ops.scatter_add(found, ops.asarray1i(own.astype("int32")), dY)
    return found


def ngrams(
    words: Sequence[str], sizes: Sequence[int]
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Hashes of the n-grams of each word, one word after the other, and how many.

    Returns uint64, shape (n_ngrams,), and int64, shape (n_words,).
    """
    codes, lengths = code_points([f"{START}{word}{END}" for word in words], LONGEST)
    n_words, longest = codes.shape
    hashes = [numpy.zeros((n_words, 0), dtype="uint64")]
    inside = [numpy.zeros((n_words, 0), dtype=bool)]
    for size in sizes:
        n = max(0, longest - size + 1)
        pieces = [codes[:, k : k + n] for k in range(size)]
        hashes.append(_hashed(pieces, size))
        inside.append(numpy.arange(n) <= (lengths - size)[:, None])
    kept = numpy.concatenate(inside, axis=1)
    return numpy.concatenate(hashes, axis=1)[kept], kept.sum(axis=1)


def beginnings_and_ends(words: Sequence[str], sizes: Sequence[int]) -> numpy.ndarray:
    """Hashes of the first or, of negative sizes, last characters of each word.

    A shorter word is all of its beginning, and of its end.

    Returns uint64, shape (n_words, n_sizes).
    """
    codes, lengths = code_points(words, LONGEST)
    longest = max(map(abs, sizes))
    inside = numpy.arange(codes.shape[1]) < lengths[:, None]
    around = numpy.pad(codes + inside, ((0, 0), (longest, longest)))  # 0 is none
    every = numpy.arange(len(words))
    columns = []
    for size in sizes:
        first = longest + (0 if size > 0 else lengths + size)
        pieces = [around[every, first + k] for k in range(abs(size))]
        columns.append(_hashed(pieces, size))
    return numpy.stack(columns, axis=1)


def _hashed(pieces: Sequence[numpy.ndarray], seed: int) -> numpy.ndarray:
    """One hash of code points that stand side by side, uint64, of their shape."""
    found = numpy.full(pieces[0].shape, seed, dtype="int64").astype("uint64")
    for piece in pieces:
        found = found * STEP + piece.astype("uint64")  # modulo 2 ** 64
    found = (found ^ (found >> SHIFT)) * SPREAD
    return found ^ (found >> SHIFT)
