"""Reading a text file line by line so that every complaint can name its line."""

import re
from collections.abc import Iterator
from pathlib import Path

from .errors import CorpusError

# str.split() would also split on no-break spaces, which stand inside words
COLUMN = re.compile(r"[^ \t]+")


def read_lines(path: str | Path, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """Yield (number from 1, text without its end) for each line of a file.

    Raises CorpusError if there is no such file or a line cannot be decoded.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a directory, not a file" if path.is_dir() else "no such file"
        raise CorpusError(path, None, f"{what}; give the path of a corpus file")
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            yield number, _decode(raw, encoding, path, number)


def _decode(raw: bytes, encoding: str, path: Path, number: int) -> str:
    try:
        line = raw.decode(encoding)
    except UnicodeDecodeError as error:
        bad = raw[error.start : error.end]
        raise CorpusError(
            path, number, f"{bad!r} is not {encoding}; save the file as {encoding}"
        ) from error
    if number == 1:
        line = line.removeprefix("\ufeff")
    return line.rstrip("\r\n")


def split_columns(line: str) -> list[str]:
    """The columns of a line, separated by spaces or tabs."""
    return COLUMN.findall(line)


def read_labelled_lines(
    path: str | Path, encoding: str
) -> Iterator[tuple[int, str, list[str]]]:
    """Yield (number, label, words) of lines in the form `label word word …`.

    Blank lines are passed over.

    Raises CorpusError if a line has a label and no words.
    """
    for number, line in read_lines(path, encoding):
        columns = split_columns(line)
        if len(columns) == 1:
            raise CorpusError(
                path, number, f"no text after {line!r}; write `label text`"
            )
        if columns:
            yield number, columns[0], columns[1:]
