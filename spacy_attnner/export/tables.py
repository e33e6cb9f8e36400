"""Triples as lines of JSON (https://jsonlines.org) and as CSV (RFC 4180)."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from ..texts.json_lines import to_json
from .triples import Source, flat, read_triples

COLUMNS = (
    *("doc", "doc_id"),
    *("head_text", "head_label", "head_start_char", "head_end_char"),
    "label",
    *("tail_text", "tail_label", "tail_start_char", "tail_end_char"),
    *("score", "context", "meta"),
)
# what makes a cell a formula in Excel, LibreOffice or Google Sheets; the wide forms, of
# which ruff thinks that they are slips, do so in some locales
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001


def to_jsonl(docs: Iterable[Source], *, threshold: float = 0.0) -> Iterator[str]:
    """Lines of JSON, each with its line end.

    Keys: `doc`, `head`, `label`, `tail`, `score`, `context`, and where they were given
    `doc_id` and `meta`; `head` and `tail` have `text`, `label`, `start_char` and
    `end_char`.

    docs: Documents, or pairs of a document and its id or `DocInfo`.
    threshold: Leave out relations with a lower score.

    Raises ValueError for a score that is no finite number, TypeError or ValueError for
    a `meta` that is not JSON.
    """
    for triple in read_triples(docs, threshold=threshold):
        record = asdict(triple)
        for key in ("doc_id", "meta"):
            if record[key] is None:
                del record[key]
        yield to_json(record) + "\n"


class _Echo:
    """A file for `csv.writer` that keeps nothing: `writerow` returns the row."""

    def write(self, row: str) -> str:
        return row


def to_csv(
    docs: Iterable[Source], *, threshold: float = 0.0, spreadsheet: bool = False
) -> Iterator[str]:
    """Rows of CSV, the names of the columns first, each with its line end.

    What was not given (`doc_id`, `meta`) is an empty cell; `meta` is written as JSON.
    Write them to a file that was opened with `newline=""`.

    docs: Documents, or pairs of a document and its id or `DocInfo`.
    threshold: Leave out relations with a lower score.
    spreadsheet: Put a ' before texts that a spreadsheet would take for a formula and
        run (https://owasp.org/www-community/attacks/CSV_Injection). They are then no
        longer the texts of the documents.

    Raises ValueError for a score that is no finite number, TypeError or ValueError for
    a `meta` that is not JSON.
    """
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for triple in read_triples(docs, threshold=threshold):
        cells = flat(triple)
        if "meta" in cells:
            cells["meta"] = to_json(cells["meta"])
        row = map(cells.get, COLUMNS)
        yield writer.writerow(map(_no_formula, row) if spreadsheet else row)


def _no_formula(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
