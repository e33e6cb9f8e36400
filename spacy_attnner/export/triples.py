"""Relations of documents as plain records, one after the other."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

from spacy.tokens import Doc, Span

from ..relations import Relation, get_relations
from .context import get_context
from .text import storable


@dataclass(frozen=True)
class DocInfo:
    """What is known of a document beside its text.

    id: Its name, which no other document of the export should have.
    meta: Whatever else belongs to it, of types that JSON knows.
    """

    id: str | int | None = None
    meta: Any = None


Source = Doc | tuple[Doc, str | int | DocInfo | None]


@dataclass(frozen=True)
class Argument:
    """The head or the tail of a triple; offsets are characters of the document."""

    text: str
    label: str
    start_char: int
    end_char: int


@dataclass(frozen=True)
class Triple:
    """One relation of one document, without reference to either.

    doc: The number of the document, from 0.
    doc_id, meta: As they were given with the document, or None.
    head, tail: The arguments.
    label: The type of the relation.
    score: Its probability.
    context: The sentences that it stands in, or the words around it.
    """

    doc: int
    doc_id: str | int | None
    head: Argument
    label: str
    tail: Argument
    score: float
    context: str
    meta: Any = None


def read_triples(docs: Iterable[Source], *, threshold: float = 0.0) -> Iterator[Triple]:
    """The relations of documents, each document let go before the next is taken.

    docs: Documents, or pairs of a document and its id or `DocInfo`.
    threshold: Leave out relations with a lower score.

    Lone surrogates are replaced with U+FFFD. Raises ValueError for a score that is no
    finite number.
    """
    for number, source in enumerate(docs):
        doc, info = source if isinstance(source, tuple) else (source, None)
        if not isinstance(info, DocInfo):
            info = DocInfo(id=info)
        yield from _triples_of(doc, number, info, threshold)


def _triples_of(
    doc: Doc, number: int, info: DocInfo, threshold: float
) -> Iterator[Triple]:
    doc_id = storable(info.id) if isinstance(info.id, str) else info.id
    sentences = doc.has_annotation("SENT_START")
    for relation in get_relations(doc):
        if not isfinite(relation.score):
            raise ValueError(_describe(relation, number))
        if relation.score < threshold:
            continue
        yield Triple(
            doc=number,
            doc_id=doc_id,
            head=_argument(relation.head),
            label=storable(relation.label),
            tail=_argument(relation.tail),
            score=relation.score,
            context=get_context(relation.head, relation.tail, sentences=sentences),
            meta=info.meta,
        )


def _argument(span: Span) -> Argument:
    return Argument(span.text, span.label_, span.start_char, span.end_char)


def _describe(relation: Relation, number: int) -> str:
    return (
        f"relation {relation.label!r} from {relation.head.text!r} to "
        f"{relation.tail.text!r} in document {number} has the score {relation.score}; "
        "set a probability"
    )
