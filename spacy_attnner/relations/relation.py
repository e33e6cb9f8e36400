"""What a relation is, and what makes one, or what is stored as one, wrong."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from typing import Any

from spacy.tokens import Doc, Span, SpanGroup

from ..span_groups import TRIPLES, text_start


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


def check_relation(relation: Any, doc: Doc) -> None:
    """Raises ValueError for what cannot be stored on a document as a relation."""
    if not isinstance(relation, Relation):
        raise ValueError(f"{relation!r} is not a Relation(head, tail, label, score)")
    label, score = relation.label, relation.score
    if not isinstance(label, str) or not label:
        raise ValueError(f"relation label {label!r} is not a non-empty string")
    for span in (relation.head, relation.tail):
        if span.doc is not doc:
            raise ValueError(
                f"argument {span.text!r} of relation {label!r} belongs to another "
                "document; build it from this one: doc[start:end]"
            )
        if span.start >= span.end:
            raise ValueError(
                f"argument {span.start}:{span.end} of relation {label!r} has no tokens"
            )
    if not isinstance(score, Real) or not math.isfinite(score):
        raise ValueError(
            f"score {score!r} of relation {label!r} between {relation.head.text!r} and "
            f"{relation.tail.text!r} is not a number"
        )


def check_new(relation: Relation, triple: tuple, known: dict) -> None:
    """Raises ValueError for a relation of a span to itself, and for a second one."""
    head, tail, label = triple
    if head == tail:
        raise ValueError(f"relation {label!r} joins {relation.head.text!r} to itself")
    if triple in known:
        raise ValueError(
            f"relation {label!r} between {relation.head.text!r} and "
            f"{relation.tail.text!r} is given twice"
        )


def check_free(doc: Doc, key: str) -> None:
    """Raises ValueError for a span group that holds something else than relations."""
    group = doc.spans.get(key)
    if group is not None and len(group) and TRIPLES not in group.attrs:
        raise ValueError(
            f"doc.spans[{key!r}] of the document {text_start(doc)} holds spans without "
            "relations, and setting relations would replace them: give them another "
            f"key, or delete them with del doc.spans[{key!r}]"
        )


def stored_triples(group: SpanGroup, key: str) -> Iterable[Any]:
    """The `[head, tail, label, score]` of a group's relations.

    Raises ValueError if they are no list, or one of them is something else.
    """
    triples = group.attrs[TRIPLES]
    if not isinstance(triples, list | tuple):
        raise ValueError(
            f"the relations of the document {text_start(group.doc)} are {triples!r}, "
            f"not a list: set them with set_relations, or delete doc.spans[{key!r}]"
        )
    for triple in triples:
        if not _is_triple(triple, len(group)):
            raise ValueError(
                f"relation {triple!r} of the document {text_start(group.doc)} is not "
                "[head, tail, label, score] with head and tail counting from 0 to "
                f"{len(group) - 1}, the last span of doc.spans[{key!r}]"
            )
    return triples


def _is_triple(triple: Any, n_spans: int) -> bool:
    if not isinstance(triple, list | tuple) or len(triple) != 4:
        return False
    head, tail, label, score = triple
    # `type`, for True is an int and an index that no user means
    return (
        type(head) is int
        and type(tail) is int
        and 0 <= head < n_spans
        and 0 <= tail < n_spans
        and isinstance(label, str)
        and type(score) in (float, int)
    )
