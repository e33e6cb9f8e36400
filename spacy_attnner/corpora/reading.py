"""A corpus file as it is read: its lines, and what is said of what is wrong in them.

Readers raise ValueError for a flaw; `Source` adds the file and the line, puts the
record aside and goes on, so that one run tells all that is wrong.
"""

import codecs
import io
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from ..compressed import DAMAGED, decompressed
from .complaints import OTHER_TYPES, Collector, CorpusError, Rejects, Repairs
from .json_stream import JSONStream
from .json_values import check_type, goes_on, parse_json
from .listed_cells import ListedCells, find_listed_cells
from .record import Record
from .table_rows import read_rows

T = TypeVar("T")
Numbered = tuple[int, str]  # a line and its number, from 1
# str.split() would also split on no-break spaces, which stand inside words
COLUMN = re.compile(r"[^ \t]+")
UNDECODED = re.compile("[\udc80-\udcff]+")  # bytes that are not in the encoding
UTF8 = "utf-8"
# the longer marks first: UTF-32's begins with UTF-16's
MARKS = {
    codecs.BOM_UTF8: UTF8,
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
ARCHIVE = b"PK\x03\x04"  # zip's
PICKLE = re.compile(rb"\x80[\2-\5]")
JSON = re.compile(r"\s*[{\[]")
N_LINES = 2_000  # that are looked at, to tell what a file is
N_CHARACTERS = 10_000_000  # of them
PIECE = 2**20  # characters that are read at a time, of a line or of JSON
WIDE = "file in UTF-16 or UTF-32, by its byte order mark: read as such"
OTHER_ENCODING = "line with characters that are not ASCII: read as"
UNREAD_KEY = "key {!r} of a document: left out"


class Source:
    """A corpus file, or a folder of them, that is being read.

    path: The file or folder.
    repairs: Counts the flaws that are repaired.
    rejects: Takes the records that are wrong.
    options: What the format is told, see `recognition.Options`.
    tokenize: Splits a text into words, and whether a space follows each.
    encoding: The encoding that was asked for; None leaves it to the format.
    read: Is told how many bytes were read.
    foreign: Names the other format that a value of JSON is of, None if it is of this.

    file: The file that complaints and repairs are about.
    line: The line that they are about, from 1: the one read last, unless a reader sets
        another.
    start: The first line of the record.
    unit: The number of the unit of the file that the record is of, see `records`.
    raw: The record as the file has it.
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
        self.path = self.file = Path(path)
        self.repairs = Repairs() if repairs is None else repairs
        self.rejects = Rejects() if rejects is None else rejects
        self.options = options
        self.tokenize = tokenize
        self.encoding = encoding
        self.read = read
        self.foreign = foreign
        self.line = self.start = 1
        self.unit = 0
        self.raw = ""
        self.flaws = Collector()
        self._repaired: list[tuple[str, Path, int, str, int]] = []  # in the record

    def lines(self, encoding: str = UTF8, longest: int = -1) -> Iterator[str]:
        """The text of each line, without its end, which is a line feed.

        encoding: The format's own; a byte order mark or what was asked for goes before.
        longest: Longer lines come as several; -1 for none.

        What cannot be decoded is an error of the record, see `records`. Raises
        CorpusError if there is no such file, or it cannot be decoded at all.
        """
        self.check_file()
        lines = self._decoded(encoding, partial(self._lines, longest=longest))
        for self.line, line in enumerate(lines, 1):
            if self.line == 1:
                line = line.removeprefix("\ufeff")
                if "\0" in line:
                    raise self.error(
                        "the line holds zero bytes: it is no text, or UTF-16 without "
                        "a byte order mark; give --encoding utf-16-le, or save as UTF-8"
                    )
            self.raw = line.rstrip("\r\n")
            yield self.raw

    def beginning(
        self, encoding: str = UTF8, longest: int = N_CHARACTERS
    ) -> Iterator[str]:
        """The first lines that are not blank, see `lines`."""
        n_lines = n_characters = 0
        for line in self.lines(encoding, longest):
            if line.strip():
                n_lines += 1
                yield line
            n_characters += len(line)
            if n_lines == N_LINES or n_characters >= N_CHARACTERS:
                return

    def files(self, wanted: Callable[[Path], bool]) -> Iterator[Path]:
        """The file, or those of the folder and the folders in it that are wanted."""
        found = sorted(self.path.rglob("*")) if self.path.is_dir() else [self.path]
        if found == [self.path]:
            self.check_file()
        for path in found:
            if path == self.path or (wanted(path) and path.is_file()):
                self.file, self.line, self.raw = path, 1, str(path)
                yield path

    def name_of(self, path: Path) -> str:
        """What to call a file of the folder: its path there, without its ending."""
        inside = path.relative_to(self.path) if path != self.path else Path(path.name)
        return str(inside.with_suffix(""))

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The content of the file, unpacked if it is compressed.

        Raises CorpusError where it is damaged.
        """
        try:
            with self.file.open("rb") as raw:
                yield decompressed(raw, str(self.file))
        except DAMAGED as error:
            message = f"the file cannot be read: {error}; check it, or make it anew"
            raise self.error(message) from error

    def content(self) -> bytes:
        """All of the file, unpacked if it is compressed."""
        with self.opened() as file:
            raw = file.read()
        self.read(len(raw))
        return raw

    def _decoded(
        self, encoding: str, split: Callable[[str], Iterator[str]]
    ) -> Iterator[str]:
        """The parts of the text that something splits it into, given the encoding."""
        encoding = self.encoding or encoding
        mark = self._mark()
        try:
            codecs.lookup(encoding)
            yield from split(mark or encoding)
        except LookupError as error:
            message = f"there is no encoding {encoding!r}; give one such as latin-1"
            raise CorpusError(self.file, None, message) from error
        except UnicodeError as error:
            raise self.error(f"the file cannot be decoded: {error}") from error

    def _beginning(self) -> bytes:
        with self.opened() as file:
            return file.read(4)

    def _mark(self) -> str | None:
        beginning = self._beginning()
        for mark, encoding in MARKS.items():
            if beginning.startswith(mark):
                if encoding != UTF8:
                    self.repairs[WIDE] += 1
                return encoding
        return None

    def _lines(self, encoding: str, longest: int) -> Iterator[str]:
        if is_wide(encoding):
            yield from self._texts(encoding, lambda file: file.readline(longest))
            return
        with self.opened() as file:
            lines = file if longest < 0 else iter(partial(file.readline, longest), b"")
            for raw in lines:
                self.read(len(raw))
                line = raw.decode(encoding, "surrogateescape")
                self._count_other(line, encoding)
                yield line

    def _pieces(self, encoding: str) -> Iterator[str]:
        for piece in self._texts(encoding, lambda file: file.read(PIECE)):
            self._count_other(piece, encoding)
            yield piece

    def _texts(
        self, encoding: str, take: Callable[[io.TextIOWrapper], str]
    ) -> Iterator[str]:
        """What is taken of the text until nothing is left."""
        wide = is_wide(encoding)
        unit = 1 if not wide else 4 if "32" in encoding else 2
        errors = "strict" if wide else "surrogateescape"
        with self.opened() as file:
            text = io.TextIOWrapper(cast(Any, file), encoding, errors, newline="\n")
            while taken := take(text):
                self.read(unit * len(taken))
                yield taken

    def _count_other(self, text: str, encoding: str) -> None:
        if self.encoding and not is_wide(encoding) and encoding != UTF8:
            n = sum(not line.isascii() for line in text.split("\n"))
            if n:
                self.repairs[f"{OTHER_ENCODING} {encoding}"] += n

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
        stream = JSONStream(self._without_mark(self._decoded(UTF8, self._pieces)))
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

    def _without_mark(self, pieces: Iterator[str]) -> Iterator[str]:
        yield next(pieces, "").removeprefix("\ufeff")
        yield from pieces

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

    def check_decoded(self) -> None:
        """Raises ValueError if what is read has bytes that could not be decoded."""
        if self.raw.isascii():
            return
        found = UNDECODED.search(self.raw)
        if found:
            self.line += self.raw.count("\n", 0, found.start())
            encoding = self.encoding or UTF8
            bad = found[0].encode("ascii", "surrogateescape")
            # in latin-1 these are control characters
            windows = re.search("[\udc80-\udc9f]", self.raw)
            raise ValueError(
                f"{bad!r} is not {encoding}; save the file as {encoding}, or give its "
                f"encoding, such as --encoding {'cp1252' if windows else 'latin-1'}"
            )

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

    def check_file(self) -> None:
        """Raises CorpusError if there is no such file, or an archive or a pickle."""
        if not self.file.is_file():
            what = "is a pipe or a device; pipe it into - instead"
            if self.file.is_dir() or not self.file.exists():
                folder = self.file.is_dir()
                what = "is a directory, not a file" if folder else "no such file"
                what += "; give the path of a corpus file"
            raise CorpusError(self.file, None, what)
        beginning, message = self._beginning(), ""
        if beginning == ARCHIVE:
            message = "is an archive; unpack it first, with unzip"
        elif PICKLE.match(beginning):
            message = "is a pickle, which may run anything; save it with json.dump"
        if message:
            raise CorpusError(self.file, None, message)

    def error(self, message: str) -> CorpusError:
        """What to raise about the line, and the file."""
        return CorpusError(self.file, self.line, message)

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


def is_wide(encoding: str) -> bool:
    """Whether characters have two or four bytes."""
    return "16" in encoding or "32" in encoding


def split_columns(line: str) -> list[str]:
    """The columns of a line, separated by spaces or tabs."""
    return COLUMN.findall(line)
