"""N-Triples, read by the grammar of https://www.w3.org/TR/n-triples/#n-triples-grammar."""

import re
from collections import defaultdict
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_attnner.export import DocInfo, read_triples, to_ntriples
from spacy_attnner.relations import Relation, set_relations

UCHAR = r"\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}"
IRIREF = rf'<((?:[^\x00-\x20<>"{{}}|^`\\]|{UCHAR})*)>'
STRING = rf'"((?:[^"\\\n\r]|\\[tbnrf"\'\\]|{UCHAR})*)"'
TRIPLE = re.compile(rf"{IRIREF} {IRIREF} (?:{IRIREF}|{STRING}(?:\^\^{IRIREF})?) \.")
ESCAPE = re.compile(rf"{UCHAR}|\\.")
NAMED = dict(zip("tbnrf\"'\\", "\t\b\n\r\f\"'\\", strict=True))
ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[^%]|%[0-9A-F]{2})*")

PARTS = re.compile(r"[a-z]+(?::(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})*)+")

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
XSD = "http://www.w3.org/2001/XMLSchema#"
URN = "urn:spacy-attnner:"
VOCAB = Vocab()


def unescape(match: re.Match[str]) -> str:
    text = match[0]
    if text[1] in "uU":
        code = int(text[2:], 16)
        assert not 0xD800 <= code < 0xE000
        return chr(code)
    return NAMED[text[1]]


def read(lines) -> list[tuple]:
    """Subject, predicate and object; a literal is a pair of its text and datatype."""
    data = "".join(lines).encode("utf-8").decode("utf-8")
    assert data == "" or data.endswith("\n")
    triples = []
    for line in data.splitlines():  # more line ends than N-Triples has
        match = TRIPLE.fullmatch(line)
        assert match is not None, line
        *iris, text, datatype = match.groups()
        for iri in filter(None, [*iris, datatype]):
            assert ABSOLUTE.fullmatch(iri), iri
        last = iris[2] if text is None else (ESCAPE.sub(unescape, text), datatype)
        triples.append((iris[0], iris[1], last))
    return triples


def statements(triples) -> list[dict]:
    """The properties of every `rdf:Statement`, in their order."""
    found: dict[str, dict] = defaultdict(dict)
    about = [s for s, p, o in triples if (p, o) == (f"{RDF}type", f"{RDF}Statement")]
    for subject, predicate, value in triples:
        if subject in about:
            known = found[subject].setdefault(predicate, value)
            assert known == value
    return [found[subject] for subject in dict.fromkeys(about)]


def check(docs, base: str = URN) -> None:
    """Everything that the triples say is found again, and nothing else."""
    graph = read(to_ntriples(docs, base=base))
    values = {(s, p): o for s, p, o in graph}
    expected = list(read_triples(docs))
    found = statements(graph)
    assert len(found) == len(expected)
    for triple, mention in zip(expected, found, strict=True):
        head, tail = mention[f"{RDF}subject"], mention[f"{RDF}object"]
        relation = mention[f"{RDF}predicate"]
        assert (head, relation, tail) in graph
        for iri, argument in ((head, triple.head), (tail, triple.tail)):
            kind = values[iri, f"{RDF}type"]
            assert values[iri, LABEL] == (argument.text, None)
            assert values[kind, LABEL] == (argument.label, None)
            assert iri.startswith(f"{base}entity:")
            assert unquote(iri.rpartition(":")[2]) == argument.text
        assert values[relation, LABEL] == (triple.label, None)
        assert unquote(relation.removeprefix(f"{base}relation:")) == triple.label
        term = f"{base}term:"
        assert mention[f"{term}context"] == (triple.context, None)
        assert mention[f"{term}score"] == (repr(triple.score), f"{XSD}double")
        assert [mention[f"{term}{key}"][0] for key in ("headStart", "tailEnd")] == [
            str(triple.head.start_char),
            str(triple.tail.end_char),
        ]
        document = mention[f"{term}document"]
        assert values[document, f"{term}number"] == (str(triple.doc), f"{XSD}integer")
        name = values.get((document, "http://purl.org/dc/terms/identifier"))
        assert name == (None if triple.doc_id is None else (str(triple.doc_id), None))
    known = {URN, base, "http://www.w3.org/", "http://purl.org/dc/terms/"}
    for iri in (
        part for s, p, o in graph for part in (s, p, o) if isinstance(part, str)
    ):
        assert iri.startswith(tuple(known))
        if iri.startswith(base):  # one segment: no path that a reader could shorten
            assert PARTS.fullmatch(iri, len(base)), iri


