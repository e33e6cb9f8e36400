"""What can be given to a pipeline to read, and what is said where it cannot."""

import gzip
import io
import json
import os
import sys
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span

from spacy_attnner.errors import UserError
from spacy_attnner.export import DocInfo
from spacy_attnner.relations import Relation, set_relations
from spacy_attnner.texts.given import read_texts
from spacy_attnner.texts.inputs import STANDARD_INPUT, find_inputs


@pytest.fixture
def nlp():
    nlp = spacy.blank("en")
    nlp.max_length = 50
    return nlp


def read(path, nlp, kind=None):
    return list(read_texts(find_inputs(str(path), kind), nlp))


def test_lines(nlp, tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffÖl\r\n\nb \u2028 c\rd\x85\n\ufeffe".encode())
    texts = ["Öl", "", "b \u2028 c\rd\x85", "\ufeffe"]
    assert read(path, nlp) == [(text, DocInfo()) for text in texts]


def test_records(nlp, tmp_path):
    path = tmp_path / "a.jsonl"
    records = [
        {"text": "one", "id": "a/b", "meta": {"n": 1}},
        {"text": "", "id": 7, "entities": []},
        {"text": "two\nlines", "id": None, "meta": None},
    ]
    path.write_text("\n\n".join(map(json.dumps, records)) + "\n \n")
    assert read(path, nlp) == [
        ("one", DocInfo("a/b", {"n": 1})),
        ("", DocInfo(7, {"entities": []})),
        ("two\nlines", DocInfo(None, {"meta": None})),
    ]


def test_documents(nlp, tmp_path):
    """Tokens are kept as they are, annotation is not."""
    doc = Doc(nlp.vocab, ["New", "York"], [False, True], sent_starts=[True, True])
    doc.ents = [Span(doc, 0, 2, "LOC")]
    set_relations(doc, [Relation(doc[0:1], doc[1:2], "R")])
    plain = Doc(nlp.vocab, ["No", "spaces", "known"])
    path = tmp_path / "a.spacy"
    plain.user_data = {"id": 7, "meta": {"n": 1}}
    DocBin(docs=[doc, plain], store_user_data=True).to_disk(path)
    (first, info), (second, named) = read(path, spacy.blank("en"))
    assert (info, named) == (DocInfo(), DocInfo(7, {"n": 1}))
    assert [token.text_with_ws for token in first] == ["New", "York "]
    assert (first.ents, first._.relations, dict(first.spans)) == ((), [], {})
    assert not first.has_annotation("SENT_START")
    assert (second.text, second.has_unknown_spaces) == ("No spaces known ", True)


def test_a_folder(nlp, tmp_path):
    files = {"b.txt": "two\r\nlines", "a.txt": "\ufeffone", "more/c.txt": ""}
    hidden = {".d.txt": "no", "more/._c.txt": "no", ".more/e.txt": "no", "f.md": "no"}
    for name, text in {**files, **hidden}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text.encode())
    (tmp_path / "g.txt").mkdir()
    with pytest.warns(UserWarning, match=r"1 files of .* f\.md among them"):
        found = read(tmp_path, nlp)
    assert found == [
        ("one", DocInfo("a.txt")),
        ("two\r\nlines", DocInfo("b.txt")),
        ("", DocInfo("more/c.txt")),
    ]


def test_stdin(nlp, monkeypatch):
    def give(text):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    give("one\ntwo")
    assert read(STANDARD_INPUT, nlp) == [("one", DocInfo()), ("two", DocInfo())]
    give('{"text": "one", "id": 1}')
    assert read(STANDARD_INPUT, nlp, "jsonl") == [("one", DocInfo(1))]
    give('{"text": 1}')
    with pytest.raises(UserError, match=r"^stdin:1: the text is 1, not a string"):
        read(STANDARD_INPUT, nlp, "jsonl")
    with pytest.raises(UserError, match="not read from stdin"):
        read(STANDARD_INPUT, nlp, "spacy")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "invalid JSON, Expecting .*: b'{"),
        ("[" * 100_000, r"invalid JSON, .*: b'\["),
        ("[]", r"b'\[\].*' is not an object"),
        ("{}", "there is no 'text'; the keys are none"),
        ('{"tokens": []}', "there is no 'text'; the keys are 'tokens'"),
        ('{"text": null}', "the text is None"),
        ('{"text": "a", "id": 1.5}', "id is 1.5"),
        ('{"text": "a", "id": true}', "id is True"),
        ('{"text": "a", "id": ["b"]}', r"id is \['b'\]"),
        ('{"text": "a\\ud800"}', r"the text holds '\\ud800', half of a surrogate pair"),
        (json.dumps({"text": "x" * 51}), "the text has 51 characters, .* takes 50"),
    ],
)
def test_records_that_are_wrong(nlp, tmp_path, line, problem):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "fine"}\n\n' + line + "\n")
    texts = read_texts(find_inputs(str(path)), nlp)
    assert next(texts) == ("fine", DocInfo())
    with pytest.raises(UserError, match=rf"a\.jsonl:3: {problem}") as caught:
        next(texts)
    assert caught.value.way_out


def test_what_is_not_utf8(nlp, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"fine\nna\xefve\n")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.txt").write_bytes(b"fine\r\nna\xefve")
    for path, where in (("a.txt", r"a\.txt:2"), ("b", r"c\.txt")):
        with pytest.raises(UserError, match=rf"{where}: b'\\xef' is not UTF-8"):
            read(tmp_path / path, nlp)


def test_bad_tables_are_told_before_the_first_row(nlp, tmp_path):
    (tmp_path / "a.csv").write_text("text\nMira\n")
    for name in ("b.csv", "c.csv"):
        (tmp_path / name).write_text("body\nMira\n")
    with pytest.raises(UserError, match=r"2 inputs are wrong:\n.*b.csv.*\n.*c.csv"):
        next(read_texts(find_inputs(str(tmp_path)), nlp))


def test_texts_that_are_too_long(nlp, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("x" * 50 + "\n" + "x" * 51)
    with pytest.raises(UserError, match=r"a\.txt:2: the text has 51 characters"):
        read(path, nlp)
    with pytest.raises(UserError, match=r"a\.txt: the text has 102 characters"):
        read(tmp_path, nlp)


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_documents_cut_short(nlp, tmp_path, keep):
    path = tmp_path / "a.spacy"
    data = DocBin(docs=[nlp("Mira left Bergen .")]).to_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(UserError, match=r"a\.spacy: the file cannot be read"):
        read(path, nlp)


def test_what_else_a_row_holds(nlp, tmp_path):
    """It is its metadata, of types that JSON knows; an object `meta` stands for it."""
    (tmp_path / "a.csv").write_text("text,id,year\none,a,1999\n")
    (tmp_path / "b.jsonl").write_text('{"text": "a", "meta": {"b": NaN}, "c": 1}')
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a", "meta": "b"}'))
    table = pa.table({"text": ["x"], "day": [date(2024, 2, 29)]})
    pq.write_table(table, tmp_path / "d.parquet")
    assert read(tmp_path, nlp) == [
        ("one", DocInfo("a", {"year": "1999"})),
        ("a", DocInfo(None, {"b": None})),
        ("a", DocInfo(None, {"meta": "b"})),
        ("x", DocInfo(None, {"day": "2024-02-29"})),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="names need not be UTF-8 there")
def test_a_name_that_is_not_utf8(nlp, tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff.txt"
    with open(path, "w") as file:
        file.write("one")
    assert read(tmp_path, nlp) == [("one", DocInfo("\udcff.txt"))]
