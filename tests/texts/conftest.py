"""All rows of inputs, as commands get them."""

from pathlib import Path

from spacy_attnner.texts.inputs import find_inputs
from spacy_attnner.texts.row_readers import Columns, Row
from spacy_attnner.texts.row_stream import Part, RowStream


def read_all(given: Path | str, part_rows: int = 4, **settings) -> list[Part]:
    kind = settings.pop("kind", None)
    columns = Columns(**settings)
    parts = []
    with RowStream(find_inputs(str(given), kind), columns, part_rows) as stream:
        while part := stream.read_part():
            parts.append(part)
    return parts


def rows_of(parts: list[Part]) -> list[Row]:
    return [row for part in parts for row in part.rows]
