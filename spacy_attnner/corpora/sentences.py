"""Splitting documents into sentences without losing their relations."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from spacy.tokens import Doc, Span

from ..relations import Relation, get_relations, has_relations, set_relations
from .errors import Repairs

CROSSING = "relation across sentences: dropped with --sentences"
CATS_LEFT = "categories of a document of several sentences: dropped with --sentences"


def split_sentences(doc: Doc) -> Iterator[Doc]:
    """Make a document of every sentence; without sentence starts there is just one.

    A relation stays if both its arguments lie in the sentence. `Span.as_doc` alone
    loses all span groups and forgets that the spaces are unknown, which would have
    the words tokenized anew. Like it, this leaves `doc.cats` behind: they hold for the
    document, not for its sentences.
    """
    sentences = list(doc.sents) if doc.has_annotation("SENT_START") else []
    if len(sentences) < 2:
        yield doc
        return
    for sentence in sentences:
        yield part_of(sentence)


def part_of(span: Span) -> Doc:
    """A document of a stretch of another one, relations within it included."""
    doc = span.doc
    part = span.as_doc()
    part.has_unknown_spaces = doc.has_unknown_spaces
    if has_relations(doc):
        set_relations(
            part,
            [
                move_relation(relation, part, span.start)
                for relation in get_relations(doc)
                if _holds(span, relation.head) and _holds(span, relation.tail)
            ],
        )
    return part


def _holds(sentence: Span, span: Span) -> bool:
    return sentence.start <= span.start and span.end <= sentence.end


def move_relation(relation: Relation, doc: Doc, offset: int) -> Relation:
    """The same relation on another document whose tokens begin `offset` later."""
    head, tail = (
        Span(doc, span.start - offset, span.end - offset, span.label)
        for span in (relation.head, relation.tail)
    )
    return Relation(head, tail, relation.label, relation.score)


def split_counting(
    docs: Iterable[Doc], path: str | Path, repairs: Repairs
) -> Iterator[Doc]:
    """Split documents into sentences, counting the annotations that this costs."""
    for number, doc in enumerate(docs, 1):
        parts = list(split_sentences(doc))
        lost = len(get_relations(doc)) - sum(len(get_relations(part)) for part in parts)
        if lost:
            repairs.record(CROSSING, path, f"document {number}", f"{lost} lost", lost)
        if doc.cats and len(parts) > 1:
            repairs.record(CATS_LEFT, path, f"document {number}", str(sorted(doc.cats)))
        yield from parts
