"""Triples as RDF, in N-Triples 1.1 (https://www.w3.org/TR/n-triples/)."""

import re
from collections.abc import Iterable, Iterator

from .identifiers import (
    BASE,
    check_base,
    document_iri,
    entity_iri,
    make_iri,
    mention_iri,
)
from .text import to_json
from .triples import Argument, Source, Triple, read_triples

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
XSD = "http://www.w3.org/2001/XMLSchema#"
IDENTIFIER = "http://purl.org/dc/terms/identifier"

# all that STRING_LITERAL_QUOTE forbids, and what else ends a line or does not print
ESCAPED = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]')
NAMED = {
    "\t": "\\t",
    "\b": "\\b",
    "\n": "\\n",
    "\r": "\\r",
    "\f": "\\f",
    '"': '\\"',
    "\\": "\\\\",
}


def to_ntriples(
    docs: Iterable[Source], *, threshold: float = 0.0, base: str = BASE
) -> Iterator[str]:
    """Lines of N-Triples, each with its line end.

    A relation is the triple `entity relation entity`; entities are the same where text
    and label are. Its score, document, offsets and context belong to an `rdf:Statement`
    about that triple, and are terms of the base: `BASEterm:score`.

    docs: Documents, or pairs of a document and its id or `DocInfo`.
    threshold: Leave out relations with a lower score.
    base: What all IRIs begin with. Documents without an id are named by their number:
        give each export of such documents a base of its own before joining them.

    Raises ValueError for a base that is no absolute IRI or a score that is no finite
    number, TypeError or ValueError for a `meta` that is not JSON.
    """
    check_base(base)
    labels: set[str] = set()  # described once; there are few
    for triple in read_triples(docs, threshold=threshold):
        yield from _relation(triple, base)
        for subject, name in _names(triple, base):
            if subject not in labels:
                labels.add(subject)
                yield _line(subject, LABEL, _literal(name))


def _relation(triple: Triple, base: str) -> Iterator[str]:
    head, tail = entity_iri(base, triple.head), entity_iri(base, triple.tail)
    relation = make_iri(base, "relation", triple.label)
    mention = mention_iri(base, triple)
    yield _line(head, relation, _iri(tail))
    yield from _entity(head, triple.head, base)
    yield from _entity(tail, triple.tail, base)
    yield _line(mention, f"{RDF}type", _iri(f"{RDF}Statement"))
    yield _line(mention, f"{RDF}subject", _iri(head))
    yield _line(mention, f"{RDF}predicate", _iri(relation))
    yield _line(mention, f"{RDF}object", _iri(tail))
    for term, value in _properties(triple):
        yield _line(mention, make_iri(base, "term", term), _literal(value))
    document = document_iri(base, triple)
    yield _line(mention, make_iri(base, "term", "document"), _iri(document))
    yield from _document(document, triple, base)


def _entity(iri: str, argument: Argument, base: str) -> Iterator[str]:
    yield _line(iri, LABEL, _literal(argument.text))
    yield _line(iri, f"{RDF}type", _iri(make_iri(base, "type", argument.label)))


def _properties(triple: Triple) -> list[tuple[str, str | int | float]]:
    return [
        ("score", triple.score),
        ("headStart", triple.head.start_char),
        ("headEnd", triple.head.end_char),
        ("tailStart", triple.tail.start_char),
        ("tailEnd", triple.tail.end_char),
        ("context", triple.context),
    ]


def _document(iri: str, triple: Triple, base: str) -> Iterator[str]:
    yield _line(iri, make_iri(base, "term", "number"), _literal(triple.doc))
    if triple.doc_id is not None:
        yield _line(iri, IDENTIFIER, _literal(str(triple.doc_id)))
    if triple.meta is not None:
        meta = to_json(triple.meta)
        yield _line(iri, make_iri(base, "term", "meta"), _literal(meta))


def _names(triple: Triple, base: str) -> Iterator[tuple[str, str]]:
    yield make_iri(base, "relation", triple.label), triple.label
    for argument in (triple.head, triple.tail):
        yield make_iri(base, "type", argument.label), argument.label


def _line(subject: str, predicate: str, term: str) -> str:
    return f"{_iri(subject)} {_iri(predicate)} {term} .\n"


def _iri(iri: str) -> str:
    return f"<{iri}>"


def _literal(value: str | int | float) -> str:
    if isinstance(value, float):
        return f'"{value!r}"^^<{XSD}double>'
    if isinstance(value, int):
        return f'"{value}"^^<{XSD}integer>'
    return f'"{ESCAPED.sub(_escape, value)}"'


def _escape(match: re.Match[str]) -> str:
    found = match[0]
    return NAMED[found] if found in NAMED else f"\\u{ord(found):04X}"
