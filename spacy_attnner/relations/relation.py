"""What a relation is."""

from dataclasses import dataclass

from spacy.tokens import Span


@dataclass(frozen=True)
class Relation:
    """One directed, labelled relation between two spans of a document.

    head: The span that the relation starts from.
    tail: The span that it points at.
    label: Its type, e.g. "Work_For".
    score: Its probability, 1.0 for annotations.
    """

    head: Span
    tail: Span
    label: str
    score: float = 1.0


def span_key(span: Span) -> tuple[int, int, int]:
    """What makes two arguments of a document the same one: tokens and type."""
    return span.start, span.end, span.label


def relation_key(relation: Relation) -> tuple:
    """What makes two relations of a document the same one, whatever their scores."""
    return span_key(relation.head), span_key(relation.tail), relation.label
