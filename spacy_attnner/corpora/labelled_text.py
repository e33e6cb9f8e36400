"""Text with a category, `label text` on a line: TREC's questions and SST-2."""

import re
from collections.abc import Iterator

from .reading import Source, split_columns
from .recognition import Format, Glimpse, first_line
from .record import Record

TREC_ENCODING = "iso-8859-1"
# not SemEval's, which are in quotes, with tags
SENTENCE = re.compile(r"[01][ \t]+(?!\".*</e[12]>)[^ \t]")
SST2_LABELS = {"0": "NEGATIVE", "1": "POSITIVE"}


def read_trec(source: Source) -> Iterator[Record]:
    """Read a TREC file, `COARSE:fine text` in ISO-8859-1, one question a line.

    With `options.fine` the label is "DESC:manner" instead of the coarse "DESC".
    """

    def parse(line: str) -> Iterator[Record]:
        for label, words in _read_labelled(line):
            coarse, _, detail = label.partition(":")
            if not coarse[:1].isalpha() or not detail:  # nor JSON's `{"id":1`
                raise ValueError(
                    f"label {label!r} has no two levels; write `COARSE:fine`"
                )
            name = label if source.options.fine else coarse
            yield Record(words=words, cats={name: 1.0})

    return source.records(source.lines(TREC_ENCODING), parse)


def read_sst2(source: Source) -> Iterator[Record]:
    """Read an SST-2 file, `0 text` for a negative sentence, `1 text` for a positive."""
    return source.records(source.lines(), _parse_sentence)


def _parse_sentence(line: str) -> Iterator[Record]:
    for digit, words in _read_labelled(line):
        if digit not in SST2_LABELS:
            raise ValueError(f"label {digit!r}; write 0 (negative) or 1 (positive)")
        yield Record(words=words, cats={SST2_LABELS[digit]: 1.0})


def _read_labelled(line: str) -> Iterator[tuple[str, list[str]]]:
    """The label and the words of a line, nothing of a blank one."""
    label, *words = split_columns(line) or [""]
    if label and not words:
        raise ValueError(f"no text after {line!r}; write `label text`")
    if label:
        yield label, words


def _are_sentences(glimpse: Glimpse) -> bool:
    """Whether the first line is one of SST-2, and most others; not numbered tokens."""
    fitting = [bool(SENTENCE.match(line)) for line in glimpse.lines]
    return fitting[0] and sum(fitting) * 2 > len(fitting)


TREC = Format(
    "trec",
    read_trec,
    first_line(r"[A-Z]+:[^ \t]+[ \t]+[^ \t]"),
    options=("fine",),
    categories=lambda options: None,
)
SST2 = Format(
    "sst2",
    read_sst2,
    _are_sentences,
    categories=lambda options: SST2_LABELS.values(),
)
