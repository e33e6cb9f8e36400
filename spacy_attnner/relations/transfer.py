"""Documents merged, cut and copied, with what spaCy leaves behind: the relations, and
the confidences of entities."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from copy import deepcopy
from typing import Any

from spacy.tokens import Doc, Span

from ..confidence import ScoredEntities, confidences_by_key, put_confidences
from ..span_groups import align_groups, group_spans, text_start
from .relation import Relation
from .storage import RELATIONS_KEY, has_relations, relations_by_key, set_relations


def merge_docs(
    docs: Iterable[Doc],
    ensure_whitespace: bool = True,
    attrs: list | None = None,
    *,
    exclude: Collection[str] = (),
    key: str | None = None,
) -> Doc:
    """One document of several, as `Doc.from_docs`, with relations and confidences.

    docs: At least one document.
    ensure_whitespace, attrs, exclude: As in `Doc.from_docs`; tensors are kept where all
        documents have some of one width.
    key: The span group whose relations are kept; None for all.

    Raises ValueError if there is no document, or if some have relation annotation and
    others not: the whole would be neither annotated nor unannotated.
    """
    docs = list(docs)
    if not docs:
        raise ValueError("there are no documents to merge")
    for doc in docs:
        align_groups(doc)
    from_docs: Any = Doc.from_docs  # spaCy's stub does not know `exclude`
    # spaCy joins tensors of all documents, or none: some may have lost theirs
    shapes = {getattr(doc.tensor, "shape", (0,))[1:] for doc in docs if len(doc)}
    unlike = () if len(shapes) < 2 else ("tensor",)
    merged: Doc = from_docs(docs, ensure_whitespace, attrs, exclude=[*exclude, *unlike])
    if "spans" not in exclude:
        _merge_confidences(docs, merged)
        if _are_annotated(docs, key):
            _merge_relations(docs, merged, key)
    return merged


def _merge_relations(docs: list[Doc], merged: Doc, key: str | None) -> None:
    relations: dict[str, list[Relation]] = {}
    offset = 0
    for doc in docs:
        for name, found in relations_by_key(doc).items():
            if key in (None, name):
                moved = [move_relation(each, merged, -offset) for each in found]
                relations.setdefault(name, []).extend(moved)
        offset += len(doc)
    for name, found in relations.items():
        merged.spans.pop(name, None)
        set_relations(merged, found, name)


def _merge_confidences(docs: list[Doc], merged: Doc) -> None:
    found: dict[str, ScoredEntities] = {}
    mixed: set[str] = set()  # of one document ours, of another somebody else's
    offset = 0
    for doc in docs:
        own = confidences_by_key(doc)
        mixed |= doc.spans.keys() - own.keys()
        for key, (entities, turn, layer) in own.items():
            moved = [(move_span(span, merged, -offset), p) for span, p in entities]
            before = found.get(key, ScoredEntities([], 0, True))
            found[key] = ScoredEntities(
                [*before.entities, *moved],
                max(turn, before.turn),
                layer and before.layer,
            )
        offset += len(doc)
    for key in found.keys() - mixed:
        put_confidences(merged, key, found[key])


def span_to_doc(
    span: Span, *, copy_user_data: bool = False, key: str | None = None
) -> Doc:
    """A document of a stretch of another one, as `Span.as_doc`, with its relations and
    the confidences of its entities.

    Relations with an argument outside the stretch are left out. Unlike `Span.as_doc`,
    this remembers whether the spaces of the text are known.
    """
    (part,) = spans_to_docs([span], copy_user_data=copy_user_data, key=key)
    return part


def spans_to_docs(
    spans: Iterable[Span], *, copy_user_data: bool = False, key: str | None = None
) -> Iterator[Doc]:
    """A document of every span; all of them are spans of one document.

    The document's relations and the attributes of its tokens are read once, not once
    for every span. What is left is spaCy's: `Span.as_doc` looks for entities in the
    whole document.

    key: The span group whose relations are kept; None for all.
    """
    spans = list(spans)
    if not spans:
        return
    doc = spans[0].doc
    relations = {
        name: _ByFirstToken(found, list(map(_bounds, found)))
        for name, found in relations_by_key(doc).items()
        if key in (None, name)
    }
    entities = {
        name: (
            scored,
            _ByFirstToken(scored.entities, [(s.start, s.end) for s, _ in scored[0]]),
        )
        for name, scored in confidences_by_key(doc).items()
    }
    attrs = list(doc._get_array_attrs())
    array = doc.to_array(attrs)
    options: Any = {"array_head": attrs, "array": array}
    for span in spans:
        stretch = array[span.start : span.end].copy()
        part = span.as_doc(copy_user_data=copy_user_data, **options)
        array[span.start : span.end] = stretch  # `as_doc` writes into it
        part.has_unknown_spaces = doc.has_unknown_spaces
        for name, found in relations.items():
            moved = [move_relation(r, part, span.start) for r in found.inside(span)]
            set_relations(part, moved, name)
        for name, (scored, by_token) in entities.items():
            inside = by_token.inside(span)
            own = [(move_span(ent, part, span.start), p) for ent, p in inside]
            put_confidences(part, name, scored._replace(entities=own))
        yield part


def split_sentences(doc: Doc) -> Iterator[Doc]:
    """A document of every sentence; without sentence starts there is just one.

    A relation stays if both its arguments lie in the sentence. Like `Span.as_doc`, this
    leaves `doc.cats` behind: they hold for the document, not for its sentences.
    """
    sentences = list(doc.sents) if doc.has_annotation("SENT_START") else []
    if len(sentences) < 2:
        yield doc
    else:
        yield from spans_to_docs(sentences)


def copy_doc(doc: Doc, *, leave_out: Collection[str] = ()) -> Doc:
    """A copy of a document, as `doc.copy()`, whatever became of its tokens.

    `doc.copy()` raises an error where a span of another's group no longer stands on
    tokens.

    leave_out: Span groups that are not to be copied.
    """
    align_groups(doc)
    groups = dict(doc.spans.items())
    doc.spans.clear()
    try:
        copied = doc.copy()
    finally:
        doc.spans.update(groups)
    for key, group in groups.items():
        if key not in leave_out:
            copied.spans[key] = type(group)(
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
    """Things of a document, to be looked up by the stretch that holds all of each."""

    def __init__(self, things: Sequence[Any], bounds: list[tuple[int, int]]) -> None:
        self.order = sorted(range(len(things)), key=lambda i: bounds[i][0])
        self.starts = [bounds[i][0] for i in self.order]
        self.ends = [end for _, end in bounds]
        self.things = things

    def inside(self, span: Span) -> list[Any]:
        first = bisect_left(self.starts, span.start)
        stop = bisect_left(self.starts, span.end)
        found = (i for i in self.order[first:stop] if self.ends[i] <= span.end)
        return [self.things[i] for i in sorted(found)]


def _bounds(relation: Relation) -> tuple[int, int]:
    """The tokens from the first argument to the last one."""
    head, tail = relation.head, relation.tail
    return min(head.start, tail.start), max(head.end, tail.end)


def _are_annotated(docs: list[Doc], key: str | None) -> bool:
    with_tokens = [doc for doc in docs if len(doc)]
    if not with_tokens:
        return any(has_relations(doc, key) for doc in docs)
    states = {has_relations(doc, key): doc for doc in with_tokens}
    if len(states) == 2:
        raise ValueError(
            f"the document {text_start(states[True])} has relation annotation, "
            f"{text_start(states[False])} has none: give the latter an empty one, "
            "set_relations(doc, []), or take it from the former, "
            f"del doc.spans[{key or RELATIONS_KEY!r}]"
        )
    return True in states
