"""Files of results, one a part, and what becomes of them in the end: one file.

A part is encoded row by row, so that a row that cannot be written is one that fails.
"""

import csv
import io
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from spacy.tokens import Doc, DocBin

from ..corpora.storing import Bin
from ..errors import UserError
from ..texts.json_lines import json_line
from ..texts.row_readers import Row, unnested
from .parquet_tables import document_schema, flat_schema, join_tables, table_bytes
from .results import PER, columns_of, flat_records, plain_id, record_of

FORMATS = ("jsonl", "csv", "parquet", "spacy")


@dataclass(frozen=True)
class Layout:
    """How results are written.

    format: One of `FORMATS`.
    fields: What of each text, of `results.FIELDS`; a .spacy file holds all.
    per: What has a row of its own: "document", "entity" or "relation".
    id, meta: Arrow's types of these columns; None for strings, of JSON in the latter.
    """

    format: str
    fields: tuple[str, ...]
    per: str = "document"
    id: Any = None
    meta: Any = None

    def __post_init__(self) -> None:
        if self.format == "spacy" and self.per != PER[0]:
            raise UserError(
                f"a .spacy file has no row per {self.per}", "Name another format."
            )

    def encode(self, doc: Doc, row: Row) -> Any:
        """What of one document goes into a part file.

        Raises ValueError, TypeError or the like for what cannot be written.
        """
        if self.format == "spacy":
            return _stored(doc, row)
        if self.per == PER[0]:
            records = [record_of(doc, row, self.fields)]
        else:
            records = list(flat_records(doc, row, self.per, self.fields))
        if self.format == "jsonl":
            return "".join(json_line(each) + "\n" for each in records)
        if self.format == "csv":
            return _cells(records, self.columns)
        return [self._typed(each) for each in records]

    def join(self, pieces: Iterable[Any]) -> bytes:
        """A whole part file of what `encode` gave of its documents, in their order."""
        if self.format == "spacy":
            return _joined_docs(pieces).to_bytes()
        if self.format == "parquet":
            return table_bytes([each for rows in pieces for each in rows], self._schema)
        return (self._header + "".join(pieces)).encode("utf-8")

    def join_files(self, parts: Sequence[Path], file: BinaryIO) -> None:
        """Write the rows of all parts, in their order, as one file."""
        if self.format == "parquet":
            join_tables(parts, self._schema, file)
        elif self.format == "spacy":
            bins = (DocBin(store_user_data=True).from_disk(part) for part in parts)
            file.write(_joined_docs(bins).to_bytes())
        else:
            header = self._header.encode("utf-8")
            for number, part in enumerate(parts):
                with part.open("rb") as source:
                    source.seek(len(header) if number else 0)
                    shutil.copyfileobj(source, file)

    def _typed(self, record: dict[str, Any]) -> dict[str, Any]:
        """A record as Arrow's types want it."""
        if self.id is None:
            record["id"] = str(record["id"])
        if "cats" in record:
            cats = record["cats"].items()
            record["cats"] = [{"label": name, "score": score} for name, score in cats]
        if self.meta is None and "meta" in record:
            record["meta"] = json_line(record["meta"])
        return record

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of a table."""
        return columns_of(self.per, self.fields)

    @property
    def _header(self) -> str:
        """The first line of each file."""
        names = [dict(zip(self.columns, self.columns, strict=True))]
        return _cells(names, self.columns) if self.format == "csv" else ""

    @property
    def _schema(self) -> Any:
        if self.per == PER[0]:
            return document_schema(self.fields, self.id, self.meta)
        return flat_schema(self.columns, self.id, self.meta)


def _cells(records: Iterable[dict[str, Any]], columns: Sequence[str]) -> str:
    """Rows of CSV (RFC 4180); lists and objects are written as JSON."""
    file = io.StringIO()
    writer = csv.writer(file)
    for record in records:
        cells = (record.get(name) for name in columns)
        writer.writerow(
            json_line(cell) if isinstance(cell, dict | list) else cell for cell in cells
        )
    return file.getvalue()


def _stored(doc: Doc, row: Row) -> DocBin:
    """A document by itself, with id and metadata as JSON has them in its user data."""
    doc.user_data["id"] = plain_id(row)
    if (meta := unnested(row.meta)) is not None:
        doc.user_data["meta"] = json.loads(json_line(meta))
    stored = Bin(Path(row.place))
    stored.add(doc)
    return stored.docs


def _joined_docs(bins: Iterable[DocBin]) -> DocBin:
    joined = DocBin(store_user_data=True)
    for each in bins:
        joined.merge(each)
    return joined
