"""Documents as records: the one place where annotations are taken out of them.

`corpora/documents.py` makes documents of records.
"""

from collections.abc import Callable, Collection
from typing import Any

from spacy.tokens import Doc, Span

from ..confidence import confidences
from ..corpora.documents import ID, META
from ..corpora.record import Link, Mention, Record
from ..corpora.semeval import ENTITY_LABEL
from ..relations import get_relations, has_relations
from ..relations.relation import span_key
from ..relations.storage import relation_keys
from ..span_groups import group_spans
from ..texts.json_lines import jsonable

ENTS = "doc.ents"  # the place of entities that are there
PARTLY = "document with entities on some tokens: the others are written as without"
UNLABELLED = f"span without a label: written as {ENTITY_LABEL}"
BLANK = "span of whitespace, or of nothing: left out"
GROUP = "span of the group {0!r}: left out; --spans-key {0} writes them"
Note = Callable[[str, str, int], None]  # kind, detail, how many
Key = tuple[int, int, int]


def make_record(
    doc: Doc, keys: Collection[str], note: Note, *, predicted: bool = False
) -> Record:
    """A document as a record of characters, with its tokens.

    Entities are those of the span groups, then `doc.ents`, then arguments of relations
    that are in neither. Tokens whose spaces are unknown have one between them.

    keys: The span groups.
    note: Is told of what is left out, or changed.
    predicted: Whether a pipeline annotated it, so that relations have scores.

    Raises ValueError for relations that are damaged.
    """
    unknown = doc.has_unknown_spaces
    words = [token.text for token in doc]
    spans = _collect(doc, keys)
    _note_groups(doc, keys, spans, note)
    usable = {key: span for key, span in spans.items() if span.text.strip()}
    if len(usable) < len(spans):
        note(BLANK, repr(doc.text[:40]), len(spans) - len(usable))
    return Record(
        text=" ".join(words) if unknown else doc.text,
        words=words,
        spaces=None if unknown else [bool(token.whitespace_) for token in doc],
        sent_starts=_sent_starts(doc),
        entities=_mentions(doc, usable, note),
        relations=_links(doc, usable, predicted) if has_relations(doc) else None,
        cats=dict(doc.cats) or None,
        id=_id(doc.user_data.get(ID)),
        meta=jsonable(doc.user_data.get(META) or {}),
        partial=_is_partial(doc),
    )


def _collect(doc: Doc, keys: Collection[str]) -> dict[Key, Span]:
    found: dict[Key, Span] = {}
    for key in keys:
        if key in doc.spans:
            for span in group_spans(doc.spans[key]):
                found.setdefault(span_key(span), span)
    for span in doc.ents:
        found.setdefault(span_key(span), span)
    for relation in get_relations(doc):
        for span in (relation.head, relation.tail):
            found.setdefault(span_key(span), span)
    return found


def _note_groups(
    doc: Doc, keys: Collection[str], spans: dict[Key, Span], note: Note
) -> None:
    for name in doc.spans.keys() - {*keys, *relation_keys(doc)}:
        others = [
            span for span in group_spans(doc.spans[name]) if span_key(span) not in spans
        ]
        if others:
            detail = f"{others[0].text!r} ({others[0].label_})"
            note(GROUP.format(name), detail, len(others))


def _mentions(doc: Doc, spans: dict[Key, Span], note: Note) -> list[Mention] | None:
    """None if entities are not annotated; an empty document has none."""
    if not spans and not _is_annotated(doc):
        return None
    ents = {span_key(ent) for ent in doc.ents}
    scores = confidences(doc, spans.values())
    found = []
    for (key, span), score in zip(spans.items(), scores, strict=True):
        if not span.label_:
            note(UNLABELLED, repr(span.text), 1)
        label, place = span.label_ or ENTITY_LABEL, ENTS if key in ents else "span"
        at = span.start_char, span.end_char
        found.append(Mention(*at, label, place, span.text, score=score))
    if _is_partial(doc):
        note(PARTLY, repr(doc.text[:40]), 1)
    return found


def _is_annotated(doc: Doc) -> bool:
    return doc.has_annotation("ENT_IOB") if len(doc) else not doc.cats


def _is_partial(doc: Doc) -> bool:
    some = bool(len(doc)) and doc.has_annotation("ENT_IOB")
    return some and not doc.has_annotation("ENT_IOB", require_complete=True)


def _links(doc: Doc, spans: dict[Key, Span], predicted: bool) -> list[Link]:
    """A score of 1 is that of an annotation."""
    places = {key: i for i, key in enumerate(spans)}
    found = []
    for relation in get_relations(doc):
        ends = [places.get(span_key(s)) for s in (relation.head, relation.tail)]
        if None not in ends:
            scored = predicted or relation.score != 1.0
            score = float(relation.score) if scored else None
            head, tail = (int(end) for end in ends if end is not None)
            found.append(Link(head, tail, relation.label, score=score))
    return found


def _sent_starts(doc: Doc) -> list[bool] | None:
    # a document of one token begins a sentence whether annotated or not
    if len(doc) < 2 or not doc.has_annotation("SENT_START"):
        return None
    return [bool(token.is_sent_start) for token in doc]


def _id(given: Any) -> str | int | None:
    return given if type(given) in (str, int, type(None)) else str(given)
