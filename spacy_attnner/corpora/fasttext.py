"""fastText: categories before their text, `__label__news __label__sport Ada won`.

https://fasttext.cc/docs/en/supervised-tutorial.html
"""

from collections.abc import Iterator

from .reading import Source
from .recognition import Format, first_line
from .record import Record

PREFIX = "__label__"


def read_fasttext(source: Source) -> Iterator[Record]:
    """Read a text and its categories a line; the texts are tokenized."""
    return source.records(filter(str.strip, source.lines()), _parse)


def _parse(line: str) -> Iterator[Record]:
    labels: list[str] = []
    text = line.strip()
    while text.startswith(PREFIX):
        label, _, text = text.partition(" ")
        labels.append(label.removeprefix(PREFIX))
        text = text.lstrip()
    if not all(labels) or not labels:
        raise ValueError(f"no label before {line[:40]!r}; write `{PREFIX}NAME text`")
    if not text:
        raise ValueError(f"no text after {line[:40]!r}; write `{PREFIX}NAME text`")
    yield Record(text, cats=dict.fromkeys(labels, 1.0))


FASTTEXT = Format(
    "fasttext",
    read_fasttext,
    first_line(rf"{PREFIX}\S"),
    categories=lambda options: None,
)
