"""Reading a text file line by line so that every complaint can name its line."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def read_json_lines(path: str | Path) -> Iterator[tuple[int, Any]]:
    """Yield (number, value) for each line of JSON; blank lines are passed over.

    Raises CorpusError if a line is no JSON, or gives a key of an object twice.
    """
    for number, line in read_lines(path):
        if not line.strip():
            continue
        try:
            value = json.loads(line, object_pairs_hook=_make_object)
        except (ValueError, RecursionError) as error:
            message = f"invalid JSON, {error}: {line[:40]!r}; write one object a line"
            raise CorpusError(path, number, message) from error
        yield number, value


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice!r} is given twice")
    return made


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
