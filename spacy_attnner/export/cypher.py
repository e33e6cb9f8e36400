"""Triples as Cypher statements that add them to a property graph.

Literals and names as in openCypher 9 (https://opencypher.org/resources/) and the Cypher
manual of Neo4j (https://neo4j.com/docs/cypher-manual/current/syntax/).
"""

import re
from collections.abc import Iterable, Iterator

from .identifiers import BASE, check_base, document_iri
from .text import to_json
from .triples import Argument, Source, Triple, read_triples

ENTITY = "Entity"
RELATION = "RELATION"
# Neo4j 5 turns \uXXXX into that character before it looks for quotes: no backslash of a
# text may stand before a u, which is written \u0075
STRING = re.compile(r"\\[uU]?|['\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")
NAMED = {
    "\t": "\\t",
    "\b": "\\b",
    "\n": "\\n",
    "\r": "\\r",
    "\f": "\\f",
    "'": "\\'",
    "\\": "\\\\",
    "\\u": "\\\\\\u0075",
    "\\U": "\\\\\\u0055",
}
# the same holds for names, which have no escapes; one with NUL is refused
NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]|\\(?=[uU])")


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
        yield _statement(triple, document_iri(base, triple))


def _statement(triple: Triple, document: str) -> str:
    head, tail = triple.head, triple.tail
    place = {
        "label": triple.label,
        "document": document,
        "head_start_char": head.start_char,
        "head_end_char": head.end_char,
        "tail_start_char": tail.start_char,
        "tail_end_char": tail.end_char,
    }
    more: dict[str, str | int | float] = {"doc": triple.doc}
    if triple.doc_id is not None:
        more["doc_id"] = triple.doc_id
    more |= {"score": triple.score, "context": triple.context}
    if triple.meta is not None:
        more["meta"] = to_json(triple.meta)
    settings = ", ".join(f"r.{key} = {_literal(more[key])}" for key in more)
    kind = _name(triple.label or RELATION)
    return (
        f"MERGE {_node('h', head)} MERGE {_node('t', tail)} "
        f"MERGE (h)-[r:{kind} {_map(place)}]->(t) SET {settings};\n"
    )


def _node(variable: str, argument: Argument) -> str:
    names = [ENTITY, argument.label] if argument.label else [ENTITY]
    labels = "".join(f":{_name(name)}" for name in names)
    return (
        f"({variable}{labels} {_map({'text': argument.text, 'label': argument.label})})"
    )


def _map(properties: dict[str, str | int | float] | dict[str, str]) -> str:
    items = (f"{key}: {_literal(value)}" for key, value in properties.items())
    return "{" + ", ".join(items) + "}"


def _name(name: str) -> str:
    return "`" + NOT_IN_NAMES.sub("_", name).replace("`", "``") + "`"


def _literal(value: str | int | float) -> str:
    if isinstance(value, str):
        return f"'{STRING.sub(_escape, value)}'"
    return repr(value).replace("e+", "e")  # no sign in the exponents of openCypher


def _escape(match: re.Match[str]) -> str:
    found = match[0]
    return NAMED[found] if found in NAMED else f"\\u{ord(found):04X}"
