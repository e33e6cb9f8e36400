"""What is said of inputs before a run: columns that are missing, types that differ."""

from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO, cast

from ..errors import UserError, sound
from .compressed import decompressed
from .inputs import STANDARD_INPUT, Input
from .parquet_rows import open_table, types_of_others
from .row_readers import Columns, read_csv_rows


def look_at(inputs: Sequence[Input], columns: Columns) -> tuple[Any, Any]:
    """The Arrow types of the ids and of the other columns together, None if unknown.

    They are known where all inputs are Parquet.

    Raises UserError if a table has no column for the texts, or those of two files
    differ.
    """
    types: dict[str, tuple[Any, Any]] = {}
    for source in inputs:
        if source.kind not in ("csv", "parquet") or source.path == STANDARD_INPUT:
            continue
        with (
            sound(f"{source.path} cannot be read", "Make it again, or leave it out."),
            open(source.path, "rb") as raw,
        ):
            file = decompressed(cast(BinaryIO, raw), source.path)
            if source.kind == "csv":
                next(iter(read_csv_rows(file, source.path, 0, columns)), None)
            else:
                schema = open_table(file, source.path, columns).schema_arrow
                types[source.path] = types_of_others(schema, columns)
    if len(types) < len(inputs):
        return None, None
    return _only(types.items())


def _only(types: Iterable[tuple[str, tuple[Any, Any]]]) -> tuple[Any, Any]:
    (first, known), *others = types
    for path, found in others:
        if found != known:
            raise UserError(
                f"{path} and {first} have other columns beside the text: "
                f"{', '.join(map(str, found))} and {', '.join(map(str, known))}",
                "Give one of them at a time, or leave meta out: --fields entities.",
            )
    return known
