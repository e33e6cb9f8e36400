"""Relations in a span group: reading, writing, and what makes a group wrong."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from typing import Any

from spacy.tokens import Doc, Span, SpanGroup

from .groups import realigned_spans, stored_spans, text_start

RELATIONS_KEY = "relations"


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


def has_relations(doc: Doc, key: str = RELATIONS_KEY) -> bool:
    """Whether the document carries relation annotation, be it an empty one."""
    return key in doc.spans and "triples" in doc.spans[key].attrs


def get_relations(doc: Doc, key: str = RELATIONS_KEY) -> list[Relation]:
    """Read the relations of a document, in the order they were set.

    Where tokens were merged or split since, arguments are found by their characters;
    one that ends inside a merged token takes all of it. Relations whose arguments thus
    became one and the same span are left out, and of those that became the same
    relation the one with the highest score stays.

    Raises ValueError if what is stored is not what `set_relations` stores.
    """
    if not has_relations(doc, key):
        return []
    group = doc.spans[key]
    stored = stored_spans(group)
    spans = realigned_spans(group) if stored is None else stored
    relations = []
    for triple in _triples(group, key):
        if not _is_triple(triple, len(spans)):
            raise ValueError(
                f"relation {triple!r} of the document {text_start(doc)} is not [head, "
                "tail, label, score] with head and tail counting from 0 to "
                f"{len(spans) - 1}, the last span of doc.spans[{key!r}]"
            )
        head, tail, label, score = triple
        relations.append(Relation(spans[head], spans[tail], label, float(score)))
    return _distinct(relations) if stored is None else relations


def set_relations(
    doc: Doc, relations: Iterable[Relation], key: str = RELATIONS_KEY
) -> None:
    """Store relations on a document, replacing those that were there.

    Raises ValueError if an argument is empty or belongs to another document, if a
    label is no string or a score no number, if a relation's two arguments are the same
    span, if a relation is given twice, or if the span group holds something that is
    not relations.
    """
    if not has_relations(doc, key) and key in doc.spans and len(doc.spans[key]):
        raise ValueError(
            f"doc.spans[{key!r}] of the document {text_start(doc)} holds spans without "
            "relations, and setting relations would replace them: give them another "
            f"key, or delete them with del doc.spans[{key!r}]"
        )
    spans: list[Span] = []
    index: dict[tuple[int, int, int], int] = {}
    triples: dict[tuple[int, int, str], float] = {}
    for relation in relations:
        _check(relation, doc)
        head, tail = (
            _index(span, spans, index) for span in (relation.head, relation.tail)
        )
        triple = head, tail, str(relation.label)
        _check_new(relation, triple, triples)
        triples[triple] = float(relation.score)
    doc.spans[key] = SpanGroup(
        doc,
        name=key,
        attrs={"triples": [[*triple, score] for triple, score in triples.items()]},
        spans=spans,
    )


def realign_relations(doc: Doc, key: str = RELATIONS_KEY) -> int:
    """Store a document's relations anew after its tokens were merged or split.

    `get_relations` does not need it. spaCy's `doc.copy()`, `doc.to_bytes()`, `DocBin`,
    `doc.to_json()` and `Doc.from_docs` do: they go by the token indices of span groups
    and raise an error where there is no such token. Where spaces are unknown,
    `DocBin` puts one between the parts of a split token, which moves all characters
    after it: split no tokens of such documents.

    Returns how many relations were lost because merging made their arguments the same.
    """
    if not has_relations(doc, key) or stored_spans(doc.spans[key]) is not None:
        return 0
    n_stored = len(doc.spans[key].attrs["triples"])
    relations = get_relations(doc, key)
    set_relations(doc, relations, key)
    return n_stored - len(relations)


def _triples(group: SpanGroup, key: str) -> Iterable[Any]:
    triples = group.attrs["triples"]
    if not isinstance(triples, list | tuple):
        raise ValueError(
            f"the relations of the document {text_start(group.doc)} are {triples!r}, "
            f"not a list: set them with set_relations, or delete doc.spans[{key!r}]"
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


def _distinct(relations: list[Relation]) -> list[Relation]:
    best: dict[tuple, Relation] = {}
    for each in relations:
        head, tail = _span_key(each.head), _span_key(each.tail)
        known = best.get((head, tail, each.label))
        if head != tail and (known is None or known.score < each.score):
            best[head, tail, each.label] = each
    return list(best.values())


def _check(relation: Any, doc: Doc) -> None:
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


def _check_new(relation: Relation, triple: tuple, known: dict) -> None:
    head, tail, label = triple
    if head == tail:
        raise ValueError(f"relation {label!r} joins {relation.head.text!r} to itself")
    if triple in known:
        raise ValueError(
            f"relation {label!r} between {relation.head.text!r} and "
            f"{relation.tail.text!r} is given twice"
        )


def _index(span: Span, spans: list[Span], index: dict) -> int:
    """Where a span stands among the arguments; it is added if it is new."""
    key = _span_key(span)
    if key not in index:
        index[key] = len(spans)
        spans.append(span)
    return index[key]


def _span_key(span: Span) -> tuple[int, int, int]:
    return span.start, span.end, span.label
