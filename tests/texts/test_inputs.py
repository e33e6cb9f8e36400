"""What is read: every kind of file, compressed, in order, from any row on."""

import csv
import gzip
import io
import json
import pickle
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import spacy
import zstandard
from spacy.tokens import DocBin

from spacy_attnner.errors import UserError
from spacy_attnner.texts.first_look import look_at
from spacy_attnner.texts.inputs import find_inputs
from spacy_attnner.texts.row_readers import Columns
from spacy_attnner.texts.row_stream import RowStream
from tests.batch.conftest import make_texts
from tests.texts.conftest import read_all, rows_of

TEXTS = make_texts(23)
RECORDS = [
    {"id": i, "text": text, "year": 1990 + i, "tags": ["a", "b"]}
    for i, text in enumerate(TEXTS)
]
SOUND = Columns()


def as_csv() -> bytes:
    file = io.StringIO()
    writer = csv.DictWriter(file, ["id", "text", "year", "tags"])
    writer.writeheader()
    writer.writerows(RECORDS)
    return file.getvalue().encode()


def as_parquet(records: list[dict] | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(records or RECORDS), sink, row_group_size=5)
    return sink.getvalue().to_pybytes()


def as_spacy() -> bytes:
    nlp = spacy.blank("en")
    docs = []
    for record in RECORDS:
        doc = nlp.make_doc(record["text"])
        doc.user_data = {"id": record["id"], "meta": {"year": record["year"]}}
        docs.append(doc)
    return DocBin(docs=docs, store_user_data=True).to_bytes()


MAKE = {
    "txt": lambda: "".join(f"{text}\n" for text in TEXTS).encode(),
    "jsonl": lambda: "".join(json.dumps(each) + "\n\n" for each in RECORDS).encode(),
    "csv": as_csv,
    "parquet": as_parquet,
    "spacy": as_spacy,
}
COMPRESS = {
    "": lambda raw: raw,
    ".gz": lambda raw: gzip.compress(raw[:50]) + gzip.compress(raw[50:]),
    ".zst": lambda raw: (
        zstandard.compress(raw[:50]) + zstandard.ZstdCompressor().compress(raw[50:])
    ),
}


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("kind", MAKE)
def test_all_rows_in_their_order(kind, compression, tmp_path):
    path = tmp_path / f"in.{kind}{compression}"
    path.write_bytes(COMPRESS[compression](MAKE[kind]()))
    rows = rows_of(read_all(path))
    assert [row.text for row in rows] == TEXTS
    assert not any(row.problem for row in rows)
    if kind == "txt":
        assert rows[3].id == rows[3].place == f"{path.name}:4"
        return
    assert [str(row.id) for row in rows] == [str(i) for i in range(23)]
    assert [str((row.meta or {})["year"]) for row in rows[:2]] == ["1990", "1991"]


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("kind", MAKE)
def test_parts_are_the_same_from_wherever_they_are_read(kind, compression, tmp_path):
    """Parts cross the ends of files."""
    for name in "ab":
        path = tmp_path / f"{name}.{kind}{compression}"
        path.write_bytes(COMPRESS[compression](MAKE[kind]()))
    whole = read_all(tmp_path / "*")
    assert len(whole) == 12
    for missing in (0, 1, 5, 6, 11):
        with RowStream(find_inputs(str(tmp_path / "*")), SOUND, 4) as stream:
            for part in whole:
                if part.number != missing:
                    stream.skip_part(part.stop)
                else:
                    again = stream.read_part()
                    assert again is not None
                    assert again[:3] == whole[missing][:3]
            assert stream.read_part() is None


@pytest.mark.parametrize("compression", COMPRESS)
def test_stdin(compression, monkeypatch):
    class Stdin:
        buffer = io.BytesIO(COMPRESS[compression](MAKE["jsonl"]()))

    monkeypatch.setattr(sys, "stdin", Stdin)
    rows = rows_of(read_all("-", kind="jsonl"))
    assert [row.text for row in rows] == TEXTS


