"""A corpus file as it is read: its lines, and what is said of what is wrong in them.

Readers raise ValueError for a flaw; `Source` adds the file and the line, puts the
record aside and goes on, so that one run tells all that is wrong.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from .complaints import OTHER_TYPES, Collector, CorpusError, Rejects, Repairs
from .decoding import PIECE, TextFile
from .json_stream import JSONStream
from .json_values import check_type, goes_on, parse_json
from .listed_cells import ListedCells, find_listed_cells
from .record import Record
from .table_rows import read_rows

T = TypeVar("T")
Numbered = tuple[int, str]  # a line and its number, from 1
# str.split() would also split on no-break spaces, which stand inside words
COLUMN = re.compile(r"[^ \t]+")
JSON = re.compile(r"\s*[{\[]")
UNREAD_KEY = "key {!r} of a document: left out"


class Source(TextFile):
    """A corpus file, or a folder of them, that is being read.

    path, repairs, encoding, read: As of `TextFile`.
    rejects: Takes the records that are wrong.
    options: What the format is told, see `recognition.Options`.
    tokenize: Splits a text into words, and whether a space follows each.
    foreign: Names the other format that a value of JSON is of, None if it is of this.

    start: The first line of the record.
    unit: The number of the unit of the file that the record is of, see `records`.
    flaws: What is wrong in the record so far.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        repairs: Repairs | None = None,
        rejects: Rejects | None = None,
        options: Any = None,
        tokenize: Callable[[str], tuple[list[str], list[bool]]] | None = None,
        encoding: str | None = None,
        read: Callable[[int], Any] = lambda n: None,
        foreign: Callable[[Any], str | None] = lambda value: None,
    ) -> None:
        repairs = Repairs() if repairs is None else repairs
        super().__init__(path, repairs, encoding, read)
        self.rejects = Rejects() if rejects is None else rejects
        self.options = options
        self.tokenize = tokenize
        self.foreign = foreign
        self.start = 1
        self.unit = 0
        self.flaws = Collector()
        self._repaired: list[tuple[str, Path, int, str, int]] = []  # in the record

    def blocks(
        self, begins: Callable[[str], bool], lines: Iterable[str] | None = None
    ) -> Iterator[list[Numbered]]:
        """Lines that belong together, with their numbers.

        begins: Whether a line is the first of a block; what stands before the first
            such line is a block as well.
        lines: Those of the file, if None.
        """
        block: list[Numbered] = []
        for line in self.lines() if lines is None else lines:
            at = self.line
            if block and begins(line):
                yield self.stand(block)
                block = []
            block.append((at, line))
        if block:
            yield self.stand(block)

    def stand(self, block: list[Numbered]) -> list[Numbered]:
        """Have complaints be about these lines."""
        self.line = block[0][0]
        self.raw = "\n".join(line for _, line in block)
        return block

    def parse_lines(
        self, block: Iterable[Numbered], parse: Callable[[str], T]
    ) -> list[T]:
        """Parse each line of a block; raises Flaws with all that is wrong."""
        found: list[T] = []
        flaws = Collector()
        for self.line, line in block:
            with flaws.of(self.line):
                found.append(parse(line))
        flaws.check()
        return found

    def values(self) -> Iterator[str]:
        """The JSON of each line, of each item of one array, of objects over lines, or
        of the rows of a table that has lists, see `listed_cells`.

        Raises CorpusError if an array or such an object does not end well.
        """
        look = Source(self.file, encoding=self.encoding)
        lines = look.beginning(longest=PIECE)
        first = next(lines, "")
        if not goes_on(first):
            table = None if JSON.match(first) else find_listed_cells([first, *lines])
            yield from self._rows(table) if table else filter(str.strip, self.lines())
            return
        stream = JSONStream(self.pieces())
        try:
            for self.raw in stream.values():
                self.line = stream.line
                yield self.raw
        except CorpusError:
            raise
        except (ValueError, RecursionError) as error:
            self.line = stream.line
            message = f"invalid JSON, {error}; give one array, or one object a line"
            raise self.error(message) from error

    def _rows(self, table: ListedCells) -> Iterator[str]:
        """The JSON of the rows of a table."""
        lines = self.lines()
        next(filter(str.strip, lines))
        for cells in filter(None, read_rows(self, lines, table.comma)):
            try:
                yield table.make(cells)
            except ValueError as error:
                self.start = self.line
                self.reject(error)

    def objects(self, make: Callable[[dict[str, Any]], Record]) -> Iterator[Record]:
        """The records of a file of JSON, one of each object."""

        def parse(raw: str) -> Iterator[Record]:
            yield make(check_type(self.parse(raw), dict, "document"))

        return self.records(self.values(), parse)

    def count_unread(self, value: dict[str, Any], read: Collection[str]) -> None:
        """Count the keys of a document that hold something and are not read."""
        for key in sorted(value.keys() - set(read)):
            held = value[key]
            if any(held) if isinstance(held, list) else held not in (None, "", {}):
                self.repaired(UNREAD_KEY.format(key), repr(self.raw[:40]))

    def parts(
        self, key: str, *, alone: str | None = None
    ) -> Iterator[tuple[dict[str, Any], int, Any]]:
        """What a list in each object holds: the object, the place, the item.

        alone: A key of items; an object that has it instead of the list is one.

        The record of complaints is the item, on the line of its object.
        """
        for raw in self.values():
            self.start = self.line
            try:
                whole = check_type(self.parse(raw), dict, "document")
                single = alone in whole and key not in whole
                items = [whole] if single else check_type(whole.get(key), list, key)
            except ValueError as error:
                self.reject(error)
                continue
            for i, item in enumerate(items):
                self.raw = json.dumps(item, ensure_ascii=False)
                yield whole, i, item

    def parse(self, raw: str) -> Any:
        """The value of JSON; raises ValueError for none, or one of another format."""
        value = parse_json(raw)
        if other := self.foreign(value):
            raise ValueError(
                f"{raw[:40]!r} is of the format {other}; read it with --format {other}"
            )
        return value

    def records(
        self, units: Iterable[T], parse: Callable[[T], Iterable[Record]]
    ) -> Iterator[Record]:
        """The records of the units of a file: its lines, blocks of lines, files.

        What `parse` raises as ValueError puts the unit aside, and so do values of
        another type than it takes them for. What it keeps in `flaws` puts a record
        aside once it is known what else is wrong in it.
        """
        for self.unit, unit in enumerate(units, 1):
            self._count_repairs()
            self.start = self.line
            self.flaws = Collector()
            try:
                self.check_decoded()
                for record in parse(unit):
                    yield record
                    self._count_repairs()
            except (ValueError, *OTHER_TYPES) as error:
                self.reject(error)
            if self.flaws.items:
                self.reject()
        self._count_repairs()

    def reject(self, error: Exception | None = None) -> None:
        """Put the record aside, for what was kept of it and for an error.

        What was repaired in it does not count.
        """
        self._repaired = []
        if error:
            self.flaws.keep(error, self.line)
        items = [(line or self.start, message) for line, message in self.flaws.items]
        items.sort(key=lambda item: item[0])
        self.rejects.add([CorpusError(self.file, *item) for item in items], self.raw)
        self.flaws = Collector()

    def repaired(
        self, kind: str, detail: str, n: int = 1, line: int | None = None
    ) -> None:
        """Count flaws of the line, as `Repairs.record`, unless the record is rejected.

        line: None for the one that is read.
        """
        self._repaired.append((kind, self.file, line or self.line, detail, n))

    def _count_repairs(self) -> None:
        for each in self._repaired:
            self.repairs.record(*each)
        self._repaired = []


def split_columns(line: str) -> list[str]:
    """The columns of a line, separated by spaces or tabs."""
    return COLUMN.findall(line)
