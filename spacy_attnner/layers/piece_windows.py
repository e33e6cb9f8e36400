"""Windows over word pieces: whole sentences where they are known, no word cut."""

from itertools import pairwise

import numpy

from .layout import Ints, Windows


def cut_piece_windows(
    counts: Ints, sentences: Ints, documents: Ints, room: int, margin: int
) -> Windows:
    """Cut documents into windows of at most `room` pieces.

    A document that fits is one window. Of a longer one each window owns a core: whole
    sentences where they fit, else whole words, in parts of about the same size; around
    it stand at most `margin` pieces of what is before and after.

    counts: Pieces of each word, (n_words,), at least 1 and at most
        `room - 2 * margin`.
    sentences, documents: Words of each, none of them empty; sentences do not cross
        documents.
    room, margin: In pieces.

    Returns windows of pieces. Raises ValueError if the margins leave no core.
    """
    check_room(room, margin)
    word_ends = numpy.cumsum(counts)
    ends = word_ends[numpy.cumsum(documents) - 1]
    starts = numpy.diff(ends, prepend=0).cumsum() - numpy.diff(ends, prepend=0)
    lengths = ends - starts
    if not len(ends) or lengths.max() <= room:
        return Windows(starts, lengths, numpy.zeros_like(lengths), lengths)
    breaks = (word_ends[numpy.cumsum(sentences) - 1], word_ends)
    rows = [
        row
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        for row in _windows_of_one(start, end, breaks, room, margin)
    ]
    first, core, core_end, last = numpy.array(rows, dtype="int64").T
    return Windows(first, last - first, core - first, core_end - first)


def check_room(room: int, margin: int) -> None:
    """Raises ValueError if two margins leave a window no core."""
    if margin < 0 or room - 2 * margin < 1:
        raise ValueError(
            f"a window of {room} word pieces leaves no core between two margins of "
            f"{margin}: set a smaller margin or a larger window"
        )


def _windows_of_one(
    start: int, end: int, breaks: tuple[Ints, Ints], room: int, margin: int
) -> list[tuple[int, int, int, int]]:
    """First piece, core and last piece of each window of a document."""
    cuts = [start]
    while cuts[-1] < end:
        cuts.append(_core_end(start, cuts[-1], end, breaks, room, margin))
    return [
        (max(start, core - margin), core, core_end, min(end, core_end + margin))
        for core, core_end in pairwise(cuts)
    ]


def _core_end(
    start: int, core: int, end: int, breaks: tuple[Ints, Ints], room: int, margin: int
) -> int:
    """Where the core that begins at `core` ends."""
    before, rest = min(margin, core - start), end - core
    if rest <= room - before:  # nothing follows that needs a margin
        return end
    most, inner = room - before - margin, room - 2 * margin
    n_more = 1 + -(-max(rest - most - (room - margin), 0) // inner)
    aim = core + min(most, rest // (n_more + 1))
    for ends in breaks:
        i, n = numpy.searchsorted(ends, (core, core + most), side="right")
        if n > i:
            return int(ends[i + numpy.abs(ends[i:n] - aim).argmin()])
    raise ValueError(f"a word has more than {most} pieces")
