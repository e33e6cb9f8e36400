"""Cypher, taken apart as all kinds of parsers do.

openCypher reads escapes within strings. Neo4j 5 turns \\uXXXX into the character first,
wherever it stands (https://neo4j.com/docs/cypher-manual/5/syntax/parsing/), but for a
backslash behind another; a parser may overlook that exception.
"""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_attnner.export import DocInfo, read_triples, to_cypher
from spacy_attnner.relations import Relation, set_relations

VOCAB = Vocab()
UNICODE = re.compile(r"\\u+([0-9A-Fa-f]{4})")
UNICODE_OR_PAIR = re.compile(rf"{UNICODE.pattern}|\\.", re.DOTALL)
TOKEN = re.compile(
    r"""(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<name>`(?:[^`]|``)*`)
      | (?P<comment>//|/\*)
      | (?P<number>-?\d+(?:\.\d+)?(?:[eE]-?\d+)?)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<sign>->|[(){}\[\]:,.=;-])
      | (?P<space>[ ])""",
    re.VERBOSE | re.DOTALL,
)
ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
NAMED = dict(zip("bfnrt'\"\\", "\b\f\n\r\t'\"\\", strict=True))


def preprocess(text: str, escapes: re.Pattern[str]) -> str:
    return escapes.sub(lambda m: chr(int(m[1], 16)) if m[1] else m[0], text)


def unescape(match: re.Match[str]) -> str:
    if code := match[1] or match[2]:
        return chr(int(code, 16))
    return NAMED[match[3]]


def tokenize(text: str) -> list[tuple[str, str]]:
    tokens, start = [], 0
    while start < len(text):
        match = TOKEN.match(text, start)
        assert match is not None, text[start:]
        kind, value = match.lastgroup or "", match[0]
        assert kind != "comment", text[start:]
        if kind == "string":
            value = ESCAPE.sub(unescape, value[1:-1])
        elif kind == "name":
            value = value[1:-1].replace("``", "`")
            assert value, "a name may not be empty"
            assert "\x00" not in value, "nor hold NUL"
        if kind != "space":
            tokens.append((kind, value))
        start = match.end()
    return tokens


SHAPE = """
MERGE (h:NAME:NAME {text: STRING, label: STRING})
MERGE (t:NAME:NAME {text: STRING, label: STRING})
MERGE (h)-[r:NAME {label: STRING, document: STRING, head_start_char: NUMBER,
  head_end_char: NUMBER, tail_start_char: NUMBER, tail_end_char: NUMBER}]->(t)
SET r.doc = NUMBER, r.doc_id = STRING, r.score = NUMBER, r.context = STRING,
  r.meta = STRING;
"""


def shape(tokens) -> str:
    """Everything but the values, without spaces."""
    values = ("string", "name", "number")
    return "".join(kind.upper() if kind in values else text for kind, text in tokens)


def read(line: str) -> list[tuple[str, str]]:
    """The tokens of a statement, the same for all kinds of parsers."""
    assert line.endswith(";\n")
    assert line.splitlines() == [line[:-1]]
    text = line.encode("utf-8").decode("utf-8").removesuffix("\n")
    tokens = tokenize(text)
    for escapes in (UNICODE, UNICODE_OR_PAIR):
        assert tokenize(preprocess(text, escapes)) == tokens
    return tokens


def check(docs) -> None:
    """Each statement has the one shape, and the values of its triple."""
    triples = list(read_triples(docs))
    for triple, line in zip(triples, to_cypher(docs), strict=True):
        tokens = read(line)
        expected = "".join(SHAPE.split())
        for node, end in (("(h", triple.head), ("(t", triple.tail)):
            if not end.label:
                expected = expected.replace(f"{node}:NAME:NAME", f"{node}:NAME")
        if triple.meta is None:
            expected = expected.replace(",r.meta=STRING", "")
        if triple.doc_id is None:
            expected = expected.replace("r.doc_id=STRING,", "")
        assert shape(tokens) == expected
        strings = [value for kind, value in tokens if kind == "string"]
        head, tail = triple.head, triple.tail
        document = strings.pop(5)
        assert document.startswith("urn:spacy-attnner:document:")
        if triple.meta is not None:
            assert json.loads(strings.pop()) == triple.meta
        given = [] if triple.doc_id is None else [triple.doc_id]
        values = [head.text, head.label, tail.text, tail.label, triple.label]
        assert strings == [*values, *given, triple.context]
        numbers = [value for kind, value in tokens if kind == "number"]
        places = [head.start_char, head.end_char, tail.start_char, tail.end_char]
        assert [int(n) for n in numbers[:5]] == [*places, triple.doc]
        assert float(numbers[5]) == triple.score