def test_one_relation(make_doc):
    lines = list(to_ntriples([(make_doc(), "a.txt")]))
    head, tail = f"{URN}entity:PER:Mira", f"{URN}entity:LOC:Bergen"
    assert lines[0] == f"<{head}> <{URN}relation:Lives_In> <{tail}> .\n"
    mention = f"{URN}mention:Lives_In:4:8:PER:18:24:LOC:document:id:a.txt"
    score = f'"0.75"^^<{XSD}double>'
    assert f"<{mention}> <{URN}term:score> {score} .\n" in lines
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize("base", [URN, "https://example.org/kg/", "http://ö.example/#"])
def test_nothing_breaks_out(nasty, make_doc, base):
    doc = make_doc(nasty, nasty, nasty, (nasty, nasty + "`"))
    docs = [make_doc(), doc, (doc, nasty), (doc, DocInfo(7, {nasty: [nasty]}))]
    check(docs, base)


@given(st.lists(st.text(min_size=1), min_size=4, max_size=4), st.text())
def test_any_text(words, doc_id):
    words = [word.encode("utf-8", "replace").decode("utf-8") for word in words]
    doc = Doc(VOCAB, words=words)
    spans = Span(doc, 0, 1, words[2]), Span(doc, 1, 3, words[3])
    set_relations(doc, [Relation(*spans, doc_id or "R", 0.5)])
    check([(doc, doc_id)])


def test_empty_strings(make_doc, unrelated):
    doc = make_doc(label="", types=("", ""))
    check([(doc, "")])
    assert list(to_ntriples([unrelated])) == []


def test_names_do_not_run_together(make_doc):
    """Parts that hold the separator, and ids that look like numbers."""
    docs = [
        make_doc("b:c", types=("a", "LOC")),
        make_doc("c", types=("a:b", "LOC")),
        (make_doc("c", types=("a%3Ab", "LOC")), "0"),
        (make_doc(), "id:0"),
    ]
    graph = read(to_ntriples(docs))
    assert len({s for s, p, _ in graph if p == f"{URN}relation:Lives_In"}) == 4
    assert len({s for s, p, _ in graph if p == f"{URN}term:number"}) == 4


def test_the_same_entity_in_two_documents(make_doc):
    graph = read(to_ntriples([make_doc(), make_doc()]))
    triples = [t for t in graph if t[1] == f"{URN}relation:Lives_In"]
    assert len(triples) == 2
    assert len(set(triples)) == 1
    assert len(statements(graph)) == 2


@pytest.mark.parametrize(
    "base",
    [
        *("", "kg", "kg/", "/kg/", "//example.org/", ":"),
        *("http://example.org", "http://example.org:", "http://example.org/kg"),
        *("http://example.org/a b/", "http://e/> <x:y> <x:", "http://e/%zz/"),
        *("http://e/\\u003e/", 'http://e/"/', "http://e/\n/", "http://e/\ud800/"),
    ],
)
def test_bases_that_are_none(make_doc, base):
    with pytest.raises(ValueError, match="is not a base IRI; give an absolute one"):
        list(to_ntriples([make_doc()], base=base))


def test_threshold(make_doc):
    docs = [make_doc(score=0.2), make_doc(score=0.8)]
    assert len(statements(read(to_ntriples(docs, threshold=0.5)))) == 1


def test_surrogates(make_doc):
    info = DocInfo("\udcff", {"\ud800": "\udfff"})
    check([(make_doc(label="\ud800"), info)])
