"""Whether documents fit what reads them: an encoder's window, a table of vectors."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray
from spacy.strings import get_string_id
from spacy.vectors import Vectors

from ..errors import UserError
from ..loading import load_pipeline
from ..models.static_vectors import find_rows
from .finding import HURTS, MOST_ROWS, NOTE, Finding, counted, some
from .gathering import Gathered
from .twin_checks import sentence_bounds

MANY_UNKNOWN = 0.05  # share of the words
BEYOND = (
    "TransformerEncoder.v1 and the like read such a text in several windows: nothing "
    "is lost, but what is far apart is not seen together. Set a larger window if the "
    "encoder has one, or cut the text where its subject changes."
)
CUT = (
    "Such a sentence is cut where no sentence ends, and its entities and relations may "
    "be, too: look whether it is one sentence, or a table."
)
UNKNOWN = (
    "Words without a vector look alike to a model of vectors alone: take vectors of "
    "the same language and subject, or have the config learn characters and words "
    "beside them, as all do that init-config writes."
)


@dataclass(frozen=True)
class Window:
    """What an encoder sees at once.

    unit: "words" or "word pieces". size: How many.
    lengths: Units of each word, (n_strings,).
    """

    unit: str
    size: int
    lengths: NDArray


def make_window(gathered: Gathered, encoder: str, size: int | None) -> Window | None:
    """The window of an encoder, or of so many words without one; None for no window.

    Raises UserError for an encoder that cannot be read.
    """
    if not encoder:
        ones = numpy.ones(len(gathered.strings), dtype="int64")
        return None if size is None else Window("words", size, ones)
    from ..models.pretrained import load_pieces

    try:
        pieces, most = load_pieces(encoder)
    except (ValueError, ImportError) as error:
        raise UserError(
            str(error), "--encoder takes a transformer's folder or its name on the hub."
        ) from error
    special = len(pieces.prefix) + len(pieces.suffix)
    return Window(
        "word pieces", (size or most) - special, pieces.count(gathered.strings)
    )


def check_window(gathered: Gathered, window: Window) -> Iterator[Finding]:
    """Documents and sentences that are longer than a window."""
    sums = numpy.append(0, window.lengths[gathered.flat].cumsum())
    documents = numpy.arange(len(gathered)), gathered.starts, gathered.ends
    for what, level, way_out, (docs, starts, ends) in (
        ("document", NOTE, BEYOND, documents),
        ("sentence", HURTS, CUT, sentence_bounds(gathered)),
    ):
        lengths = sums[ends] - sums[starts]
        long = numpy.flatnonzero(lengths > window.size)
        if len(long):
            longest = long[numpy.argsort(-lengths[long], kind="stable")].tolist()
            says = (
                f"{len(long):,} of {counted(len(lengths), what)} longer than the "
                f"window of {window.size:,} {window.unit}; the longest has "
                f"{int(lengths[longest[0]]):,}"
            )
            spots = some(
                gathered.spot(int(docs[i]), int(starts[i]), int(ends[i]))
                for i in longest
            )
            yield Finding(
                f"{what}s beyond the window", level, says, len(long), way_out, spots
            )


@dataclass(frozen=True)
class Coverage:
    """Words that a table of vectors knows.

    shares: Of the words of each split that have no vector.
    unknown: The most frequent ones, with how often they come.
    n: How many there are in all, and different ones.
    """

    shares: dict[str, float]
    unknown: list[tuple[str, int]]
    n: int
    n_distinct: int


def cover(gathered: Gathered, vectors: str) -> Coverage:
    """Look up all words in a pipeline's vectors, as models of this package do.

    Raises UserError for a pipeline without vectors.
    """
    table = load_pipeline(vectors).vocab.vectors
    if not all(table.shape):
        raise UserError(
            f"the pipeline {vectors!r} has no static vectors",
            "Make some with python -m spacy attn vectors, or leave out --vectors.",
        )
    absent = ~_known(table, gathered.strings)
    unknown = absent[gathered.flat]
    shares = {}
    for name in gathered.splits:
        docs = gathered.in_split(name)
        own = unknown[gathered.starts[docs[0]] : gathered.ends[docs[-1]]]
        shares[name] = float(own.mean()) if len(own) else 0.0
    counts = Counter(gathered.flat[unknown].tolist())
    most = [(gathered.strings[i], n) for i, n in counts.most_common(MOST_ROWS)]
    return Coverage(shares, most, counts.total(), len(counts))


def _known(table: Vectors, strings: list[str]) -> NDArray:
    """Which words have a vector, bool, (n_strings,)."""
    if table.mode == "floret":
        return numpy.ones(len(strings), dtype=bool)
    rows = [
        find_rows(
            table, numpy.array([get_string_id(s) for s in spelled], dtype="uint64")
        )
        for spelled in (strings, [s.lower() for s in strings])
    ]
    return numpy.maximum(*rows) >= 0


def check_vectors(gathered: Gathered, coverage: Coverage) -> Iterator[Finding]:
    """Whether too many words have no vector."""
    worst = max(coverage.shares.values())
    if worst <= MANY_UNKNOWN:
        return
    shares = ", ".join(
        f"{share:.1%} of {name}" for name, share in coverage.shares.items()
    )
    says = (
        f"{coverage.n:,} words ({coverage.n_distinct:,} different ones) have no "
        f"vector: {shares}"
    )
    rows = [(word, f"{n:,}") for word, n in coverage.unknown]
    spots = []
    for word, _ in coverage.unknown[:3]:
        number = gathered.strings.index(word)
        place = int(numpy.flatnonzero(gathered.flat == number)[0])
        doc = int(numpy.searchsorted(gathered.ends, place, side="right"))
        spots.append(gathered.spot_around(doc, place, place + 1))
    yield Finding(
        "unknown words", HURTS, says, coverage.n, UNKNOWN, spots, ("word", "n"), rows
    )
