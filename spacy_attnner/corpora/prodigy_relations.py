"""Relations of Prodigy's format: finding the entities that they join."""

from collections.abc import Callable, Collection
from typing import Any

from spacy.tokens import Doc, Span

from ..relations import Relation
from .checks import check_type
from .jsonl_spans import read_label

NO_SPAN = "relation argument that is no span: relation dropped"
OVERLAPPED = "relation of a span that was left out: dropped"
MOVED = "relation argument that is part of a span: moved to the span"
SELF = "relation that joins a span to itself: dropped"
TWICE = "relation given twice: dropped"
KEYS = ("head", "child")
Key = tuple[int, int, str]


def read_relations(
    doc: Doc,
    items: Any,
    entities: list[Span],
    spans: list[Span],
    *,
    labels: Collection[str] | None,
    record: Callable[..., None],
) -> list[Relation]:
    """Make relations of a list of Prodigy's, repairing and counting what is flawed.

    items: As JSON gave it.
    entities: The spans that became entities.
    spans: All spans of the example.
    labels: The labels allowed; None allows any.
    record: Counts a repair, `record(kind, detail=text)`.

    Raises ValueError if one is malformed or contradicts itself.
    """
    found: dict[Key, Relation] = {}
    for i, item in enumerate(check_type(items, list, "relations")):
        name = f"relations[{i}]"
        if "label" not in check_type(item, dict, name):
            raise ValueError(f"missing key 'label' in {name}; name its type")
        label = read_label(item, name, labels)
        texts = [doc[_read_token(doc, item, key, name)].text for key in KEYS]
        (head, head_flaw), (tail, tail_flaw) = (
            _find(item, key, name, entities, spans) for key in KEYS
        )
        if head is None or tail is None:
            flaw = head_flaw if head is None else tail_flaw
        else:
            flaw = _add(found, Relation(head, tail, label)) or head_flaw or tail_flaw
        if flaw:
            record(flaw, detail=f"{label} from {texts[0]!r} to {texts[1]!r}")
    return list(found.values())


def _read_token(doc: Doc, item: dict[str, Any], key: str, name: str) -> int:
    token = check_type(item.get(key), int, f"{name} {key}")
    if not 0 <= token < len(doc):
        raise ValueError(
            f"{name} {key} is token {token}, counted from 0; the example has only "
            f"{len(doc)}"
        )
    return token


def _add(found: dict[Key, Relation], relation: Relation) -> str | None:
    """Add a relation, unless it has a flaw, which is returned."""
    head, tail, label = relation.head, relation.tail, relation.label
    if head == tail:
        return SELF
    if (head.start, tail.start, label) in found:
        return TWICE
    found[head.start, tail.start, label] = relation
    return None


def _find(
    item: dict[str, Any], key: str, name: str, entities: list[Span], spans: list[Span]
) -> tuple[Span | None, str | None]:
    """The entity that an argument means, None if it means none, and its flaw."""
    token = item[key]
    place = check_type(item.get(f"{key}_span") or {}, dict, f"{name} {key}_span")
    # not its token_start: Prodigy stored token_end there where a span begins the text
    offsets = place.get("start"), place.get("end")
    candidates = [*entities, *spans]
    exact = [span for span in candidates if _offsets(span) == offsets]
    around = [span for span in candidates if span.start <= token < span.end]
    if exact and exact[0] not in around:
        raise ValueError(
            f"{name} {key} is token {token}, which is not in its {key}_span "
            f"{exact[0].text!r}; correct one of them"
        )
    if not around:
        return None, NO_SPAN
    span = (exact or around)[0]
    if span not in entities:
        return None, OVERLAPPED
    whole = bool(exact) or (offsets == (None, None) and token == span.end - 1)
    return span, None if whole else MOVED


def _offsets(span: Span) -> tuple[int, int]:
    return span.start_char, span.end_char
