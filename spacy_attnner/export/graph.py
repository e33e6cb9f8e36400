"""Triples as a graph of networkx (https://networkx.org), and as a GraphML file."""

import re
from collections.abc import Iterable, Mapping
from io import BytesIO
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

from ..texts.json_lines import REPLACEMENT, to_json
from .triples import Source, flat, read_triples

if TYPE_CHECKING:
    from networkx import MultiDiGraph

    from ..atomic import Output

# XML 1.0 has no way to write these (https://www.w3.org/TR/xml/#charsets)
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ATTRIBUTES = (
    *("label", "score", "doc", "doc_id", "meta"),
    *("head_start_char", "head_end_char", "tail_start_char", "tail_end_char"),
    "context",
)


def to_networkx(docs: Iterable[Source], *, threshold: float = 0.0) -> "MultiDiGraph":
    """A directed graph of the entities, an edge for every relation at every place.

    A node is `(text, label)`, with `text` and `label` as attributes too: the same where
    both are, in whatever document. Edges have `label`, `score`, `doc`, `context`,
    `head_start_char`, `head_end_char`, `tail_start_char`, `tail_end_char`, and where
    they were given `doc_id` and `meta`. The graph is held in memory, the documents are
    not.

    docs: Documents, or pairs of a document and its id or `DocInfo`.
    threshold: Leave out relations with a lower score.

    Raises ImportError without networkx, ValueError for a score that is no finite
    number.
    """
    graph = import_networkx().MultiDiGraph()
    for triple in read_triples(docs, threshold=threshold):
        nodes = []
        for argument in (triple.head, triple.tail):
            node = (argument.text, argument.label)
            graph.add_node(node, text=argument.text, label=argument.label)
            nodes.append(node)
        columns = flat(triple)
        edge = {name: columns[name] for name in ATTRIBUTES if name in columns}
        graph.add_edges_from([(*nodes, edge)])
    return graph


def write_graphml(
    docs: Iterable[Source], file: "BinaryIO | Output", *, threshold: float = 0.0
) -> None:
    """Write the graph of `to_networkx` as GraphML (http://graphml.graphdrawing.org).

    Nodes are named n0, n1, …, edges e0, e1, …; `meta` is JSON, `doc_id` a string. What
    XML cannot hold (control characters) is U+FFFD.

    Raises ImportError without networkx, ValueError for a score that is no finite
    number, TypeError or ValueError for a `meta` that is not JSON.
    """
    networkx = import_networkx()
    graph = to_networkx(docs, threshold=threshold)
    names = {node: f"n{i}" for i, node in enumerate(graph)}
    plain = networkx.MultiDiGraph()
    for node, attributes in graph.nodes(data=True):
        plain.add_node(names[node], **_for_xml(attributes))
    for i, (head, tail, attributes) in enumerate(graph.edges(data=True)):
        edge = names[head], names[tail], f"e{i}", _for_xml(attributes)
        plain.add_edges_from([edge])
    buffer = BytesIO()
    # not write_graphml, which writes otherwise, and refuses more, where lxml is there
    networkx.write_graphml_xml(plain, buffer)
    # a reader of XML takes a bare carriage return for a newline
    file.write(buffer.getvalue().replace(b"\r", b"&#13;"))


def import_networkx() -> ModuleType:
    """Raises ImportError, with the extra to install, if there is no networkx."""
    try:
        import networkx
    except ImportError as error:
        raise ImportError(
            f"graphs need networkx, which does not import: {error}; "
            "install it: pip install 'spacy-attnner[graph]'"
        ) from error
    return networkx


def _for_xml(attributes: Mapping[str, Any]) -> dict[str, str | int | float]:
    values = dict(attributes)
    if "doc_id" in values:
        values["doc_id"] = str(values["doc_id"])
    if "meta" in values:
        values["meta"] = to_json(values["meta"])
    return {
        key: NOT_IN_XML.sub(REPLACEMENT, value) if isinstance(value, str) else value
        for key, value in values.items()
    }
