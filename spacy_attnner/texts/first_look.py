"""What is said of inputs before a run: columns that are missing, types that differ,
encodings.
"""

from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO, cast

from ..compressed import decompressed
from ..errors import Gathered, UserError, sound
from .inputs import STANDARD_INPUT, Input
from .parquet_rows import open_table, type_of_ids, type_of_others
from .row_readers import Columns, check_encoding, read_csv_rows

LOOKED_AT = ("txt", "jsonl", "csv", "parquet")


def look_at(inputs: Sequence[Input], columns: Columns) -> tuple[Any, Any]:
    """The Arrow types of integer ids and of the other columns together.

    They are known where all inputs are Parquet, and None otherwise; the ids' is None,
    too, where some are strings, or integers of another type.

    Raises UserError if tables have no column for the texts, files cannot be read or are
    UTF-16, which names all of them, or the other columns of two files differ.
    """
    wrong = Gathered()
    ids: set[Any] = set()
    others: dict[str, Any] = {}
    for source in inputs:
        if source.kind not in LOOKED_AT or source.path == STANDARD_INPUT:
            continue
        with (
            wrong.each(),
            sound(f"{source.path} cannot be read", "Make it again, or leave it out."),
            open(source.path, "rb") as raw,
        ):
            file = decompressed(cast(BinaryIO, raw), source.path)
            if source.kind == "csv":
                next(iter(read_csv_rows(file, source.path, 0, columns)), None)
            elif source.kind != "parquet":
                check_encoding(file, source.path)
            else:
                table = open_table(file, source.path, columns)
                ids.add(type_of_ids(table, columns))
                others[source.path] = type_of_others(table, columns)
    wrong.check()
    if len(others) < len(inputs):
        return None, None
    return ids.pop() if len(ids) == 1 else None, _only(others.items())


def _only(types: Iterable[tuple[str, Any]]) -> Any:
    (first, known), *others = types
    for path, found in others:
        if found != known:
            raise UserError(
                f"{path} and {first} have other columns beside text and id: "
                f"{found} and {known}",
                "Give one of them at a time, or leave meta out: --fields entities.",
            )
    return known