def test_one_relation(make_doc):
    (line,) = to_cypher([(make_doc(), "a.txt")])
    assert line == (
        "MERGE (h:`Entity`:`PER` {text: 'Mira', label: 'PER'}) "
        "MERGE (t:`Entity`:`LOC` {text: 'Bergen', label: 'LOC'}) "
        "MERGE (h)-[r:`Lives_In` {label: 'Lives_In', "
        "document: 'urn:spacy-attnner:document:id:a.txt', head_start_char: 4, "
        "head_end_char: 8, tail_start_char: 18, tail_end_char: 24}]->(t) "
        "SET r.doc = 0, r.doc_id = 'a.txt', r.score = 0.75, "
        "r.context = 'Now Mira lives in Bergen .';\n"
    )


def test_nothing_breaks_out(nasty, make_doc):
    doc = make_doc(nasty, nasty, nasty, (nasty, nasty + "`"))
    check([make_doc(), doc, (doc, nasty), (doc, DocInfo(nasty, {nasty: [nasty]}))])


# what these parsers take differently, more often than chance would
SIGNS = st.lists(st.sampled_from(["\\", "u", "U", "0060", "0027", "`", "'", "\n", "x"]))


@given(st.lists(SIGNS.map("".join) | st.text(), min_size=5, max_size=5))
def test_any_text(texts):
    texts = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
    head, tail, *labels, doc_id = texts
    doc = Doc(VOCAB, words=[head or "x", tail or "y"])
    spans = Span(doc, 0, 1, labels[0]), Span(doc, 1, 2, labels[1])
    set_relations(doc, [Relation(*spans, labels[0] or "R", 0.5)])
    check([(doc, doc_id)])


def test_empty_strings(make_doc, unrelated):
    doc = make_doc(label="", types=("", ""))
    check([(doc, "")])
    (line,) = to_cypher([doc])
    assert line.startswith("MERGE (h:`Entity` {text: 'Mira', label: ''}) ")
    assert "[r:`RELATION` {label: ''," in line
    assert list(to_cypher([unrelated])) == []


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Lives In", "Lives In"),
        ("a`b``", "a`b``"),
        ("a\\b\\", "a\\b\\"),
        ("\\u0060", "_u0060"),
        ("\\\\Ux", "\\_Ux"),
        ("a\nb\x00\x85", "a_b__"),
    ],
)
def test_names(make_doc, label, name):
    (line,) = to_cypher([make_doc(label=label)])
    tokens = read(line)
    assert [value for kind, value in tokens if kind == "name"][-1] == name
    assert ("string", label) in tokens


@pytest.mark.parametrize("score", [1.0, 0.1 + 0.2, 1e-7, 5e20])
def test_scores(make_doc, score):
    check([make_doc(score=score)])


def test_ids_that_are_numbers(make_doc):
    (line,) = to_cypher([(make_doc(), 7)])
    assert "document: 'urn:spacy-attnner:document:id:7'" in line
    assert "r.doc_id = 7," in line


def test_base(make_doc):
    (line,) = to_cypher([make_doc()], base="https://example.org/it's/")
    assert ("string", "https://example.org/it's/document:0") in read(line)
    with pytest.raises(ValueError, match="'kg' is not a base IRI"):
        list(to_cypher([make_doc()], base="kg"))


def test_threshold(make_doc):
    docs = [make_doc(score=0.2), make_doc(score=0.8)]
    assert len(list(to_cypher(docs, threshold=0.5))) == 1


def test_surrogates(make_doc):
    (line,) = to_cypher(
        [(make_doc(label="\ud800"), DocInfo("\udcff", {"x": "\udfff"}))]
    )
    assert {("string", "\ufffd"), ("name", "\ufffd")} <= set(read(line))
