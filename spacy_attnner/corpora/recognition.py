"""What a corpus format is, and how the format of a file is told from its content."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

from ..compressed import ENDINGS
from .complaints import CorpusError
from .json_values import parse_json
from .listed_cells import find_listed_cells
from .reading import JSON, Source
from .record import Record

N_VALUES = 1_000  # of JSON that are looked at
OWN = "jsonl"


@dataclass(frozen=True)
class Options:
    """What some formats are told; None leaves it to the file.

    fine: TREC's fine labels, five classes of SST's trees.
    phrases: A document of every phrase of SST's trees.
    entity_label: The label of entities that have none.
    columns: Which column is which, `token=0,tag=3`.
    text_column, label_column: Names of columns, or of keys.
    label_names: Names of labels that are numbers, `O,B-PER,I-PER`.
    """

    fine: bool = False
    phrases: bool = False
    entity_label: str | None = None
    columns: str | None = None
    text_column: str | None = None
    label_column: str | None = None
    label_names: str | None = None

    @property
    def given(self) -> set[str]:
        """The names of those that say something."""
        return {f.name for f in fields(self) if getattr(self, f.name) != f.default}


class Glimpse:
    """The beginning of a file.

    path: The file or folder.
    encoding: That was asked for.
    lines: Its first lines that are not blank, read as ISO-8859-1 unless a byte order
        mark tells what they are.
    first: The number of the first of them.
    """

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        self.path = path
        source = Source(path, encoding=encoding)
        self.lines: list[str] = []
        self.first = 1
        if path.is_dir():
            return
        for line in source.beginning("iso-8859-1"):
            self.first = self.first if self.lines else source.line
            self.lines.append(line)

    @property
    def is_json(self) -> bool:
        return self.is_jsonl or bool(JSON.match(self.lines[0]))

    @property
    def is_jsonl(self) -> bool:
        """By its name."""
        suffixes = [each for each in self.path.suffixes if each not in ENDINGS]
        return suffixes[-1:] == [".jsonl"]

    def values(self) -> Iterator[Any]:
        """The first values of a file of JSON.

        Raises CorpusError where one is none.
        """
        source = Source(self.path)
        for raw in islice(source.values(), N_VALUES):
            try:
                yield parse_json(raw)
            except ValueError as error:
                raise source.error(str(error)) from error


@dataclass(frozen=True)
class Format:
    """A corpus format.

    name: What `--format` calls it.
    read: Yields the records of a source.
    fits: Whether lines may be of it; None for JSON, and for what has to be named.
    claims: Whether a value of JSON can be of no other format.
    options: The names of `Options` that it takes.
    align: What becomes of an entity that begins or ends inside a token, if nothing is
        said of that, see `documents.Rules`.
    folder: Whether it may be a folder of files; `fits` is then asked of folders.
    magic: What its files begin with, if they are binary.
    categories: The categories that every document with categories gets, None for those
        of the file. A format without this says of each document which it has.
    named: Whether its keys may be any that the options name.
    joined: Whether relations count as annotated only if some document of the file has
        one, as the format does not tell.
    """

    name: str
    read: Callable[[Source], Iterator[Record]]
    fits: Callable[[Glimpse], bool] | None = None
    claims: Callable[[dict[str, Any]], bool] | None = None
    options: Collection[str] = ()
    align: str = "strict"
    folder: bool = False
    magic: bytes = b""
    categories: Callable[[Options], Collection[str] | None] | None = None
    named: bool = False
    joined: bool = False


def begins_with(path: str | Path, magic: bytes) -> bool:
    """Whether there is a file that begins so."""
    if not Path(path).is_file():
        return False
    with Source(path).opened() as file:
        return file.read(len(magic)) == magic


def first_line(pattern: str) -> Callable[[Glimpse], bool]:
    """A `fits` that looks at the first line."""
    compiled = re.compile(pattern)
    return lambda glimpse: any(map(compiled.match, glimpse.lines[:1]))


def recognize(
    path: str | Path, formats: Iterable[Format], options: Options | None = None
) -> str:
    """The name of the only format that a file may have.

    options: What formats are told. Of several formats those that take them all are
        meant, and of none that fits they are.

    Raises CorpusError if there is no such file, nothing in it, or it looks like none
    or like several.
    """
    formats = list(formats)
    for each in formats:
        if each.magic and begins_with(path, each.magic):
            return each.name
    glimpse = Glimpse(Path(path))
    if glimpse.path.is_dir():
        return _recognize_folder(glimpse, formats)
    if not glimpse.is_jsonl and not glimpse.lines:
        raise CorpusError(path, 1, "the file is empty; check its path")
    named = _named_by(options, formats)
    if glimpse.is_json:
        return _recognize_json(glimpse, formats) or named or OWN
    if listed := find_listed_cells(glimpse.lines):
        column = options.label_column if options else None
        in_list = column in listed.nested | listed.tags
        as_json = _recognize_values(glimpse, formats) or (named if in_list else None)
        if as_json:
            return as_json
    found = [each.name for each in formats if each.fits and each.fits(glimpse)]
    given = options.given if options else set()
    takers = [each.name for each in formats if each.fits and given <= {*each.options}]
    if given:
        found = [name for name in found if name in takers] or found or takers
    if len(found) == 1:
        return found[0]
    what = f"may be {' or '.join(found)}" if found else "looks like none of the formats"
    names = ", ".join(found or [each.name for each in formats])
    if not found and {".csv", ".tsv"} & {*glimpse.path.suffixes}:
        names += "; a table begins with the names of its columns, such as text,label"
    raise CorpusError(
        path,
        glimpse.first,
        f"{glimpse.lines[0][:40]!r} {what}; name it with --format, one of {names}",
    )


def _named_by(options: Options | None, formats: Iterable[Format]) -> str | None:
    """The format whose keys are those that the options name, if they do."""
    given = options.given if options else set()
    if not given & {"text_column", "label_column"}:
        return None
    takers = [each for each in formats if each.named and given <= {*each.options}]
    return takers[0].name if takers else None


def _recognize_folder(glimpse: Glimpse, formats: list[Format]) -> str:
    for each in formats:
        if each.folder and each.fits and each.fits(glimpse):
            return each.name
    message = "is a directory, not a file; give the path of a corpus file, or a tool's"
    message += " folder, such as BRAT's"
    if any(glimpse.path.rglob("*.zip")):
        message += "; there are archives in it: unpack them first"
    raise CorpusError(glimpse.path, None, message)


def _recognize_json(glimpse: Glimpse, formats: list[Format]) -> str | None:
    """The format of a file that begins as JSON; one that takes both JSON and lines is
    asked whether it only begins so.
    """
    for each in formats:
        if each.claims and each.fits and each.fits(glimpse):
            return each.name
    return _recognize_values(glimpse, formats)


def _recognize_values(glimpse: Glimpse, formats: list[Format]) -> str | None:
    """The format of the first value that can be of one only, None if none is."""
    for value in glimpse.values():
        found = claimed_by(value, formats)
        if len(found) > 1:
            message = f"a record may be {' or '.join(found)}; name it with --format"
            raise CorpusError(glimpse.path, 1, message)
        if found:
            return found[0]
    return None


def claimed_by(value: Any, formats: Iterable[Format]) -> list[str]:
    """The formats that a value of JSON can only be of."""
    found = []
    for each in formats:
        with suppress(TypeError, ValueError, AttributeError):  # of other types inside
            if each.claims and each.claims(value):
                found.append(each.name)
    return found
