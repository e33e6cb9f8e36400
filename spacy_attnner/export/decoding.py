"""Texts as they are read from files, and what is wrong with them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from spacy.language import Language

from ..errors import UserError

STDIN = Path("-")
HALF = "half of a surrogate pair"
WHOLE = "Write the character itself, or both halves."
AGAIN = "Check that it is complete and yours to read, or make it again."


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """The name of every line, `FILE:NUMBER`, and the line without its end.

    Raises UserError if the file cannot be read or a line is not UTF-8.
    """
    if path == STDIN:
        if sys.stdin is None:
            raise UserError("stdin is closed", "Pipe texts into it, or name a file.")
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
        line = _decode(raw, name, number)
        if number == 1:
            line = line.removeprefix("\ufeff")
        yield f"{name}:{number}", line.rstrip("\r\n")


def read_file(path: Path) -> str:
    """The text of a file, its line ends as they are.

    Raises UserError if it cannot be read or is not UTF-8.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    return _decode(raw, str(path), 1).removeprefix("\ufeff")


def _decode(raw: bytes, name: str, number: int) -> str:
    """The text that begins on a line of a file.

    Halves of surrogate pairs, which are no UTF-8, stay in it: single texts have them,
    while another encoding is that of the whole file.
    """
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        number += raw.count(b"\n", 0, error.start)
        raise _not_utf8(f"{name}:{number}", error) from error


def check_text(
    text: str, where: str, nlp: Language, notes: list[str] | None = None
) -> str:
    """The text, if the pipeline takes it.

    notes: Gets what is wrong with a text that has half of a surrogate pair, in whose
        place an empty one is returned.

    Raises UserError if the pipeline does not take it, or there is no place for notes.
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
        problem = f"{where}: text holds {text[error.start]!r}, {HALF}"
        if notes is None:
            raise UserError(problem, WHOLE) from error
        notes.append(problem)
        return ""
    return text


def unreadable(path: Path, error: Exception) -> UserError:
    """What to say of a file that cannot be read."""
    return UserError(f"{path} cannot be read: {error}", AGAIN)


def _not_utf8(where: str, error: UnicodeDecodeError) -> UserError:
    bad = error.object[error.start : error.end]
    return UserError(f"{where}: {bad!r} is not UTF-8", "Save the file as UTF-8.")
