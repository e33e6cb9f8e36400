"""A text file as it is read: its bytes, what they say in its encoding, its lines."""

import codecs
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from ..compressed import DAMAGED, decompressed
from .complaints import CorpusError, Repairs

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
DOCS, ARROW = b"x\x9c", (b"ARROW1"[:4], b"\xff\xff\xff\xff")
PICKLE = re.compile(rb"\x80[\2-\5]")
N_LINES = 2_000  # that are looked at, to tell what a file is
N_CHARACTERS = 10_000_000  # of them
PIECE = 2**20  # characters that are read at a time, of a line or of JSON
WIDE = "file in UTF-16 or UTF-32, by its byte order mark: read as such"
OTHER_ENCODING = "line with characters that are not ASCII: read as"


class TextFile:
    """A file, or a folder of them, that is being read.

    path: The file or folder.
    repairs: Counts the flaws that are repaired.
    encoding: The encoding that was asked for; None leaves it to the format.
    read: Is told how many bytes were read.

    file: The file that complaints are about.
    line: The line that they are about, from 1: the one read last, unless a reader sets
        another.
    raw: What is read there, as the file has it.
    """

    def __init__(
        self,
        path: str | Path,
        repairs: Repairs,
        encoding: str | None,
        read: Callable[[int], Any],
    ) -> None:
        self.path = self.file = Path(path)
        self.repairs = repairs
        self.encoding = encoding
        self.read = read
        self.line = 1
        self.raw = ""

    def lines(self, encoding: str = UTF8, longest: int = -1) -> Iterator[str]:
        """The text of each line, without its end, which is a line feed.

        encoding: The format's own; a byte order mark or what was asked for goes before.
        longest: Longer lines come as several; -1 for none.

        Of what cannot be decoded `check_decoded` tells. Raises CorpusError if there is
        no such file, or it cannot be decoded at all.
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

    def pieces(self, encoding: str = UTF8) -> Iterator[str]:
        """The text in pieces of any length, as `lines` has it."""
        pieces = self._decoded(encoding, self._pieces)
        yield next(pieces, "").removeprefix("\ufeff")
        yield from pieces

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
        elif beginning.startswith(DOCS):
            message = (
                "holds documents of spaCy's already; give it as it is to the others"
            )
        elif beginning in ARROW:
            message = "is Arrow; save it as Parquet or JSON, with to_parquet or to_json"
        elif PICKLE.match(beginning):
            message = "is a pickle, which may run anything; save it with json.dump"
        if message:
            raise CorpusError(self.file, None, message)

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

    def error(self, message: str) -> CorpusError:
        """What to raise about the line, and the file."""
        return CorpusError(self.file, self.line, message)

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


def is_wide(encoding: str) -> bool:
    """Whether characters have two or four bytes."""
    return "16" in encoding or "32" in encoding
