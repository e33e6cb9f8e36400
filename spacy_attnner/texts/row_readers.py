"""Rows of text out of one file of each kind, from any row on.

What is wrong with a single row stands in it, as `problem`, and the next one is read.
What is wrong with a file from some place on is raised.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, BinaryIO, NamedTuple, cast

from ..errors import UserError

BOM = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # the byte order marks of other files
LONGEST_CELL = 2**28  # characters; Python's csv stops at 131,072 otherwise
NOT_UTF8 = "is not UTF-8: save the file as UTF-8"
META = "meta"
DEFAULT_ID = "id"  # need not be there
DEEPEST = 100  # JSON; deeper ones do not go through pickle
HALF = "half of a surrogate pair"


class Row(NamedTuple):
    """One row of an input.

    place: FILE:LINE, or FILE:ROW of a file without lines, both from 1.
    id: As it was given; the place if none was.
    text: What to read; of given tokens, too.
    meta: All else that the row holds.
    words: The tokens, if they are given, and whether a space follows each.
    problem: Why the row cannot be read, if so.
    named: Whether the id was given, or is a file's name.
    """

    place: str
    id: str | int
    text: str = ""
    meta: dict[str, Any] | None = None
    words: tuple[list[str], list[bool] | None] | None = None
    problem: str = ""
    named: bool = False


@dataclass(frozen=True)
class Columns:
    """The keys, or columns, of the text and of the id; with `meta`, others are read."""

    text: str = "text"
    id: str = DEFAULT_ID
    meta: bool = True

    def needed(self) -> dict[str, str]:
        """What has to be there: the text, and ids whose name was given."""
        found = {"text": self.text, "id": self.id}
        return found if self.id != DEFAULT_ID else {"text": self.text}


def read_lines_as_rows(
    file: BinaryIO, name: str, skip: int, columns: Columns
) -> Iterator[Row]:
    """A text on every line; an empty line is an empty text."""
    check_encoding(file, name)
    for number, raw in _lines(file, skip):
        place = f"{name}:{number}"
        yield _text_row(place, place, raw.rstrip(b"\r\n"))


def read_whole_text(
    file: BinaryIO, name: str, skip: int, columns: Columns
) -> Iterator[Row]:
    """One text, whose id is its file's name."""
    if not skip:
        row = _text_row(name, name, file.read().removeprefix(BOM))
        yield row._replace(named=True)


def read_json_rows(
    file: BinaryIO, name: str, skip: int, columns: Columns
) -> Iterator[Row]:
    """An object on every line; lines of whitespace are no rows."""
    check_encoding(file, name)
    filled = ((n, raw) for n, raw in _lines(file) if raw.strip())
    for number, raw in islice(filled, skip, None):
        yield _json_row(f"{name}:{number}", raw, columns)


def read_csv_rows(
    file: BinaryIO, name: str, skip: int, columns: Columns
) -> Iterator[Row]:
    """A row of cells, with the names of the columns on the first line."""
    check_encoding(file, name)
    csv.field_size_limit(LONGEST_CELL)
    text = io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="")
    first = text.readline()
    if not first:  # an empty file, as an exporter leaves it that had no rows
        return
    comma = _separator(first, columns)
    cells = csv.reader(chain([first], text), delimiter=comma, strict=True)
    header = next(cells)
    if problem := _undecoded(header):
        way_out = "For example: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW"
        raise UserError(f"the first line of {name}: {problem}", way_out)
    check_columns(header, columns, name)
    while (row := _next_cells(cells, name)) is not None:
        place, values = row
        if skip:
            skip -= 1
        elif isinstance(values, str):
            yield Row(place, place, problem=values)
        else:
            yield _csv_row(place, header, values, columns)


def read_token_rows(
    file: BinaryIO, name: str, skip: int, columns: Columns
) -> Iterator[Row]:
    """The tokens of documents; their annotation is left behind."""
    from spacy.tokens import DocBin
    from spacy.vocab import Vocab

    docs = DocBin(store_user_data=True).from_bytes(file.read()).get_docs(Vocab())
    for number, doc in enumerate(docs, 1):
        if number <= skip:
            continue
        place = f"{name}:{number}"
        given, meta = doc.user_data.get("id"), doc.user_data.get("meta")
        spaces = [bool(token.whitespace_) for token in doc]
        yield Row(
            place,
            id_or(given, place),
            doc.text,
            meta if columns.meta and isinstance(meta, dict) else None,
            ([t.text for t in doc], None if doc.has_unknown_spaces else spaces),
            named=is_id(given),
        )


def check_columns(found: Iterable[str], columns: Columns, name: str) -> None:
    """Raises UserError if the column of the text, or one of ids that was named, is not
    among those of a file, or two that are read have the same name.
    """
    names = Counter(found)
    for what, each in columns.needed().items():
        if each not in names:
            raise UserError(
                f"{name} has no column {each!r}; its columns: "
                f"{', '.join(map(repr, names)) or 'none'}",
                f"Say which holds the {what}s: --{what} COLUMN",
            )
    for each, n in names.items():
        known = each in (columns.text, columns.id)
        if n > 1 and (known or (columns.meta and each)):
            raise UserError(
                f"{name} has {n} columns {each!r}", "Rename all but one of them."
            )


def check_encoding(file: BinaryIO, name: str) -> None:
    """Raises UserError for UTF-16, which has a zero byte beside most letters.

    file: At its beginning, see `decompressed`.
    """
    if cast(Any, file).peek(2)[:2] in UTF_16:
        raise UserError(
            f"{name} is UTF-16, not UTF-8",
            "Convert it: iconv -f UTF-16 -t UTF-8 OLD > NEW",
        )


