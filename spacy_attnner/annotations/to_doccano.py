"""Doccano's JSONL, as its import reads it and its export writes it.

    {"id": 1, "text": "Ada left.", "label": [[0, 3, "PER"]]}
    {"id": 1, "text": "Ada left.", "label": ["news"]}
    {"id": 1, "text": "Ada left.", "entities": [{"id": 1, "label": "PER",
     "start_offset": 0, "end_offset": 3}], "relations": [{"id": 1, "from_id": 1,
     "to_id": 2, "type": "Left"}], "Comments": []}

The last where relations are annotated. Metadata stand beside these keys.

https://doccano.github.io/doccano/tutorial/
"""

from typing import Any

from ..corpora.doccano import KEYS
from ..corpora.record import Record
from .layouts import Layout, Sheet, as_line, chosen, with_meta

BESIDE = "category of a document that has entities: the format has no place for both"


def lay_out_doccano(record: Record, sheet: Sheet) -> str:
    value: dict[str, Any] = {} if record.id is None else {"id": record.id}
    value["text"] = record.text
    if record.entities is not None and record.relations is not None:
        value |= {**_objects(record), "Comments": []}
    elif record.entities is not None:
        value["label"] = [[e.start, e.end, e.label] for e in record.entities]
    elif record.cats is not None:
        value["label"] = chosen(record.cats)
    if record.entities is not None and record.cats:
        sheet.note(BESIDE, repr((record.text or "")[:40]), len(record.cats))
    return as_line(with_meta(value, record, KEYS, sheet.note))


def _objects(record: Record) -> dict[str, Any]:
    entities = [
        {"id": i, "label": e.label, "start_offset": e.start, "end_offset": e.end}
        for i, e in enumerate(record.entities or (), 1)
    ]
    relations = [
        {"id": i, "from_id": r.head + 1, "to_id": r.tail + 1, "type": r.label}
        for i, r in enumerate(record.relations or (), 1)
    ]
    return {"entities": entities, "relations": relations}


DOCCANO_LAYOUT = Layout(
    "doccano",
    ("overlaps", "relations", "cats", "id", "meta", "text"),
    lay_out_doccano,
)
