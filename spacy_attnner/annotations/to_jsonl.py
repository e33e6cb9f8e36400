"""The package's own JSONL: the tokens, and all that is annotated of them.

`corpora/jsonl.py` says what stands in it.
"""

from typing import Any

from ..corpora.record import Record
from .layouts import Layout, Sheet, as_line, chosen, in_tokens


def lay_out_jsonl(record: Record, sheet: Sheet) -> str:
    value: dict[str, Any] = {"tokens": record.words}
    if record.spaces is not None:
        value["spaces"] = record.spaces
    if record.sent_starts is not None:
        value["sent_starts"] = record.sent_starts
    if record.entities is not None:
        value["entities"] = [
            {"start": first, "end": stop, "label": each.label}
            for each, (first, stop) in zip(
                record.entities, in_tokens(record), strict=True
            )
        ]
    if record.relations is not None:
        value["relations"] = [
            {"head": each.head, "tail": each.tail, "label": each.label}
            for each in record.relations
        ]
    if record.cats is not None:
        names = chosen(record.cats)
        value["cats"] = {name: int(name in names) for name in record.cats}
    if record.id is not None:
        value["id"] = record.id
    if record.meta:
        value["meta"] = record.meta
    return as_line(value)


JSONL_LAYOUT = Layout(
    "jsonl",
    (
        *("overlaps", "relations", "cats", "id", "meta", "sentences"),
        *("text", "tokens"),
    ),
    lay_out_jsonl,
)
