"""Rows of CSV and TSV, which may go over several lines."""

import csv
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .reading import Source

LONGEST_CELL = 2**28  # characters; Python's csv stops at 131,072 otherwise
QUOTES = 'write quotes inside a cell twice, in quotes, """a joy"" it was"'


def read_names(line: str) -> tuple[list[str], str]:
    """The names of the columns of CSV or TSV, none if the line is no CSV, and the
    separator.
    """
    comma = max("\t;,", key=line.count)
    try:
        return next(csv.reader([line], delimiter=comma), []), comma
    except csv.Error:
        return [], comma


def read_rows(
    source: "Source", lines: Iterator[str], comma: str
) -> Iterator[list[str]]:
    """The cells of each row; complaints are about its first line.

    lines: Those of the source behind the names of the columns.
    """
    raw: list[str] = []

    def kept() -> Iterator[str]:
        for line in lines:
            raw.append(line)
            yield f"{line}\n"

    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(kept(), delimiter=comma, strict=True)
    while True:
        start = source.line + 1
        raw.clear()
        try:
            cells = next(reader)
            flaw = _find_swallowed(cells) if comma == "\t" else None
        except StopIteration:
            return
        except csv.Error as error:
            flaw = f"no CSV, {error}"
        source.line, source.raw = start, "\n".join(raw)
        last = start + len(raw) - 1
        if flaw:
            source.start = start
            source.reject(ValueError(f"{flaw}; {QUOTES}"))
        else:
            yield cells
        source.line = last


def check_names(names: list[str]) -> None:
    """Raises ValueError if two columns have one name."""
    for name in filter(str.strip, names):
        if names.count(name) > 1:
            raise ValueError(f"two columns are called {name!r}; rename one of them")


def check_length(cells: list[str], names: list[str]) -> None:
    """Raises ValueError if there are not as many cells as columns."""
    if len(cells) != len(names):
        raise ValueError(
            f"{len(cells)} cells for {len(names)} columns; quote cells that hold the "
            "separator"
        )


def _find_swallowed(cells: list[str]) -> str | None:
    """What to say if a quote that is part of a text made further rows part of it."""
    for cell in cells:
        if "\t" in cell and "\n" in cell:
            return f"a quote takes in {cell.count(chr(10)) + 1} lines and their tabs"
    return None
