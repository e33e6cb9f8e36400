"""Rows of text out of Parquet, group by group; pyarrow is imported when one is read."""

from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO, FileIO
from typing import Any, BinaryIO

from ..errors import UserError, import_extra, message_of
from .row_readers import META, Columns, Row, check_columns, id_or, not_utf8, row_of

PARQUET_ROWS = 1000  # that are decoded at a time
# what is raised by a value that Python's types cannot hold
UNREADABLE = (ValueError, ArithmeticError, LookupError, NotImplementedError)


def read_parquet_rows(
    file: BinaryIO, name: str, skip: int, columns: Columns
) -> Iterator[Row]:
    """A row of a table. Raises UserError if it has no such column of strings."""
    table = open_table(file, name, columns)
    groups, number = [], 0
    for group in range(table.num_row_groups):
        n_rows = table.metadata.row_group(group).num_rows
        if groups or number + n_rows > skip:
            groups.append(group)
        else:
            number += n_rows
    known = (columns.text, columns.id)
    names = (
        None if columns.meta else [n for n in table.schema_arrow.names if n in known]
    )
    for batch in table.iter_batches(PARQUET_ROWS, groups, names, use_threads=False):
        for record in _records(batch):
            number += 1
            if number > skip:
                yield _parquet_row(f"{name}:{number}", record, columns)


def import_pyarrow() -> Any:
    """Raises UserError if it is not installed."""
    import_extra("pyarrow.parquet", "parquet", "Parquet")
    return import_extra("pyarrow", "parquet", "Parquet")


def open_table(file: BinaryIO, name: str, columns: Columns) -> Any:
    """A table of texts, read group by group.

    Raises UserError if it has no column of strings of that name, or its ids are neither
    strings nor integers; pyarrow's errors for a damaged file.
    """
    pa = import_pyarrow()
    on_disk = isinstance(getattr(file, "raw", None), FileIO)
    table = pa.parquet.ParquetFile(file if on_disk else BytesIO(file.read()))
    schema = table.schema_arrow
    check_columns(schema.names, columns, name)
    text = schema.field(columns.text).type
    if not _is_string(pa, text):
        raise UserError(
            f"the column {columns.text!r} of {name} holds {text}, not strings",
            "Say which holds the texts: --text COLUMN",
        )
    if columns.id in schema.names:
        id = schema.field(columns.id).type
        if not (_is_string(pa, id) or pa.types.is_integer(id)):
            raise UserError(
                f"the column {columns.id!r} of {name} holds {id}, no strings or "
                "integers",
                "Say which holds the ids: --id COLUMN",
            )
    return table


def type_of_ids(table: Any, columns: Columns) -> Any:
    """The type of integers that all rows have as ids, None if they are strings.

    A row without an id gets its place as one, which is a string.
    """
    schema = table.schema_arrow
    if columns.id not in schema.names:
        return None
    type = schema.field(columns.id).type
    if not import_pyarrow().types.is_integer(type) or _may_lack(table, columns.id):
        return None
    return type


def type_of_others(table: Any, columns: Columns) -> Any:
    """The type of all columns beside text and id together, None if there are none, or
    Arrow cannot make it of Python's values again, as those of extensions.

    A struct `meta` is taken apart as `row_readers.unnested` does it.
    """
    pa = import_pyarrow()
    known = (columns.text, columns.id)
    others = {each.name: each for each in table.schema_arrow if each.name not in known}
    if META in others and pa.types.is_struct(others[META].type):
        inner = {each.name: each for each in others[META].type}
        if not inner.keys() & (others.keys() - {META}):
            del others[META]
            others |= inner
    if not others or not columns.meta:
        return None
    together = pa.struct(list(others.values()))
    try:
        pa.array([], together)
    except pa.ArrowNotImplementedError:
        return None
    return together


def _may_lack(table: Any, name: str) -> bool:
    """Whether the statistics of a file leave open that a column has nulls."""
    for i in range(table.num_row_groups):
        group = table.metadata.row_group(i)
        for column in map(group.column, range(group.num_columns)):
            if column.path_in_schema == name:
                counted = column.statistics
                if counted is None or not counted.has_null_count or counted.null_count:
                    return True
    return False


def _is_string(pa: Any, type: Any) -> bool:
    if pa.types.is_dictionary(type):
        type = type.value_type
    known = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(each(type) for each in known)


def _records(batch: Any) -> Iterator[dict[str, Any]]:
    """Rows of a batch, each value by itself where Python cannot hold one of them: bytes
    that are no UTF-8, dates after the year 9999, unknown time zones.
    """
    with suppress(*UNREADABLE):
        yield from batch.to_pylist()
        return
    for i in range(batch.num_rows):
        record: dict[str, Any] = {}
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            try:
                record[name] = column[i].as_py()
            except UNREADABLE as error:
                record[name] = error
        yield record


def _parquet_row(place: str, record: dict[str, Any], columns: Columns) -> Row:
    for name, value in record.items():
        if isinstance(value, Exception):
            id = id_or(record.get(columns.id), place)
            what = f"what {name!r} holds cannot be read, {message_of(value)}"
            if isinstance(value, UnicodeDecodeError):
                what = not_utf8(value)
            return Row(place, id, problem=what)
    return row_of(place, record, columns)
