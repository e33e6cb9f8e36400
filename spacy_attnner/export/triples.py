"""Relations of documents as plain records, one after the other."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

from spacy.tokens import Doc, Span

from ..relations import Relation, get_relations
from ..texts.given import DocInfo
from ..texts.json_lines import storable

AROUND = 20  # tokens to each side of an argument, where no sentences are known
LONGEST = 100  # tokens to each side within a sentence: a table may be one
GAP = 30  # tokens between two pieces from which on they are written as two
BETWEEN = " … "


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


def flat(triple: Triple) -> dict[str, Any]:
    """A triple as columns, `head_text` and the like for its arguments.

    What was not given (`doc_id`, `meta`) is left out.
    """
    columns = vars(triple).copy()
    for side in ("head", "tail"):
        argument = columns.pop(side)
        columns |= {f"{side}_{name}": value for name, value in vars(argument).items()}
    return {name: value for name, value in columns.items() if value is not None}


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
            context=_context(relation.head, relation.tail, sentences),
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


def _context(head: Span, tail: Span, sentences: bool) -> str:
    """The sentences of both arguments, or the tokens around them.

    Its length is bounded, so that the relations of a long document do not copy it
    each: arguments far apart give two pieces with an ellipsis between them.

    sentences: Whether the document has sentence starts.
    """
    doc = head.doc
    first, second = sorted(_piece(doc, span, sentences) for span in (head, tail))
    if second[0] - first[1] <= GAP:
        return doc[first[0] : max(first[1], second[1])].text
    return BETWEEN.join(doc[start:end].text for start, end in (first, second))


def _piece(doc: Doc, span: Span, sentences: bool) -> tuple[int, int]:
    """Tokens around an argument, from start to end."""
    reach = LONGEST if sentences else AROUND
    start, end = max(0, span.start - reach), min(len(doc), span.end + reach)
    if sentences and span.start < span.end:  # an empty span is in no sentence
        start = max(start, doc[span.start].sent.start)
        end = min(end, doc[span.end - 1].sent.end)
    return start, end
