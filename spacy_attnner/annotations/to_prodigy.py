"""Prodigy's JSONL: tokens, spans, relations, and options of which some are accepted.

`corpora/prodigy.py` says what stands in it. Annotations are accepted examples
(`"answer": "accept"`); predictions have no answer yet, and a `score` beside each span,
relation and option.

https://prodi.gy/docs/api-interfaces
"""

from itertools import pairwise
from typing import Any

from ..corpora.record import Record
from .layouts import (
    Layout,
    Sheet,
    as_line,
    bounds_of,
    chosen,
    in_tokens,
    note_graded,
    with_score,
)


def lay_out_prodigy(record: Record, sheet: Sheet) -> str:
    value: dict[str, Any] = {} if record.id is None else {"id": record.id}
    value |= {"text": record.text, "tokens": _tokens(record)}
    spans = _spans(record)
    if record.entities is not None:
        value["spans"] = spans
    if record.relations is not None:
        value["relations"] = [
            {
                "head": spans[link.head]["token_end"],
                "child": spans[link.tail]["token_end"],
                "head_span": spans[link.head],
                "child_span": spans[link.tail],
                "label": link.label,
                **with_score(link.score),
            }
            for link in record.relations
        ]
    if record.cats is not None:
        value |= _options(record)
        note_graded(record, sheet)
    if record.meta:
        value["meta"] = record.meta
    if sheet.model is None:
        value["answer"] = "accept"
    return as_line(value)


def _tokens(record: Record) -> list[dict[str, Any]]:
    bounds = [*bounds_of(record), (len(record.text or ""), 0)]
    return [
        {"text": word, "start": start, "end": end, "id": i, "ws": end < following}
        for i, (word, ((start, end), (following, _))) in enumerate(
            zip(record.words or (), pairwise(bounds), strict=True)
        )
    ]


def _spans(record: Record) -> list[dict[str, Any]]:
    return [
        {
            "start": each.start,
            "end": each.end,
            "token_start": first,
            "token_end": stop - 1,
            "label": each.label,
            **with_score(each.score),
        }
        for each, (first, stop) in zip(
            record.entities or (), in_tokens(record), strict=True
        )
    ]


def _options(record: Record) -> dict[str, Any]:
    cats = record.cats or {}
    soft = any(value not in (0, 1) for value in cats.values())
    options = [
        {"id": name, "text": name, **with_score(value if soft else None)}
        for name, value in cats.items()
    ]
    return {"options": options, "accept": chosen(cats)}


PRODIGY_LAYOUT = Layout(
    "prodigy",
    (
        *("overlaps", "relations", "cats", "graded", "unused", "id", "meta"),
        *("scores", "text"),
    ),
    lay_out_prodigy,
)
