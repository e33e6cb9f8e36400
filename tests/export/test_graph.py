"""The graph in memory and in a file."""

import io
import subprocess
import sys

import networkx
import pytest

from spacy_attnner.export import DocInfo, read_triples, to_networkx
from spacy_attnner.export.graph import NOT_IN_XML, write_graphml


def read_graphml(docs, **settings) -> networkx.MultiDiGraph:
    file = io.BytesIO()
    write_graphml(docs, file, **settings)
    file.seek(0)
    return networkx.read_graphml(file, edge_key_type=str, force_multigraph=True)


def test_nodes_and_edges(make_doc):
    docs = [
        (make_doc(), DocInfo("a", {"year": 1951})),
        make_doc(score=0.5),
        make_doc("Bergen", "Norway", "Part_Of", ("LOC", "LOC")),
        make_doc("Bergen", types=("PER", "LOC")),
    ]
    graph = to_networkx(docs)
    assert isinstance(graph, networkx.MultiDiGraph)
    mira, bergen = ("Mira", "PER"), ("Bergen", "LOC")
    assert dict(graph.nodes(data=True)) == {
        mira: {"text": "Mira", "label": "PER"},
        bergen: {"text": "Bergen", "label": "LOC"},
        ("Norway", "LOC"): {"text": "Norway", "label": "LOC"},
        ("Bergen", "PER"): {"text": "Bergen", "label": "PER"},
    }
    assert graph.number_of_edges() == 4
    first, second = graph[mira][bergen].values()
    assert first == {
        "label": "Lives_In",
        "score": 0.75,
        "doc": 0,
        "doc_id": "a",
        "meta": {"year": 1951},
        "head_start_char": 4,
        "head_end_char": 8,
        "tail_start_char": 18,
        "tail_end_char": 24,
        "context": "Now Mira lives in Bergen .",
    }
    assert (second["doc"], second["score"]) == (1, 0.5)
    assert not {"doc_id", "meta"} & second.keys()


def test_threshold(make_doc, unrelated):
    docs = [make_doc(score=0.2), unrelated, make_doc(score=0.8)]
    assert to_networkx(docs).number_of_edges() == 2
    assert to_networkx(docs, threshold=0.5).number_of_edges() == 1
    assert read_graphml(docs, threshold=0.5).number_of_edges() == 1


def in_xml(text: str) -> str:
    return NOT_IN_XML.sub("\ufffd", text)


def test_graphml(nasty, make_doc):
    doc = make_doc(nasty, nasty, nasty, (nasty, nasty + "'"))
    docs = [make_doc(), (doc, nasty), (doc, DocInfo(3, {"x": nasty}))]
    graph = read_graphml(docs)
    assert [key for *_, key in graph.edges(keys=True)] == ["e0", "e1", "e2"]
    triples = list(read_triples(docs))
    for (head, tail, edge), triple in zip(graph.edges(data=True), triples, strict=True):
        for node, argument in ((head, triple.head), (tail, triple.tail)):
            assert graph.nodes[node] == {
                "text": in_xml(argument.text),
                "label": in_xml(argument.label),
            }
        assert edge["label"] == in_xml(triple.label)
        assert edge["context"] == in_xml(triple.context)
        assert edge["score"] == triple.score
        assert edge["tail_end_char"] == triple.tail.end_char
        assert edge.get("doc_id") == (
            None if triple.doc_id is None else in_xml(str(triple.doc_id))
        )


def test_most_characters_survive_xml():
    kept = "a\t\r\n <&>\"' \x7f\x85\u2028😀"
    assert in_xml(kept) == kept
    assert in_xml("\x00\x0b\x1b\ufffe\uffff\ud800") == "\ufffd" * 6


def test_a_graph_without_edges(unrelated):
    assert len(read_graphml([unrelated])) == 0


def test_without_networkx(make_doc, monkeypatch):
    monkeypatch.setitem(sys.modules, "networkx", None)
    message = r"need networkx, .* pip install 'spacy-attnner\[graph\]'"
    with pytest.raises(ImportError, match=message):
        to_networkx([make_doc()])
    with pytest.raises(ImportError, match=message):
        write_graphml([make_doc()], io.BytesIO())


LAZY = """
import sys
import spacy_attnner.export
import spacy_attnner.cli
for name in ("networkx", "matplotlib"):
    assert name not in sys.modules, name
"""


def test_networkx_is_imported_only_when_needed():
    subprocess.run([sys.executable, "-c", LAZY], check=True)
