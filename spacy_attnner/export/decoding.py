"""Texts as they are read from files, and what is wrong with them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from spacy.language import Language

from ..errors import UserError

STDIN = Path("-")


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """The name of every line, `FILE:NUMBER`, and the line without its end.

    Raises UserError if the file cannot be read or a line is not UTF-8.
    """
    if path == STDIN:
        yield from _decode_lines(sys.stdin.buffer, "stdin")
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error
    with file:
        yield from _decode_lines(file, str(path))


def _decode_lines(file: BinaryIO, name: str) -> Iterator[tuple[str, str]]:
    for number, raw in enumerate(file, 1):
        where = f"{name}:{number}"
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _not_utf8(where, error) from error
        if number == 1:
            line = line.removeprefix("\ufeff")
        yield where, line.rstrip("\r\n")


def read_file(path: Path) -> str:
    """The text of a file, its line ends as they are.

    Raises UserError if it cannot be read or is not UTF-8.
    """
    try:
        raw = path.read_bytes()
        return raw.decode("utf-8").removeprefix("\ufeff")
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _not_utf8(f"{path}:{line}", error) from error


def check_text(text: str, where: str, nlp: Language) -> str:
    """The text, if the pipeline takes it.

    Raises UserError if it does not.
    """
    if len(text) > nlp.max_length:
        raise UserError(
            f"{where}: the text has {len(text):,} characters; the pipeline takes "
            f"{nlp.max_length:,}",
            "Split it into several texts.",
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(
            f"{where}: text holds {text[error.start]!r}, half of a surrogate pair",
            "Write the character itself, or both halves.",
        ) from error
    return text


def unreadable(path: Path, error: Exception) -> UserError:
    """What to say of a file that cannot be read."""
    return UserError(
        f"{path} cannot be read: {error}",
        "Check that it is complete and yours to read, or make it again.",
    )


def _not_utf8(where: str, error: UnicodeDecodeError) -> UserError:
    bad = error.object[error.start : error.end]
    return UserError(f"{where}: {bad!r} is not UTF-8", "Save the file as UTF-8.")