def test_names_of_columns(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("key,body,text\n1,Mira left .,other\n,Nils left .,other\n")
    rows = rows_of(read_all(path, text="body", id="key"))
    assert [(row.id, row.text) for row in rows] == [
        ("1", "Mira left ."),
        ("in.csv:3", "Nils left ."),
    ]
    assert rows[0].meta == {"text": "other"}


def test_an_id_that_was_named_has_to_be_there(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "a", "key": 1}\n{"text": "b", "key": null}\n{"text": "c"}\n')
    *rows, last = rows_of(read_all(path, id="key"))
    assert [(row.id, row.problem) for row in rows] == [(1, ""), ("in.jsonl:2", "")]
    assert last.problem == "there is no 'key'; the keys are 'text'"
    assert not any(row.problem for row in rows_of(read_all(path)))


def test_a_part_of_long_texts_is_short(tmp_path, monkeypatch):
    monkeypatch.setattr("spacy_attnner.texts.row_stream.PART_CHARACTERS", 10)
    path = tmp_path / "in.txt"
    path.write_text("x" * 30 + "\na\n" + "b" * 9 + "\nc")
    assert [len(part.rows) for part in read_all(path)] == [1, 2, 1]


BROKEN = {
    "in.jsonl": (
        b'{"text": "a"}\n{"text": \n[1]\n{"txt": "b"}\n{"text": null}\n'
        b'{"text": "\xff"}\n{"text": "c", "id": [1]}\n{"text": "d"}\n',
        [
            *("invalid JSON", "not an object", "the keys are 'txt'"),
            *("None, not a string", "is not UTF-8", "id is [1], neither"),
        ],
        [2, 3, 4, 5, 6, 7],
    ),
    "in.txt": (b"a\n\xff\xfe\nd\n", ["is not UTF-8"], [2]),
    "in.csv": (
        b'text,id\na,1\nb\nc,3,4\n\xff,5\n"d"e,6\n\nf,7\n"g,8\nh,9\n',
        [
            *("it has 1 cells", "it has 3 cells", "is not UTF-8", "invalid CSV"),
            "invalid CSV up to line 10, unexpected end of data",
        ],
        [3, 4, 5, 6, 9],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_row_is_one(name, tmp_path):
    raw, problems, lines = BROKEN[name]
    (tmp_path / name).write_bytes(raw)
    bad = [row for row in rows_of(read_all(tmp_path / name)) if row.problem]
    assert [row.place for row in bad] == [f"{name}:{line}" for line in lines]
    for row, problem in zip(bad, problems, strict=True):
        assert problem in row.problem
    good = [row.text for row in rows_of(read_all(tmp_path / name)) if not row.problem]
    assert good == {"in.jsonl": ["a", "d"], "in.txt": ["a", "d"]}.get(name, ["a", "f"])


@pytest.mark.parametrize(("depth", "is_read"), [(98, True), (99, True), (100, False)])
def test_nested_metadata(depth, is_read, tmp_path):
    """What is read goes to other processes; an object is the first level."""
    deep = "[" * depth + "]" * depth
    (tmp_path / "in.jsonl").write_text(f'{{"text": "a [[", "m": {deep}}}\n')
    (row,) = rows_of(read_all(tmp_path / "in.jsonl"))
    assert bool(row.problem) != is_read
    assert pickle.loads(pickle.dumps(row)) == row


def test_broken_json_on_line_70_001(tmp_path):
    line = b'{"text": "a"}\n'
    (tmp_path / "in.jsonl").write_bytes(line * 70_000 + b"{\n" + line)
    rows = rows_of(read_all(tmp_path / "in.jsonl", 5000))
    assert [row.place for row in rows if row.problem] == ["in.jsonl:70001"]
    assert len(rows) == 70_002


def test_nulls_and_damaged_strings_in_parquet(tmp_path):
    bad = pa.StringArray.from_buffers(
        3, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0"), pa.py_buffer(b"a\xffb")
    )
    pq.write_table(pa.table({"text": bad}), tmp_path / "bad.parquet")
    rows = rows_of(read_all(tmp_path / "bad.parquet"))
    assert [row.text for row in rows] == ["a", "", "b"]
    assert "is not UTF-8" in rows[1].problem
    nulls = as_parquet([{"text": "a", "id": "x"}, {"text": None, "id": "y"}])
    (tmp_path / "nulls.parquet").write_bytes(nulls)
    rows = rows_of(read_all(tmp_path / "nulls.parquet"))
    assert rows[1][:2] == ("nulls.parquet:2", "y")
    assert "the text is None" in rows[1].problem


@pytest.mark.parametrize(
    "whens",
    [
        pa.array([1, 10**7, 2], pa.date32()),
        pa.array([1, 10**15, 2], pa.timestamp("ms")),
        pa.array([None, 5, None], pa.timestamp("us", tz="Mars/Phobos")),
    ],
)
def test_a_value_in_parquet_that_python_cannot_hold(whens, tmp_path):
    """Its row fails, and the others go on."""
    table = pa.table({"text": ["a", "b", "c"], "id": ["x", "y", "z"], "when": whens})
    pq.write_table(table, tmp_path / "in.parquet")
    rows = rows_of(read_all(tmp_path / "in.parquet"))
    assert [row.text for row in rows] == ["a", "", "c"]
    assert rows[1][:2] == ("in.parquet:2", "y")
    assert "what 'when' holds cannot be read" in rows[1].problem
    rows = rows_of(read_all(tmp_path / "in.parquet", meta=False))
    assert not any(row.problem for row in rows)


@pytest.mark.parametrize("kind", ["jsonl.gz", "jsonl.zst", "spacy", "parquet"])
def test_a_file_that_is_cut_off(kind, tmp_path):
    """It counts as one row that fails, and the next file is read."""
    kind, dot, compression = kind.partition(".")
    raw = COMPRESS[dot + compression](MAKE[kind]())
    if kind == "parquet":
        start = raw.index(b"PAR1") + 4
        raw = raw[:start] + b"\0" * 300 + raw[start + 300 :]
    else:
        raw = raw[: len(raw) * 2 // 3]
    (tmp_path / f"a.{kind}{dot}{compression}").write_bytes(raw)
    (tmp_path / "b.txt").write_text("whole")
    rows = rows_of(read_all(tmp_path))
    (bad,) = (row for row in rows if row.problem)
    assert bad.place == f"a.{kind}{dot}{compression}"
    assert f"cannot be read after row {len(rows) - 2}" in bad.problem
    assert rows[-1].text == "whole"


def looked_at(path: Path, **settings) -> tuple:
    return look_at(find_inputs(str(path)), Columns(**settings))


def test_a_table_without_the_column(tmp_path):
    (tmp_path / "in.parquet").write_bytes(as_parquet())
    (tmp_path / "in.csv").write_text("id;text\n")
    for name, problem in (
        ("in.parquet", "no column 'body'; its columns: 'id', 'text', 'year', 'tags'"),
        ("in.csv", "no column 'body'; its columns: 'id;text'"),
    ):
        with pytest.raises(UserError, match=problem) as error:
            looked_at(tmp_path / name, text="body")
        assert "--text COLUMN" in error.value.way_out
    with pytest.raises(UserError, match=r"'year' of .* holds int64, not strings"):
        looked_at(tmp_path / "in.parquet", text="year")
    with pytest.raises(UserError, match=r"'tags' of .* holds list"):
        looked_at(tmp_path / "in.parquet", id="tags")
    with pytest.raises(UserError, match="no column 'key'") as error:
        looked_at(tmp_path, id="key")
    assert "--id COLUMN" in error.value.way_out


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
@pytest.mark.parametrize("kind", ["txt", "jsonl", "csv"])
def test_utf_16(kind, encoding, tmp_path):
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    text = mark + MAKE[kind]().decode()
    path = tmp_path / f"in.{kind}.gz"
    path.write_bytes(gzip.compress(text.encode(encoding)))
    for read in (looked_at, read_all):
        with pytest.raises(UserError, match="is UTF-16, not UTF-8") as error:
            read(path)
        assert "iconv -f UTF-16" in error.value.way_out


@pytest.mark.parametrize("comma", [";", "\t"])
def test_a_table_without_commas(comma, tmp_path):
    """As Excel writes it in much of Europe; a text may hold whatever it likes."""
    rows = [["id", "text, or not", "text"], ["1", "1,5", 'a "b"; c,\td']]
    with (tmp_path / "in.csv").open("w", newline="") as file:
        csv.writer(file, delimiter=comma).writerows(rows)
    assert looked_at(tmp_path) == (None, None)
    (row,) = rows_of(read_all(tmp_path))
    assert (row.id, row.text) == ("1", rows[1][2])
    assert row.meta == {"text, or not": "1,5"}
    (tmp_path / "in.csv").write_text("text,a;text;b\nMira,1\n")
    (row,) = rows_of(read_all(tmp_path))
    assert (row.text, row.meta) == ("Mira", {"a;text;b": "1"})


@pytest.mark.parametrize("name", ["text", "id", "page"])
def test_two_columns_of_a_name(name, tmp_path):
    (tmp_path / "in.csv").write_text(f"text,id,page,{name},,\na,1,3,b,,\n")
    columns = [pa.array([each]) for each in "abcd"]
    names = ["text", "id", "page", name]
    pq.write_table(pa.table(columns, names=names), tmp_path / "in.parquet")
    with pytest.raises(UserError) as error:
        looked_at(tmp_path)
    assert error.value.problem.count(f"has 2 columns {name!r}") == 2
    assert error.value.way_out == "Rename all but one of them."
    if name == "page":
        looked_at(tmp_path, meta=False)


def test_an_empty_file_has_no_rows(tmp_path):
    """One of many files, of an exporter that had nothing to write."""
    for name in ("a.csv", "b.jsonl", "c.csv.gz"):
        content = gzip.compress(b"") if name.endswith("gz") else b""
        (tmp_path / name).write_bytes(content)
    (tmp_path / "d.csv").write_text("text\nMira\n")
    assert looked_at(tmp_path) == (None, None)
    assert [row.text for row in rows_of(read_all(tmp_path))] == ["Mira"]


def test_tables_that_do_not_fit_together(tmp_path):
    (tmp_path / "a.parquet").write_bytes(as_parquet([{"text": "a", "x": 1}]))
    (tmp_path / "b.parquet").write_bytes(as_parquet([{"text": "a", "x": "1"}]))
    with pytest.raises(UserError, match=r"b.parquet and .*a.parquet have other col"):
        looked_at(tmp_path)


def test_a_damaged_table(tmp_path):
    (tmp_path / "in.parquet").write_bytes(as_parquet()[:-20])
    with pytest.raises(UserError, match=r"in.parquet cannot be read"):
        looked_at(tmp_path / "in.parquet")


def test_all_bad_tables_are_told_at_once(tmp_path):
    (tmp_path / "a.csv").write_text("body\nMira\n")
    (tmp_path / "b.csv").write_text("text\nMira\n")
    (tmp_path / "c.csv").write_bytes("text,größe\nMira,1\n".encode("cp1252"))
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(b"text\nMira\n")[:15])
    (tmp_path / "e.parquet").write_bytes(as_parquet()[:-20])
    (tmp_path / "f.parquet").write_bytes(as_parquet([{"text": 1}]))
    for name in ("g.csv", "h.jsonl"):
        (tmp_path / name).write_bytes("text\nMira\n".encode("utf-16"))
    with pytest.raises(UserError) as error:
        looked_at(tmp_path)
    first, *problems = error.value.problem.splitlines()
    assert first == "7 inputs are wrong:"
    for problem, words in zip(
        problems,
        (
            *("a.csv has no column 'text'", r"c.csv: b'\xf6\xdf' is not UTF-8"),
            *("d.csv.gz cannot be read", "e.parquet cannot be read"),
            *("f.parquet holds int64, not strings", "g.csv is UTF-16"),
            "h.jsonl is UTF-16, not UTF-8",
        ),
        strict=True,
    ):
        assert words in problem
    assert error.value.way_out.splitlines() == [
        "Say which holds the texts: --text COLUMN",
        "For example: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW",
        "Make it again, or leave it out.",
        "Convert it: iconv -f UTF-16 -t UTF-8 OLD > NEW",
    ]


@pytest.mark.filterwarnings("ignore:30 files of")
def test_the_first_bad_inputs_are_named(tmp_path):
    for i in range(30):
        (tmp_path / f"{i:02}.csv").write_text("body\nMira\n")
        (tmp_path / f"{i:02}.md").write_text("Mira")
    for wrong in (looked_at, lambda folder: find_inputs(str(folder / "*.md"))):
        with pytest.raises(UserError) as error:
            wrong(tmp_path)
        first, *problems, last = error.value.problem.splitlines()
        assert (first, last) == ("30 inputs are wrong:", "… and 10 more")
        assert len(problems) == 20


def test_without_zstandard(tmp_path, monkeypatch):
    (tmp_path / "in.txt.zst").write_bytes(zstandard.compress(b"a"))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(UserError, match="zstandard is not installed") as error:
        read_all(tmp_path / "in.txt.zst")
    assert "spacy-attnner[zstd]" in error.value.way_out
