"""The package's own JSONL: the tokens, and all that is annotated of them.

`corpora/jsonl.py` says what stands in it.
"""

from collections.abc import Mapping
from typing import Any

from ..corpora.record import Record
from .layouts import KINDS, Layout, Sheet, as_line, chosen, in_tokens, n_graded


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
        value["cats"] = _cats(record.cats, sheet)
    if record.id is not None:
        value["id"] = record.id
    if record.meta:
        value["meta"] = record.meta
    return as_line(value)


def _cats(cats: Mapping[str, float], sheet: Sheet) -> dict[str, float]:
    """As they are annotated; of a pipeline, which are the likeliest."""
    if sheet.model is not None:
        if n := n_graded(cats):
            sheet.note(KINDS["scores"], repr(dict(cats)), n)
        names = chosen(cats)
        return {name: int(name in names) for name in cats}
    return {name: int(p) if p in (0, 1) else p for name, p in cats.items()}


JSONL_LAYOUT = Layout(
    "jsonl",
    (
        *("overlaps", "relations", "cats", "graded", "unused", "id", "meta"),
        *("sentences", "text", "tokens"),
    ),
    lay_out_jsonl,
)