def text_problem(text: Any, max_length: int, way_out: str = "split it") -> str:
    """Why a pipeline does not take a text, "" if it does.

    way_out: What to do about one that is too long.
    """
    if not isinstance(text, str):
        return f"the text is {repr(text)[:40]}, not a string"
    if len(text) > max_length:
        return (
            f"the text has {len(text):,} characters, and the pipeline takes "
            f"{max_length:,}: {way_out}"
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"the text holds {text[error.start]!r}, {HALF}"
    return ""


def _lines(file: BinaryIO, skip: int = 0) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers."""
    for number, raw in enumerate(file, 1):
        if number > skip:
            yield number, raw.removeprefix(BOM) if number == 1 else raw


def _text_row(place: str, id: str, raw: bytes) -> Row:
    try:
        # halves of surrogate pairs are flaws of the text, not of the encoding
        return Row(place, id, raw.decode("utf-8", "surrogatepass"))
    except UnicodeDecodeError as error:
        return Row(place, id, problem=not_utf8(error))


def not_utf8(error: UnicodeDecodeError) -> str:
    return f"{error.object[error.start : error.end]!r} {NOT_UTF8}"


def _json_row(place: str, raw: bytes, columns: Columns) -> Row:
    try:
        record = json.loads(raw.decode("utf-8", "surrogatepass"))
    except UnicodeDecodeError as error:
        return Row(place, place, problem=not_utf8(error))
    except (ValueError, RecursionError) as error:
        return Row(place, place, problem=f"invalid JSON, {error}: {raw[:40]!r}")
    if not isinstance(record, dict):
        return Row(place, place, problem=f"{raw[:40]!r} is not an object")
    if raw.count(b"{") + raw.count(b"[") > DEEPEST and _is_deep(record):
        problem = f"lists and objects lie more than {DEEPEST} deep in each other"
        return Row(place, place, problem=problem)
    for each in columns.needed().values():
        if each not in record:
            keys = ", ".join(map(repr, record)) or "none"
            problem = f"there is no {each!r}; the keys are {keys}"
            return Row(place, id_or(record.get(columns.id), place), problem=problem)
    return row_of(place, record, columns)


def _is_deep(value: Any) -> bool:
    """Whether something lies more than `DEEPEST` lists and objects deep."""
    level = [value]
    for _ in range(DEEPEST):
        inner = (each.values() if isinstance(each, dict) else each for each in level)
        level = [each for values in inner for each in values]
        level = [each for each in level if isinstance(each, dict | list)]
    return bool(level)


def row_of(place: str, record: dict[str, Any], columns: Columns) -> Row:
    """A row of a record that has a text."""
    text, given = record.pop(columns.text), record.pop(columns.id, None)
    id = id_or(given, place)
    if not isinstance(text, str):
        return Row(place, id, problem=text_problem(text, 0))
    if given is not None and type(given) not in (int, str):
        what = f"{columns.id} is {repr(given)[:40]}, neither string nor integer"
        return Row(place, id, problem=what)
    meta = record if columns.meta and record else None
    return Row(place, id, text, meta, named=is_id(given))


def unnested(meta: dict[str, Any] | None) -> dict[str, Any] | None:
    """Metadata, of which an object `meta` is taken apart: its keys stand beside the
    others, unless one of them is there already.
    """
    inner = (meta or {}).get(META)
    if meta is None or not isinstance(inner, dict):
        return meta
    others = {name: value for name, value in meta.items() if name != META}
    return meta if inner.keys() & others.keys() else {**others, **inner}


def is_id(given: Any) -> bool:
    return type(given) in (int, str)


def id_or(given: Any, place: str) -> str | int:
    return given if is_id(given) else place


def _next_cells(cells: Any, name: str) -> tuple[str, list[str] | str] | None:
    """The place of a row that is not blank, with its cells or what is wrong with them.

    None at the end of the file.
    """
    while True:
        place = f"{name}:{cells.line_num + 1}"
        try:
            row = next(cells)
        except StopIteration:
            return None
        except csv.Error as error:
            return place, f"invalid CSV up to line {cells.line_num}, {error}"
        if row:
            return place, row


def _separator(header: str, columns: Columns) -> str:
    """A comma, or what else is between the columns if one is that of the text."""
    for each in ",;\t":
        if columns.text in next(csv.reader([header], delimiter=each)):
            return each
    return ","


def _undecoded(cells: list[str]) -> str:
    """What to say of bytes that were no UTF-8, "" if all were."""
    for cell in cells:
        try:
            cell.encode("utf-8")
        except UnicodeEncodeError as error:
            bad = cell[error.start : error.end].encode("utf-8", "surrogateescape")
            return f"{bad!r} {NOT_UTF8}"
    return ""


def _csv_row(place: str, header: list[str], cells: list[str], columns: Columns) -> Row:
    record: dict[str, Any] = dict(zip(header, cells, strict=False))
    id = id_or(record.get(columns.id) or None, place)
    if len(cells) != len(header):
        problem = f"it has {len(cells)} cells, and the header {len(header)}"
        return Row(place, id, problem=problem)
    if problem := _undecoded(cells):
        return Row(place, id, problem=problem)
    record[columns.id] = record.get(columns.id) or None
    return row_of(place, record, columns)
