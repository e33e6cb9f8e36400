"""Spans of Prodigy's format, made into entities."""

from collections.abc import Callable, Collection
from typing import Any

from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from .checks import check_type
from .jsonl_spans import read_entity

UNLABELLED = "span without a label: given the label of such entities"
OVERLAP = "span that overlaps a longer or an earlier one: left out"
Record = Callable[..., None]  # counts a repair, `record(kind, detail=text)`


def read_spans(
    doc: Doc,
    items: Any,
    entity_label: str,
    *,
    labels: Collection[str] | None,
    record: Record,
) -> list[Span]:
    """Make spans of a list of Prodigy's, in its order.

    items: As JSON gave it: objects with a `label` and either the character offsets
        `start` and `end` or the tokens `token_start` and `token_end`, inclusive.
    entity_label: The label of those that have none.
    labels: The labels allowed; None allows any.

    Raises ValueError if one is malformed or out of range, or does not begin and end
    with a token.
    """
    spans = []
    for i, item in enumerate(check_type(items, list, "spans")):
        name = f"spans[{i}]"
        check_type(item, dict, name)
        label = item.get("label")
        characters = "start" in item or "end" in item
        start, end = _offsets(item, name, characters)
        if label is None:
            label = entity_label
            record(UNLABELLED, detail=f"{name} of {doc.text[:40]!r}")
        entity = {"start": start, "end": end, "label": label}
        spans.append(read_entity(doc, entity, name, characters, labels))
    return spans


def _offsets(item: dict[str, Any], name: str, characters: bool) -> tuple[int, int]:
    keys = ("start", "end") if characters else ("token_start", "token_end")
    for key in keys:
        if key not in item:
            raise ValueError(
                f"missing key {key!r} in {name}; give {' and '.join(keys)}"
            )
    start, end = (check_type(item[key], int, f"{name} {key}") for key in keys)
    return start, end if characters else end + 1


def keep_longest(spans: list[Span], record: Record) -> list[Span]:
    """Leave out spans until none overlaps another: `doc.ents` holds no others."""
    kept = filter_spans(spans)
    places = {id(span) for span in kept}
    for span in spans:
        if id(span) not in places:
            record(OVERLAP, detail=f"{span.text!r} ({span.label_})")
    return kept
