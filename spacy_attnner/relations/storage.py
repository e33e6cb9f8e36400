"""Relations in a span group: reading and writing."""

from collections.abc import Iterable

from spacy.tokens import Doc, Span, SpanGroup

from .checks import check_free, check_new, check_relation, stored_triples
from .groups import realigned_spans, stored_spans
from .relation import Relation, span_key

RELATIONS_KEY = "relations"


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
    relations = [
        Relation(spans[head], spans[tail], label, float(score))
        for head, tail, label, score in stored_triples(group, key)
    ]
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
    check_free(doc, key)
    spans: list[Span] = []
    index: dict[tuple[int, int, int], int] = {}
    triples: dict[tuple[int, int, str], float] = {}
    for relation in relations:
        check_relation(relation, doc)
        head, tail = (
            _index(span, spans, index) for span in (relation.head, relation.tail)
        )
        triple = head, tail, str(relation.label)
        check_new(relation, triple, triples)
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


def _distinct(relations: list[Relation]) -> list[Relation]:
    best: dict[tuple, Relation] = {}
    for each in relations:
        head, tail = span_key(each.head), span_key(each.tail)
        known = best.get((head, tail, each.label))
        if head != tail and (known is None or known.score < each.score):
            best[head, tail, each.label] = each
    return list(best.values())


def _index(span: Span, spans: list[Span], index: dict) -> int:
    """Where a span stands among the arguments; it is added if it is new."""
    key = span_key(span)
    if key not in index:
        index[key] = len(spans)
        spans.append(span)
    return index[key]
