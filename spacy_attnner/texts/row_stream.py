"""The rows of all inputs, one after the other, in parts that are always the same."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from ..compressed import decompressed
from ..errors import UserError, sound
from .inputs import STANDARD_INPUT, Input, check_unchanged
from .parquet_rows import read_parquet_rows
from .row_readers import (
    Columns,
    Row,
    read_csv_rows,
    read_json_rows,
    read_lines_as_rows,
    read_token_rows,
    read_whole_text,
)

PART_ROWS = 5000
PART_CHARACTERS = 2_000_000  # from which on a part holds no further row
Position = tuple[int, int]  # the number of an input, and of a row in it, from 0
Reader = Callable[[BinaryIO, str, int, Columns], Iterator[Row]]
READERS: dict[str, Reader] = {
    "txt": read_lines_as_rows,
    "whole": read_whole_text,
    "jsonl": read_json_rows,
    "csv": read_csv_rows,
    "parquet": read_parquet_rows,
    "spacy": read_token_rows,
}


class Part(NamedTuple):
    """Rows that are read, written and counted as finished together.

    number: From 0, in the order of the inputs.
    stop: The position of the row after the last one.
    digest: Of the rows, where their input cannot be looked at again.
    n_bytes: How much of the inputs was read up to its end.
    """

    number: int
    stop: Position
    rows: list[Row]
    digest: str
    n_bytes: int


class RowStream:
    """Reads inputs part by part; a context manager that closes what is open.

    part_rows: Rows of a part; it has fewer where texts are long, and at the end.
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        columns: Columns,
        part_rows: int = PART_ROWS,
    ) -> None:
        self.inputs = inputs
        self.columns = columns
        self.part_rows = part_rows
        self.position: Position = (0, 0)
        self.number = 0
        self._open = ExitStack()
        self._rows: Iterator[Row] | None = None
        self._raw: Any = None
        self._before = list(accumulate((each.size for each in inputs), initial=0))

    def __enter__(self) -> "RowStream":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def skip_part(self, stop: Position) -> None:
        """Go on after a part that ends there."""
        self._close()
        self.position = stop
        self.number += 1

    def read_part(self) -> Part | None:
        """The next rows, None if there are none.

        Raises UserError if a file cannot be read, or changed since it was found.
        """
        first = self.position[0]
        rows: list[Row] = []
        length = 0
        while len(rows) < self.part_rows and length < PART_CHARACTERS:
            row = self._next_row()
            if row is None:
                break
            rows.append(row)
            length += len(row.text)
        for source in self.inputs[first : self.position[0] + 1]:
            check_unchanged(source)
        if not rows:
            return None
        part = Part(self.number, self.position, rows, self._digest(rows), self._at())
        self.number += 1
        return part

    def _next_row(self) -> Row | None:
        while self.position[0] < len(self.inputs):
            number, n_read = self.position
            source = self.inputs[number]
            if self._rows is None:
                self._rows = self._reopen(source, n_read)
            try:
                row = next(self._rows, None)
            except UserError:
                raise
            except Exception as error:
                row = self._broken(source, n_read, error)
                self._finish_input()
                return row
            if row is not None:
                self.position = (number, n_read + 1)
                return row
            self._finish_input()
        return None

    def _reopen(self, source: Input, skip: int) -> Iterator[Row]:
        self._open = ExitStack()
        if source.path == STANDARD_INPUT:
            raw: Any = sys.stdin.buffer
        else:
            check_unchanged(source)
            with sound(f"{source.path} cannot be read", "Check that it is there."):
                raw = Path(source.path).open("rb")  # noqa: SIM115
            self._raw = self._open.enter_context(raw)
        file = decompressed(cast(BinaryIO, raw), source.path)
        return READERS[source.kind](file, source.name, skip, self.columns)

    def _broken(self, source: Input, n_read: int, error: Exception) -> Row:
        """What a file that is damaged from here on counts as: a row that fails.

        Raises UserError where it is the disk that fails, which may go well again.
        """
        if isinstance(error, MemoryError) or getattr(error, "errno", None) is not None:
            raise UserError(
                f"{source.path} cannot be read after row {n_read:,}: {error!r}",
                "Run the command again.",
            ) from error
        what = str(error) or type(error).__name__
        problem = f"the file cannot be read after row {n_read:,}: {what}"
        return Row(source.name, source.name, problem=problem)

    def _finish_input(self) -> None:
        self._close()
        self.position = (self.position[0] + 1, 0)

    def _close(self) -> None:
        self._rows = self._raw = None
        self._open.close()

    def _at(self) -> int:
        here = 0
        if self._raw is not None and not self._raw.closed:
            here = self._raw.tell()
        return self._before[self.position[0]] + here

    def _digest(self, rows: list[Row]) -> str:
        if all(each.path != STANDARD_INPUT for each in self.inputs):
            return ""
        return blake2b(repr(rows).encode("utf-8", "surrogatepass")).hexdigest()[:32]
