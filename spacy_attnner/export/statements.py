"""Triples as statements: RDF in N-Triples, and Cypher, which adds to a property graph.

N-Triples 1.1: https://www.w3.org/TR/n-triples/. Literals and names of Cypher as in
openCypher 9 (https://opencypher.org/resources/) and the manual of Neo4j
(https://neo4j.com/docs/cypher-manual/current/syntax/).

Documents, entities and relations have the same names in every export. They are IRIs: a
base, what is named, and its parts percent-encoded (RFC 3986, 2.1) with a colon between
them, so that no text can end a part or a name.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

from ..texts.json_lines import to_json
from .triples import Argument, Source, Triple, flat, read_triples

BASE = "urn:spacy-attnner:"
# an absolute IRI of what an IRIREF of N-Triples may hold unescaped, up to a character
# behind which nothing changes what stands before it; a host is left by /
BASE_IRI = re.compile(
    r"""[A-Za-z][A-Za-z0-9+.-]*:(?!//[^/?\#]*$)
        (?:[^\x00-\x20<>"{}|^`\\%\x7f-\x9f\ud800-\udfff]|%[0-9A-Fa-f]{2})*
        (?<=[:/\#?=])""",
    re.VERBOSE,
)
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
XSD = "http://www.w3.org/2001/XMLSchema#"
IDENTIFIER = "http://purl.org/dc/terms/identifier"
TERMS = {
    "score": "score",
    "headStart": "head_start_char",
    "headEnd": "head_end_char",
    "tailStart": "tail_start_char",
    "tailEnd": "tail_end_char",
    "context": "context",
}
ENTITY = "Entity"
RELATION = "RELATION"
PLACE = ("head_start_char", "head_end_char", "tail_start_char", "tail_end_char")
PROPERTIES = ("doc", "doc_id", "score", "context", "meta")

# all that STRING_LITERAL_QUOTE of N-Triples forbids, and what else ends a line or does
# not print
ESCAPED = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]')
# Neo4j 5 turns \uXXXX into that character before it looks for quotes: no backslash of a
# text may stand before a u, which is written \u0075
STRING = re.compile(r"\\[uU]?|['\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")
NAMED = {
    "\t": "\\t",
    "\b": "\\b",
    "\n": "\\n",
    "\r": "\\r",
    "\f": "\\f",
    '"': '\\"',
    "'": "\\'",
    "\\": "\\\\",
    "\\u": "\\\\\\u0075",
    "\\U": "\\\\\\u0055",
}
# the same holds for names, which have no escapes; one with NUL is refused
NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]|\\(?=[uU])")


def check_base(base: str) -> str:
    """Raises ValueError if it is no IRI that names can be put behind."""
    if not BASE_IRI.fullmatch(base):
        raise ValueError(
            f"{base!r} is not a base IRI; give an absolute one that ends with / # or "
            ":, such as https://example.org/relations/"
        )
    return base


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
    head, tail = _entity_iri(base, triple.head), _entity_iri(base, triple.tail)
    relation = _make_iri(base, "relation", triple.label)
    mention = _mention_iri(base, triple)
    yield _line(head, relation, _iri(tail))
    yield from _entity(head, triple.head, base)
    yield from _entity(tail, triple.tail, base)
    yield _line(mention, f"{RDF}type", _iri(f"{RDF}Statement"))
    yield _line(mention, f"{RDF}subject", _iri(head))
    yield _line(mention, f"{RDF}predicate", _iri(relation))
    yield _line(mention, f"{RDF}object", _iri(tail))
    columns = flat(triple)
    for term, name in TERMS.items():
        yield _line(mention, _make_iri(base, "term", term), _literal(columns[name]))
    document = _document_iri(base, triple)
    yield _line(mention, _make_iri(base, "term", "document"), _iri(document))
    yield from _document(document, triple, base)


def _entity(iri: str, argument: Argument, base: str) -> Iterator[str]:
    yield _line(iri, LABEL, _literal(argument.text))
    yield _line(iri, f"{RDF}type", _iri(_make_iri(base, "type", argument.label)))


def _document(iri: str, triple: Triple, base: str) -> Iterator[str]:
    yield _line(iri, _make_iri(base, "term", "number"), _literal(triple.doc))
    if triple.doc_id is not None:
        yield _line(iri, IDENTIFIER, _literal(str(triple.doc_id)))
    if triple.meta is not None:
        meta = to_json(triple.meta)
        yield _line(iri, _make_iri(base, "term", "meta"), _literal(meta))


def _names(triple: Triple, base: str) -> Iterator[tuple[str, str]]:
    yield _make_iri(base, "relation", triple.label), triple.label
    for argument in (triple.head, triple.tail):
        yield _make_iri(base, "type", argument.label), argument.label


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


def _make_iri(base: str, kind: str, *parts: str | int) -> str:
    """`BASEkind:part:part`, each part percent-encoded but for letters, digits, -._~"""
    return base + ":".join([kind, *(quote(str(part), safe="") for part in parts)])


def _document_iri(base: str, triple: Triple) -> str:
    """Named by the document's id or, if it has none, by its number."""
    if triple.doc_id is None:
        return _make_iri(base, "document", triple.doc)
    return _make_iri(base, "document", "id", triple.doc_id)


def _entity_iri(base: str, argument: Argument) -> str:
    """The same for arguments of the same text and label, in whatever document."""
    return _make_iri(base, "entity", argument.label, argument.text)


def _mention_iri(base: str, triple: Triple) -> str:
    """The relation at its place in its document."""
    head, tail = triple.head, triple.tail
    places = (
        *(head.start_char, head.end_char, head.label),
        *(tail.start_char, tail.end_char, tail.label),
    )
    document = _document_iri("", triple)
    return f"{_make_iri(base, 'mention', triple.label, *places)}:{document}"


def to_cypher(
    docs: Iterable[Source], *, threshold: float = 0.0, base: str = BASE
) -> Iterator[str]:
    r"""One statement a line, each with its line end; running them again adds nothing.

    A node is an entity, the same where text and label are, with the labels `Entity` and
    its own; an index on `:Entity(text)` makes large files faster. A relationship is a
    relation at its place in its document. Characters that a name cannot hold (control
    characters, the backslash of \u) are _ in labels and relationship types; the
    property `label` of nodes and relationships is exact.

    docs: Documents, or pairs of a document and its id or `DocInfo`.
    threshold: Leave out relations with a lower score.
    base: What the property `document` begins with. Documents without an id are named by
        their number: give each export of such documents a base of its own before
        running them on one database.

    Raises ValueError for a base that is no absolute IRI or a score that is no finite
    number, TypeError or ValueError for a `meta` that is not JSON.
    """
    check_base(base)
    for triple in read_triples(docs, threshold=threshold):
        yield _statement(triple, _document_iri(base, triple))


def _statement(triple: Triple, document: str) -> str:
    columns = flat(triple)
    place = {"label": triple.label, "document": document}
    place |= {name: columns[name] for name in PLACE}
    if "meta" in columns:
        columns["meta"] = to_json(columns["meta"])
    settings = ", ".join(
        f"r.{name} = {_cypher_literal(columns[name])}"
        for name in PROPERTIES
        if name in columns
    )
    kind = _cypher_name(triple.label or RELATION)
    return (
        f"MERGE {_node('h', triple.head)} MERGE {_node('t', triple.tail)} "
        f"MERGE (h)-[r:{kind} {_map(place)}]->(t) SET {settings};\n"
    )


def _node(variable: str, argument: Argument) -> str:
    names = [ENTITY, argument.label] if argument.label else [ENTITY]
    labels = "".join(f":{_cypher_name(name)}" for name in names)
    return (
        f"({variable}{labels} {_map({'text': argument.text, 'label': argument.label})})"
    )


def _map(properties: Mapping[str, str | int | float]) -> str:
    items = (f"{key}: {_cypher_literal(value)}" for key, value in properties.items())
    return "{" + ", ".join(items) + "}"


def _cypher_name(name: str) -> str:
    return "`" + NOT_IN_NAMES.sub("_", name).replace("`", "``") + "`"


def _cypher_literal(value: str | int | float) -> str:
    if isinstance(value, str):
        return f"'{STRING.sub(_escape, value)}'"
    return repr(value).replace("e+", "e")  # no sign in the exponents of openCypher


def _escape(match: re.Match[str]) -> str:
    found = match[0]
    return NAMED[found] if found in NAMED else f"\\u{ord(found):04X}"
