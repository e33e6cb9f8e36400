"""JSONL as data sets of Hugging Face have it: tokens with tags, texts with a label.

    {"id": "a7", "tokens": ["Ada", "left", "Oslo"], "ner_tags": ["B-PER", "O", "B-LOC"]}
    {"id": "a7", "text": "Ada left Oslo.", "label": "news"}

Metadata stand beside these keys. A text that is not annotated has the label null.
"""

from typing import Any

from ..corpora.hugging_face import TAGS
from ..corpora.record import Record
from .layouts import (
    KINDS,
    NONE_APPLIES,
    Layout,
    Sheet,
    as_line,
    chosen,
    in_tokens,
    with_meta,
)

RESERVED = frozenset(("id", "tokens", "text", "sentence", "label", *TAGS))
BESIDE = "category of a document that has entities: the format has no place for both"
SEVERAL = "category beside a likelier one: the format has one of a document"


def lay_out_hugging_face(record: Record, sheet: Sheet) -> str:
    note, start = sheet.note, repr((record.text or "")[:40])
    value: dict[str, Any] = {} if record.id is None else {"id": record.id}
    if record.entities is not None:
        value |= {"tokens": list(record.words or ()), "ner_tags": _tags(record)}
        if record.cats:
            note(BESIDE, start, len(record.cats))
        if record.spaces is not None and not all(record.spaces[:-1]):
            note(KINDS["text"], start, 1)
        return as_line(with_meta(value, record, RESERVED, note))
    if record.spaces is None and len(record.words or ()) > 1:
        note(KINDS["tokens"], start, 1)
    value["text"] = record.text
    cats = record.cats or {}
    names = sorted(chosen(cats), key=lambda name: -cats[name])
    value["label"] = names[0] if names else None
    if cats and not names:
        note(NONE_APPLIES, start, 1)
    if names[1:]:
        note(SEVERAL, start, len(names) - 1)
    return as_line(with_meta(value, record, RESERVED, note))


def _tags(record: Record) -> list[str]:
    tags = ["O"] * len(record.words or ())
    for mention, (first, stop) in zip(
        record.entities or (), in_tokens(record), strict=True
    ):
        names = [f"B-{mention.label}", f"I-{mention.label}"]
        tags[first:stop] = [names[0], *names[1:] * (stop - first - 1)]
    return tags


HUGGING_FACE_LAYOUT = Layout(
    "hugging_face",
    ("cats", "id", "meta", "text", "tokens"),
    lay_out_hugging_face,
)
