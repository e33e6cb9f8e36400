"""fastText: categories before their text, `__label__news __label__sport Ada won`.

Those behind it or in it are read as well.

https://fasttext.cc/docs/en/supervised-tutorial.html
"""

import re
from collections.abc import Iterator

from .reading import Source
from .recognition import Format, first_line
from .record import Record

PREFIX = "__label__"
LABEL = re.compile(rf"(?<![^ \t]){PREFIX}([^ \t]*)[ \t]*")


def read_fasttext(source: Source) -> Iterator[Record]:
    """Read a text and its categories a line; the texts are tokenized."""
    return source.records(filter(str.strip, source.lines()), _parse)


def _parse(line: str) -> Iterator[Record]:
    labels = LABEL.findall(line)
    text = LABEL.sub("", line).strip()
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
