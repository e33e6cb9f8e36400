"""Entities and relations of the JSONL format: offsets and indices made into spans."""

from collections.abc import Collection
from itertools import pairwise
from typing import Any

from spacy.tokens import Doc, Span

from ..relations import Relation
from .checks import check_keys, check_type
from .errors import check_label


def read_entities(
    doc: Doc, items: Any, *, characters: bool, labels: Collection[str] | None
) -> list[Span]:
    """Make spans of a list of entities, in its order.

    items: A list of {"start", "end", "label"}, as JSON gave it.
    characters: Whether the offsets count characters; otherwise they count tokens.
    labels: The labels allowed; None allows any.

    Raises ValueError if one is malformed or out of range, does not begin and end with
    a token, or overlaps another.
    """
    spans = [
        read_entity(doc, item, f"entities[{i}]", characters, labels)
        for i, item in enumerate(check_type(items, list, "entities"))
    ]
    ordered = sorted(spans, key=lambda span: (span.start, span.end))
    for one, other in pairwise(ordered):
        if other.start < one.end:
            raise ValueError(
                f"entities {one.text!r} ({one.label_}) and {other.text!r} "
                f"({other.label_}) overlap; remove one"
            )
    return spans


def read_entity(
    doc: Doc, item: Any, name: str, characters: bool, labels: Collection[str] | None
) -> Span:
    """Make a span of one {"start", "end", "label"}; `name` is what errors call it.

    Raises ValueError if it is malformed, out of range, or does not begin and end with
    a token.
    """
    check_keys(item, name, required=("start", "end", "label"))
    start = check_type(item["start"], int, f"{name} start")
    end = check_type(item["end"], int, f"{name} end")
    label = read_label(item, name, labels)
    size, unit = (len(doc.text), "characters") if characters else (len(doc), "tokens")
    if not 0 <= start < end <= size:
        raise ValueError(
            f"{name} {label!r} spans {start} to {end}, out of range: the document has "
            f"{size} {unit}; give 0 <= start < end <= {size}"
        )
    if not characters:
        return Span(doc, start, end, label)
    span = doc.char_span(start, end, label)
    if span is None:
        left, right = nearest_boundaries(doc, start, end)
        raise ValueError(
            f"{name} {doc.text[start:end]!r} ({start} to {end}) does not begin and end "
            f"with a token; the nearest that does is {doc.text[left:right]!r} "
            f"({left} to {right})"
        )
    return span


def read_label(item: Any, name: str, labels: Collection[str] | None) -> str:
    """The label of an entity or a relation.

    Raises ValueError if it is no string, empty, or not allowed.
    """
    label = check_type(item["label"], str, f"{name} label")
    if not label:
        raise ValueError(f"{name} label is empty; name its type")
    check_label(label, labels)
    return label


def nearest_boundaries(doc: Doc, start: int, end: int) -> tuple[int, int]:
    """The character offsets nearest to these where a token begins and one ends."""
    left = min((token.idx for token in doc), key=lambda at: abs(at - start))
    ends = (token.idx + len(token) for token in doc)
    right = min((at for at in ends if at > left), key=lambda at: abs(at - end))
    return left, right


def read_relations(
    items: Any, spans: list[Span], *, labels: Collection[str] | None
) -> list[Relation]:
    """Make relations of a list of {"head", "tail", "label"} over these entities.

    Raises ValueError if one is malformed, points at no entity, joins an entity to
    itself, or is given twice.
    """
    found: dict[tuple[int, int, str], Relation] = {}
    for i, item in enumerate(check_type(items, list, "relations")):
        name = f"relations[{i}]"
        check_keys(item, name, required=("head", "tail", "label"))
        label = read_label(item, name, labels)
        head, tail = (_read_index(item, key, name, spans) for key in ("head", "tail"))
        flaw = "joins an entity to itself" if head == tail else ""
        flaw = "is given twice" if (head, tail, label) in found else flaw
        if flaw:
            raise ValueError(
                f"{name} {label!r} from {spans[head].text!r} to {spans[tail].text!r} "
                f"{flaw}; remove it"
            )
        found[head, tail, label] = Relation(spans[head], spans[tail], label)
    return list(found.values())


def _read_index(item: Any, key: str, name: str, spans: list[Span]) -> int:
    index = check_type(item[key], int, f"{name} {key}")
    if not 0 <= index < len(spans):
        raise ValueError(
            f"{name} {key} is {index}, which is no entity: the document has "
            f"{len(spans)}; give its place in entities, counted from 0"
        )
    return index
