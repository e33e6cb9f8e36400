"""The texts that a pipeline is to read, one after the other."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from spacy.language import Language
from spacy.tokens import Doc, DocBin

from ..errors import UserError, sound
from .triples import DocInfo

KINDS = ("txt", "jsonl", "spacy")
FOLDER = "folder"
STDIN = Path("-")
HALF = "half of a surrogate pair"
WHOLE = "Write the character itself, or both halves."
AGAIN = "Check that it is complete and yours to read, or make it again."
WAY_OUT = 'Write one object a line: {"text": "…", "id": "…", "meta": {}}'


def choose_kind(path: Path, kind: str | None = None) -> str:
    """What there is to read: a folder, or the kind that was named or that the file's
    name tells; stdin is txt if nothing else is said.

    Raises UserError if there is nothing to read, or it is of no known kind.
    """
    if path == STDIN:
        if kind == "spacy":
            raise UserError(
                "a .spacy file is not read from stdin", "Give the path of the file."
            )
        return kind or "txt"
    if not path.exists():
        raise UserError(
            f"{path} does not exist",
            "Give a .txt, .jsonl or .spacy file, a folder of .txt files, or - (stdin).",
        )
    if path.is_dir():
        if not _files(path):
            raise UserError(f"the folder {path} holds no .txt file", "Give one.")
        return FOLDER
    kind = kind or path.suffix.removeprefix(".").lower()
    if kind not in KINDS:
        raise UserError(
            f"{path} is not a .txt, .jsonl or .spacy file",
            "Rename it, or say what it is: --input-format txt, jsonl or spacy.",
        )
    return kind


def read_texts(
    path: Path, kind: str, nlp: Language, notes: list[str] | None = None
) -> Iterator[tuple[str | Doc, DocInfo]]:
    """Texts, or documents of the given tokens, with what is known of them.

    txt: A text on every line; an empty line is an empty text, so that the numbers of
        documents are those of lines.
    jsonl: An object on every line, with `text` and optionally `id`, a string or an
        integer, and `meta`, an object. Other keys and empty lines are passed over.
    spacy: The tokens of documents; their annotation is left behind.
    folder: Every .txt file below it is one text, its path from there the id.

    kind: What `choose_kind` says.
    nlp: The pipeline that will read them.
    notes: Gets what is wrong with each text that has half of a surrogate pair, in whose
        place an empty one is returned; without a list, it is an error.

    Raises UserError where something cannot be read, naming file and line.
    """
    if kind == FOLDER:
        for file in _files(path):
            name = file.relative_to(path).as_posix()
            yield _check_text(_read_file(file), str(file), nlp, notes), DocInfo(id=name)
    elif kind == "spacy":
        for doc in _read_spacy(path, nlp):
            yield doc, DocInfo()
    elif kind == "txt":
        for where, line in read_lines(path):
            yield _check_text(line, where, nlp, notes), DocInfo()
    else:
        for where, line in read_lines(path):
            if line.strip():
                text, info = _read_record(line, where)
                yield _check_text(text, where, nlp, notes), info


def _files(folder: Path) -> list[Path]:
    """In the order of their names; hidden ones belong to systems and editors."""
    return sorted(
        path
        for path in folder.rglob("*.txt")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _read_spacy(path: Path, nlp: Language) -> Iterator[Doc]:
    with sound(f"{path} cannot be read", AGAIN):
        for doc in DocBin().from_disk(path).get_docs(nlp.vocab):
            words = [token.text for token in doc]
            spaces = [bool(token.whitespace_) for token in doc]
            known = None if doc.has_unknown_spaces else spaces
            yield Doc(nlp.vocab, words=words, spaces=known)


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """The name of every line, `FILE:NUMBER`, and the line without its end.

    Raises UserError if the file cannot be read or a line is not UTF-8.
    """
    if path == STDIN:
        if sys.stdin is None:
            raise UserError("stdin is closed", "Pipe texts into it, or name a file.")
        yield from _decode_lines(sys.stdin.buffer, "stdin")
        return
    with sound(f"{path} cannot be read", AGAIN):
        file = path.open("rb")
    with file:
        yield from _decode_lines(file, str(path))


def _decode_lines(file: BinaryIO, name: str) -> Iterator[tuple[str, str]]:
    for number, raw in enumerate(file, 1):
        line = _decode(raw, name, number)
        if number == 1:
            line = line.removeprefix("\ufeff")
        yield f"{name}:{number}", line.rstrip("\r\n")


def _read_file(path: Path) -> str:
    """The text of a file, its line ends as they are.

    Raises UserError if it cannot be read or is not UTF-8.
    """
    with sound(f"{path} cannot be read", AGAIN):
        raw = path.read_bytes()
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
        bad = raw[error.start : error.end]
        raise UserError(
            f"{name}:{number}: {bad!r} is not UTF-8", "Save the file as UTF-8."
        ) from error


def _check_text(
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


def _read_record(line: str, where: str) -> tuple[str, DocInfo]:
    """The text of an object, its `id` and its `meta`, if it has them.

    where: The name of the line, for messages.

    Raises UserError if a value is missing or of another type.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{where}: invalid JSON, {error}: {line[:40]!r}", WAY_OUT
        ) from error
    if not isinstance(record, dict):
        raise UserError(f"{where}: {line[:40]!r} is not an object", WAY_OUT)
    text = record.get("text")
    if not isinstance(text, str):
        found = json.dumps(text)[:40] if "text" in record else "missing"
        keys = ", ".join(map(repr, record)) or "none"
        raise UserError(
            f"{where}: text is {found}, not a string; the keys are {keys}", WAY_OUT
        )
    return text, DocInfo(_read_id(record, where), _read_meta(record, where))


def _read_id(record: dict[str, Any], where: str) -> str | int | None:
    value = record.get("id")
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise UserError(
            f"{where}: id is {json.dumps(value)[:40]}",
            "Write a string or an integer, or leave it out.",
        )
    return value


def _read_meta(record: dict[str, Any], where: str) -> dict[str, Any] | None:
    meta = record.get("meta")
    if meta is not None and not isinstance(meta, dict):
        raise UserError(
            f"{where}: meta is {json.dumps(meta)[:40]}",
            "Write an object, or leave it out.",
        )
    try:
        json.dumps(meta, allow_nan=False)  # 1e999 is read as infinity
    except ValueError as error:
        raise UserError(
            f"{where}: meta holds a number that is not finite: {str(meta)[:40]}",
            "Write null or a string in its place.",
        ) from error
    return meta
