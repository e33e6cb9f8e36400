"""Relations that go with their documents where spaCy leaves them behind."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from copy import deepcopy
from typing import Any

from spacy.tokens import Doc, Span, SpanGroup

from .groups import group_spans, text_start
from .relation import Relation
from .storage import (
    RELATIONS_KEY,
    get_relations,
    has_relations,
    realign_relations,
    set_relations,
)


def merge_docs(
    docs: Iterable[Doc],
    ensure_whitespace: bool = True,
    attrs: list | None = None,
    *,
    exclude: Collection[str] = (),
    key: str = RELATIONS_KEY,
) -> Doc:
    """One document of several, as `Doc.from_docs`, with their relations.

    docs: At least one document; their relations are realigned where tokens were merged.
    ensure_whitespace, attrs, exclude: As in `Doc.from_docs`.
    key: The span group of the relations.

    Raises ValueError if there is no document, or if some have relation annotation and
    others not: the whole would be neither annotated nor unannotated.
    """
    docs = list(docs)
    if not docs:
        raise ValueError("there are no documents to merge")
    for doc in docs:
        realign_relations(doc, key)
    from_docs: Any = Doc.from_docs  # spaCy's stub does not know `exclude`
    merged: Doc = from_docs(docs, ensure_whitespace, attrs, exclude=exclude)
    if "spans" not in exclude and _are_annotated(docs, key):
        relations = []
        offset = 0
        for doc in docs:
            relations += [
                move_relation(each, merged, -offset) for each in get_relations(doc, key)
            ]
            offset += len(doc)
        merged.spans.pop(key, None)
        set_relations(merged, relations, key)
    return merged


def span_to_doc(
    span: Span, *, copy_user_data: bool = False, key: str = RELATIONS_KEY
) -> Doc:
    """A document of a stretch of another one, as `Span.as_doc`, with its relations.

    Relations with an argument outside the stretch are left out. Unlike `Span.as_doc`,
    this remembers whether the spaces of the text are known.
    """
    (part,) = spans_to_docs([span], copy_user_data=copy_user_data, key=key)
    return part


def spans_to_docs(
    spans: Iterable[Span], *, copy_user_data: bool = False, key: str = RELATIONS_KEY
) -> Iterator[Doc]:
    """A document of every span; all of them are spans of one document.

    The document's relations and the attributes of its tokens are read once, not once
    for every span. What is left is spaCy's: `Span.as_doc` looks for entities in the
    whole document.
    """
    spans = list(spans)
    if not spans:
        return
    doc = spans[0].doc
    relations = _ByFirstToken(get_relations(doc, key))
    attrs = list(doc._get_array_attrs())
    array = doc.to_array(attrs)
    options: Any = {"array_head": attrs, "array": array}
    for span in spans:
        stretch = array[span.start : span.end].copy()
        part = span.as_doc(copy_user_data=copy_user_data, **options)
        array[span.start : span.end] = stretch  # `as_doc` writes into it
        part.has_unknown_spaces = doc.has_unknown_spaces
        if has_relations(doc, key):
            inside = relations.inside(span)
            moved = [move_relation(each, part, span.start) for each in inside]
            set_relations(part, moved, key)
        yield part


def copy_doc(doc: Doc, *, leave_out: Collection[str] = ()) -> Doc:
    """A copy of a document, as `doc.copy()`, whatever became of its tokens.

    `doc.copy()` raises an error where a span of a group no longer stands on tokens.

    leave_out: Span groups that are not to be copied.
    """
    groups = dict(doc.spans.items())
    doc.spans.clear()
    try:
        copied = doc.copy()
    finally:
        doc.spans.update(groups)
    for key, group in groups.items():
        if key not in leave_out:
            copied.spans[key] = SpanGroup(
                copied,
                name=group.name,
                attrs=deepcopy(group.attrs),
                spans=[move_span(span, copied, 0) for span in group_spans(group)],
            )
    return copied


def move_relation(relation: Relation, doc: Doc, offset: int) -> Relation:
    """The same relation on another document whose tokens begin `offset` later."""
    head = move_span(relation.head, doc, offset)
    tail = move_span(relation.tail, doc, offset)
    return Relation(head, tail, relation.label, relation.score)


def move_span(span: Span, doc: Doc, offset: int) -> Span:
    """The same span of another document whose tokens begin `offset` later."""
    return Span(
        doc,
        span.start - offset,
        span.end - offset,
        span.label,
        kb_id=span.kb_id,
        span_id=span.id,
    )


class _ByFirstToken:
    """Relations, to be looked up by the stretch that holds both arguments."""

    def __init__(self, relations: list[Relation]) -> None:
        bounds = [
            (
                min(each.head.start, each.tail.start),
                max(each.head.end, each.tail.end),
            )
            for each in relations
        ]
        self.order = sorted(range(len(relations)), key=lambda i: bounds[i][0])
        self.starts = [bounds[i][0] for i in self.order]
        self.ends = [end for _, end in bounds]
        self.relations = relations

    def inside(self, span: Span) -> list[Relation]:
        first = bisect_left(self.starts, span.start)
        stop = bisect_left(self.starts, span.end)
        found = (i for i in self.order[first:stop] if self.ends[i] <= span.end)
        return [self.relations[i] for i in sorted(found)]


def _are_annotated(docs: list[Doc], key: str) -> bool:
    with_tokens = [doc for doc in docs if len(doc)]
    if not with_tokens:
        return any(has_relations(doc, key) for doc in docs)
    states = {has_relations(doc, key): doc for doc in with_tokens}
    if len(states) == 2:
        raise ValueError(
            f"the document {text_start(states[True])} has relation annotation, "
            f"{text_start(states[False])} has none: give the latter an empty one, "
            "set_relations(doc, []), or take it from the former, "
            f"del doc.spans[{key!r}]"
        )
    return True in states
