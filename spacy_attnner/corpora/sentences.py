"""Splitting documents into sentences without losing their relations."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from spacy.tokens import Doc

from ..relations import get_relations, spans_to_docs
from .errors import Repairs

CROSSING = "relation across sentences: dropped with --sentences"
CATS_LEFT = "categories of a document of several sentences: dropped with --sentences"


def split_sentences(doc: Doc) -> Iterator[Doc]:
    """Make a document of every sentence; without sentence starts there is just one.

    A relation stays if both its arguments lie in the sentence. Like `Span.as_doc`, this
    leaves `doc.cats` behind: they hold for the document, not for its sentences.
    """
    sentences = list(doc.sents) if doc.has_annotation("SENT_START") else []
    if len(sentences) < 2:
        yield doc
        return
    yield from spans_to_docs(sentences)


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
