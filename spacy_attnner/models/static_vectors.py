"""Frozen word vectors with a learned projection that knows its table."""

import heapq
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

import numpy
from spacy.attrs import LOWER, ORTH
from spacy.vectors import Vectors
from thinc.api import Model, Ops, glorot_uniform_init
from thinc.types import Floats2d
from thinc.util import get_array_module, to_numpy

from .batch import Words
from .bridge import no_backprop
from .products import linear

N_PROBES = 16  # words whose vectors tell one table from another
PROBES = ("the", "of", "ferry", "London", "1987", "Ann")  # of tables without keys
PROBED = 4  # values that are remembered of each
ATTRS = {ORTH: "ORTH", LOWER: "LOWER"}


def static_vectors(width: int) -> Model[Words, Floats2d]:
    """Look up each word in the vocab's vectors and project to `width`.

    As spaCy's `StaticVectors`, but without a dropout of its own (the encoder's locked
    dropout would double it), and it knows the table that it was trained with: width,
    what it is looked up by, and some of its vectors. A vocab's table is compared with
    them once; a table that has grown, as spaCy's own grows where tokens are merged, or
    that has another name, is the same.

    Returns shape (n_words, width); words without a vector give zeros.
    Raises ValueError where the vocab has no vectors, or another table than in training.
    """
    return Model(
        "static_vectors",
        partial(_forward, checked=_Checked()),
        init=partial(_init, glorot_uniform_init),
        params={"W": None},
        dims={"nO": width, "nM": None},
        attrs={"vectors": {}},
    )


class _Checked:
    """Which table of vectors was found to be the right one, in this process."""

    table: int | None = None

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return _Checked, ()


def describe_table(vectors: Vectors) -> dict[str, Any]:
    """What tells a table from others, in plain types: name, shape, `attr`, probes.

    A probe is a key, or a word where the table has no keys, and the beginning of its
    vector.
    """
    rows, width = vectors.shape
    if vectors.mode == "floret":
        keys: list[Any] = list(PROBES)
    else:
        keys = heapq.nsmallest(N_PROBES, vectors.key2row)
    return {
        "name": vectors.name or "unnamed",
        "rows": rows,
        "width": width,
        "attr": ATTRS.get(vectors.attr, str(vectors.attr)),
        "probes": [[key, values] for key, values in _probe(vectors, keys)],
    }


def _probe(vectors: Vectors, keys: list[Any]) -> Iterator[tuple[Any, list[float]]]:
    """The first values of the vectors of keys; of unknown ones there are none."""
    for key in keys:
        if vectors.mode == "floret" or key in vectors:
            vector = to_numpy(vectors[key])[:PROBED]
            yield key, [round(float(value), 4) for value in vector]


def _init(init_W: Callable, model: Model, X: Any = None, Y: Any = None) -> None:
    if X is None:
        raise ValueError("static vectors cannot be initialized without a document")
    vectors = X.vocab.vectors
    width = vectors.shape[1]
    if not width:
        raise ValueError(
            "the model uses static vectors and the vocab has none: set "
            "initialize.vectors (--paths.vectors) to a pipeline with vectors, or set "
            "the embedding's vector_width to 0"
        )
    model.set_dim("nM", width, force=True)
    model.attrs["vectors"] = describe_table(vectors)
    model.set_param("W", init_W(model.ops, (model.get_dim("nO"), width)))


def _check(model: Model, vectors: Vectors, checked: _Checked) -> None:
    """Raises ValueError for another table than that of the training.

    Of a table that was checked before only the width is looked at.
    """
    known = model.attrs["vectors"]  # a name alone where it was stored long ago
    width = vectors.shape[1]
    if width == model.get_dim("nM") and checked.table == id(vectors):
        return
    if width != model.get_dim("nM") or not _is_same(vectors, known):
        here = describe_table(vectors) if width else None
        raise ValueError(
            f"the model was trained with the vectors {_named(known)}, the vocab has "
            f"{_named(here) if here else 'none'}: load it with the vectors that it was "
            "trained with, or train it again on these"
        )
    checked.table = id(vectors)


def _is_same(vectors: Vectors, known: dict[str, Any] | str) -> bool:
    """Whether a table is looked up as the known one, has all probes and most vectors.

    Words are only ever added to a table, and some of them may be given other vectors.
    """
    if isinstance(known, str):
        return True
    attr = ATTRS.get(vectors.attr, str(vectors.attr))
    # a table of spaCy's own forgets that it is looked up by lower case
    if attr != known["attr"] and (known["attr"], attr) != ("LOWER", "ORTH"):
        return False
    expected = dict(map(tuple, known["probes"]))
    found = dict(_probe(vectors, list(expected)))
    if len(found) < len(expected):
        return False
    same = sum(
        numpy.allclose(found[key], values, rtol=0.01, atol=0.001)
        for key, values in expected.items()
    )
    return 2 * same >= len(expected)


def _named(table: dict[str, Any] | str) -> str:
    if isinstance(table, str):
        return table
    return "{name} ({rows} x {width}, by {attr})".format_map(table)


def _lookup(ops: Ops, words: Words) -> Floats2d:
    """Vectors of words, zeros for unknown ones, (n_words, table width)."""
    vectors = words.vocab.vectors
    if getattr(vectors, "mode", "default") == "floret":
        return ops.asarray2f(vectors.get_batch(_keys(words)))
    # the table may be on the GPU and the model not, or the other way round
    xp: Any = get_array_module(vectors.data)
    (rows,) = words.arrays(xp, _rows)
    V = vectors.data[rows]
    if xp is not numpy or (rows < 0).any():  # row -1 is the last word's
        V = xp.where((rows >= 0)[:, None], V, V.dtype.type(0))
    return ops.asarray2f(V)


def _keys(words: Words) -> numpy.ndarray:
    return words.column(getattr(words.vocab.vectors, "attr", ORTH))


def _rows(words: Words) -> list[numpy.ndarray]:
    """Rows of words in their table of vectors, -1 for unknown ones, (n_words,)."""
    if not len(words):
        return [numpy.zeros(0, dtype="int64")]
    # spaCy 3.8 forgets a table's attr when it saves it, so a lower-case table comes
    # back as one of ORTH: what is not found as it stands is tried lower-case
    vectors = words.vocab.vectors
    rows = find_rows(vectors, _keys(words))
    unknown = numpy.flatnonzero(rows < 0)
    if len(unknown):
        rows[unknown] = find_rows(vectors, words.column(LOWER)[unknown])
    return [rows]


def find_rows(vectors: Vectors, keys: numpy.ndarray) -> numpy.ndarray:
    """Rows of keys, -1 for unknown ones, (n,); `vectors.find` would ask a GPU."""
    find = vectors.key2row.get
    return numpy.array([find(key, -1) for key in keys.tolist()], dtype="int64")


def _forward(
    model: Model[Words, Floats2d], words: Words, is_train: bool, *, checked: _Checked
) -> tuple[Floats2d, Callable]:
    ops: Any = model.ops
    if not len(words):
        return ops.alloc2f(0, model.get_dim("nO")), lambda dY: []
    _check(model, words.vocab.vectors, checked)
    W = cast(Floats2d, model.get_param("W"))
    distinct, own = words.distinct()
    V: Any = _lookup(ops, distinct)
    if own is not None:
        V = ops.as_contig(V[ops.xp.asarray(own)])
    if not is_train:
        return linear(ops, V, W), no_backprop
    Y = ops.gemm(V, W, trans2=True)

    def backprop(dY: Floats2d) -> list:
        model.inc_grad("W", ops.gemm(dY, V, trans1=True))
        return []

    return Y, backprop
