"""Triples as CSV (RFC 4180), one row each below a row of names."""

import csv
from collections.abc import Iterable, Iterator

from .text import to_json
from .triples import Source, Triple, read_triples

COLUMNS = (
    *("doc", "doc_id"),
    *("head_text", "head_label", "head_start_char", "head_end_char"),
    "label",
    *("tail_text", "tail_label", "tail_start_char", "tail_end_char"),
    *("score", "context", "meta"),
)
# what makes a cell a formula in Excel, LibreOffice or Google Sheets; the wide forms do
# so in some locales
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001


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
        row = _row(triple)
        yield writer.writerow(map(_no_formula, row) if spreadsheet else row)


def _row(triple: Triple) -> list[str | int | float | None]:
    head, tail = triple.head, triple.tail
    return [
        *(triple.doc, triple.doc_id),
        *(head.text, head.label, head.start_char, head.end_char),
        triple.label,
        *(tail.text, tail.label, tail.start_char, tail.end_char),
        *(triple.score, triple.context),
        None if triple.meta is None else to_json(triple.meta),
    ]


def _no_formula(cell: str | int | float | None) -> str | int | float | None:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
