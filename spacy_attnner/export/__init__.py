"""Relations of documents in the formats that tables and graphs are made of."""

from .graph import to_networkx
from .statements import to_cypher, to_ntriples
from .tables import to_csv, to_jsonl
from .triples import Argument, DocInfo, Triple, read_triples
from .write import Written, write_relations

__all__ = [
    "Argument",
    "DocInfo",
    "Triple",
    "Written",
    "read_triples",
    "to_csv",
    "to_cypher",
    "to_jsonl",
    "to_networkx",
    "to_ntriples",
    "write_relations",
]
