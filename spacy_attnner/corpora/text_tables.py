"""Tables of texts and their categories, CSV or TSV with a line of names.

    text,label
    "Ada won, again",sport

`--text-column` and `--label-column` name the columns, which otherwise are called `text`
(or `sentence`) and `label` (or `category`). Several label columns, `sport,news`, hold 0
or 1 each. `id` is kept, and the other columns go to `meta`. Doccano's tables, which
have a column `Comments`, join the labels of a text, `sport#news`.
"""

import re
from collections.abc import Iterator
from typing import Any

from .complaints import Collector, CorpusError
from .reading import Source
from .recognition import Format, Glimpse, Options
from .record import Record
from .table_rows import check_length, check_names, read_names, read_rows
from .token_tables import find_table

TEXT, LABEL = ("text", "sentence"), ("label", "category")
NO, YES = ("0", "false", "no", "", "0.0"), ("1", "true", "yes", "1.0")
DOCCANO = "Comments"  # a column of its exports, whose labels are joined by #
NESTED = re.compile(r"""[\[{]\s*(["'\[{]|[\]}]$)""")


def read_table(source: Source) -> Iterator[Record]:
    """Read a CSV or TSV file.

    Raises CorpusError if it has no such columns.
    """
    lines = source.lines()
    first = next(lines, "")
    names, comma = read_names(first)
    try:
        check_names(names)
    except ValueError as error:
        raise CorpusError(source.file, 1, str(error)) from error
    text = _column(source, names, source.options.text_column, TEXT, "--text-column")
    wanted = source.options.label_column
    labels = [
        _column(source, names, each, LABEL, "--label-column")
        for each in (map(str.strip, wanted.split(",")) if wanted else [None])
    ]

    def parse(cells: list[str]) -> Iterator[Record]:
        if cells:
            yield _make_record(cells, names, text, labels, source.flaws)

    return source.records(read_rows(source, lines, comma), parse)


def _column(
    source: Source, names: list[str], wanted: str | None, usual: tuple, option: str
) -> str:
    lower = {name.strip().lower(): name for name in names}
    for each in [wanted] if wanted else usual:
        if each in names:
            return each
        if not wanted and each in lower:
            return lower[each]
    raise CorpusError(
        source.file,
        1,
        f"no column {wanted or ' or '.join(usual)} among {', '.join(names) or 'none'}; "
        f"name one with {option}",
    )


def _make_record(
    cells: list[str],
    names: list[str],
    text: str,
    labels: list[str],
    flaws: Collector,
) -> Record:
    check_length(cells, names)
    row: dict[str, Any] = dict(zip(names, cells, strict=True))
    content = row.pop(text)
    name = row.pop("id", None)
    found = {label: row.pop(label).strip() for label in labels}
    if len(labels) == 1:
        (label,) = found.values()
        if not label:
            raise ValueError(f"no label for {content[:40]!r}; fill column {labels[0]}")
        if NESTED.match(label):
            raise ValueError(
                f"{labels[0]} is {label[:40]!r}, a list or an object; export JSON"
            )
        several = label.split("#") if DOCCANO in names else [label]
        return Record(content, cats=dict.fromkeys(several, 1.0), id=name, meta=row)
    for label, value in found.items():
        with flaws.of():
            if value.lower() not in (*NO, *YES):
                raise ValueError(f"{label} is {value!r}; write 0 or 1")
    cats = {label: float(value.lower() in YES) for label, value in found.items()}
    return Record(content, cats=cats, id=name, meta=row)


def fits_table(glimpse: Glimpse) -> bool:
    """Whether the first line names a column of texts and one of labels."""
    names, _ = read_names(glimpse.lines[0])
    lower = {name.strip().lower() for name in names}
    if find_table(glimpse, Options()):
        return False
    return bool(lower & set(TEXT)) and bool(lower & set(LABEL))


TABLE = Format(
    "table",
    read_table,
    fits_table,
    options=("text_column", "label_column"),
    categories=lambda options: None,
)
