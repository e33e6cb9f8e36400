"""Tables of what was found, as Parquet with typed columns.

pandas, Polars, DuckDB and Spark read them. pyarrow is imported where it is needed.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from ..texts.parquet_rows import import_pyarrow


def document_schema(fields: Iterable[str], id: Any, meta: Any) -> Any:
    """Columns of one row per document.

    fields: What it has beside the id, of `FIELDS`.
    id, meta: Types of these columns; strings, of JSON in the latter, if None.
    """
    pa = import_pyarrow()
    places = [("start", pa.int32()), ("end", pa.int32())]
    named = [("text", pa.string()), ("label", pa.string()), *places]
    confidence, score = ("confidence", pa.float64()), ("score", pa.float64())
    argument = pa.struct(named)
    relation = [
        *(("head", argument), ("label", pa.string()), ("tail", argument)),
        score,
    ]
    types = {
        "text": pa.string(),
        "entities": pa.list_(pa.struct([*named, confidence])),
        "relations": pa.list_(pa.struct(relation)),
        "cats": pa.list_(pa.struct([("label", pa.string()), score])),
        "tokens": pa.list_(pa.struct([("text", pa.string()), *places])),
        "meta": meta or pa.string(),
    }
    chosen = [(name, types[name]) for name in fields]
    return pa.schema([("id", id or pa.string()), *chosen])


def flat_schema(names: Iterable[str], id: Any, meta: Any) -> Any:
    """Columns of one row per entity or relation, of these names."""
    pa = import_pyarrow()

    def type_of(name: str) -> Any:
        if name == "id":
            return id or pa.string()
        if name == "meta":
            return meta or pa.string()
        if name in ("confidence", "score"):
            return pa.float64()
        return pa.int32() if name.endswith(("start", "end")) else pa.string()

    return pa.schema([(name, type_of(name)) for name in names])


def table_bytes(records: list[dict[str, Any]], schema: Any) -> bytes:
    """A whole Parquet file."""
    pa = import_pyarrow()
    table = pa.Table.from_pylist(records, schema=schema)
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def join_tables(parts: Iterable[Path], schema: Any, file: BinaryIO) -> None:
    """Write the rows of all parts as one table, a row group each."""
    pa = import_pyarrow()
    with pa.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for part in parts:
            writer.write_table(pa.parquet.read_table(part, schema=schema))
