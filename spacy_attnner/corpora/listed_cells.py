"""Tables whose cells hold lists or objects: their rows are as good as JSON.

    tokens,ner_tags
    "['Ada', 'left']","['B-PER', 'O']"
    "['Oslo' 'waits']","[5 0]"

    id,text,label,annotator,annotation_id
    1,Ada left,"[{""start"": 0, ""end"": 3, ""labels"": [""PER""]}]",1,1

    text,labels
    Ada left,B-PER O

Cells are JSON, as in Label Studio's CSV, what Python prints for a list, what NumPy
prints, as pandas' `to_csv` writes Hugging Face's data, or tags with spaces between
them. Which format the rows have is told from their columns, as that of objects is.
"""

import ast
import csv
import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

from .json_values import parse_json
from .table_rows import LONGEST_CELL, check_length, read_names
from .tags import PREFIXED, is_tag

N_ROWS = 1_000  # that are looked at
NESTED = re.compile(r"[\[{]")
ATOM = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[-+.\w]+)"""
ARRAY = re.compile(rf"\[\s*(?:{ATOM}(?:\s+{ATOM})*)?\s*\]", re.DOTALL)
CUT = re.compile(r"\s\.\.\.\s")  # the middle of an array of more than 1,000


class ListedCells(NamedTuple):
    """The columns of such a table.

    names: What they are called; one without a name is left out.
    comma: What separates them.
    nested: The names of those that hold lists or objects.
    tags: And of those that hold tags with spaces between them.
    """

    names: list[str]
    comma: str
    nested: frozenset[str]
    tags: frozenset[str]

    def make(self, cells: list[str]) -> str:
        """A row as JSON, without what is empty.

        Raises ValueError if a cell is no list, or cells are missing.
        """
        check_length(cells, self.names)
        row: dict[str, Any] = {}
        for name, cell in zip(self.names, cells, strict=True):
            cell = cell.strip() if name in self.nested | self.tags else cell
            if not name or not cell:
                continue
            row[name] = cell
            if name in self.nested and NESTED.match(cell):
                row[name] = _read(cell, name)
            elif name in self.tags:
                row[name] = cell.split()
        return json.dumps(row)


def find_listed_cells(lines: Sequence[str]) -> ListedCells | None:
    """The columns of a table by its first lines, None if no cell holds a list."""
    names, comma = read_names(lines[0] if lines else "")
    names = [name.strip() for name in names]
    if len(names) < 2 or len(set(names)) < len(names):
        return None
    columns: list[list[str]] = [[] for _ in names]
    for row in _rows(lines[1:], comma):
        if len(row) == len(names):
            for column, cell in zip(columns, row, strict=True):
                column.append(cell.strip())
    filled = {n: [*filter(None, c)] for n, c in zip(names, columns, strict=True)}
    nested = frozenset(name for name, cells in filled.items() if _are_nested(cells))
    tags = frozenset(name for name, cells in filled.items() if _are_tags(cells))
    return ListedCells(names, comma, nested, tags) if nested | tags else None


def _rows(lines: Iterable[str], comma: str) -> Iterable[list[str]]:
    """Rows, as many as there are before a flaw, which is told when they are read."""
    csv.field_size_limit(LONGEST_CELL)
    with suppress(csv.Error):
        yield from islice(csv.reader(lines, delimiter=comma, strict=True), N_ROWS)


def _are_nested(cells: list[str]) -> bool:
    """Whether most are lists, or any is an object or a list of them."""
    found: list[Any] = []
    for cell in filter(NESTED.match, cells):
        with suppress(ValueError):
            found.append(_read(cell, ""))
    objects = any(isinstance(v, dict) or any(map(_is_object, v)) for v in found)
    return objects or len(found) * 2 > len(cells)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _are_tags(cells: list[str]) -> bool:
    """Whether all are tags of tokens, some of entities and some of several tokens."""
    split = [cell.split() for cell in cells]
    tags = [tag for each in split for tag in each]
    return (
        any(len(each) > 1 for each in split)
        and any(map(PREFIXED.fullmatch, tags))
        and all(map(is_tag, tags))
    )


def _read(cell: str, name: str) -> Any:
    """The value of a cell; raises ValueError if it is none."""
    with suppress(ValueError):
        return parse_json(cell)
    message = f"{name} is {cell[:40]!r}, no list; write JSON, as json.dumps gives it"
    if ARRAY.fullmatch(cell):
        if CUT.search(cell):
            message = f"{name} is {cell[:40]!r}, of which NumPy left out the middle"
            raise ValueError(f"{message}; save Parquet or JSON instead")
        atoms = re.findall(ATOM, cell[1:-1])
        cell = f"[{','.join(atoms)}]"  # Python joins strings with spaces between them
    try:
        value = ast.literal_eval(cell)
        json.dumps(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(message) from error
    return value
