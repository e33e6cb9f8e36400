"""Both hold what the documents hold, whatever that is."""

import csv
import io
import json
import sys
from dataclasses import asdict

import pytest

from spacy_attnner.export import DocInfo, read_triples, to_csv, to_jsonl

META = {"source": "a\n'b'", "n": [1, None, 0.5], "half": "\ud800", "line": "\u2028"}
READ_META = {**META, "half": "\ufffd"}


def read_csv(lines) -> list[dict[str, str]]:
    data = "".join(lines).encode("utf-8")
    file = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    return list(csv.DictReader(file, strict=True))


@pytest.fixture
def docs(nasty, make_doc):
    """The same words in every place, with an id and without."""
    doc = make_doc(nasty, nasty, nasty, (nasty, nasty + "'"))
    return [make_doc(), (doc, nasty), (doc, DocInfo(3, META))]


def test_jsonl(docs):
    lines = list(to_jsonl(docs))
    data = "".join(lines)
    assert data.splitlines(keepends=True) == lines
    expected = [asdict(triple) for triple in read_triples(docs)]
    for record in expected[:2]:
        del record["meta"]
    del expected[0]["doc_id"]
    expected[2]["meta"] = READ_META
    assert [json.loads(line) for line in lines] == expected
    data.encode("utf-8")


def test_csv(docs, nasty):
    if "\x00" in nasty and sys.version_info < (3, 11):
        pytest.skip("csv.reader refuses NUL")
    rows = read_csv(to_csv(docs))
    for row, triple in zip(rows, read_triples(docs), strict=True):
        record = asdict(triple)
        for end in ("head", "tail"):
            for key, value in record.pop(end).items():
                record[f"{end}_{key}"] = value
        meta, read = record.pop("meta"), row.pop("meta")
        assert row == {
            key: "" if value is None else str(value) for key, value in record.items()
        }
        assert (json.loads(read) == READ_META) if meta else read == ""


def test_csv_for_a_spreadsheet(make_doc):
    starts = ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"]
    cells = [f"{start}1" for start in starts]
    docs = [(make_doc(cell, cell, cell, (cell, cell)), cell) for cell in cells]
    plain, safe = read_csv(to_csv(docs)), read_csv(to_csv(docs, spreadsheet=True))
    keys = ["doc_id", "label"]
    keys += [f"{end}_{key}" for end in ("head", "tail") for key in ("text", "label")]
    for cell, before, after in zip(cells, plain, safe, strict=True):
        assert {before[key] for key in keys} == {cell}
        assert {after[key] for key in keys} == {f"'{cell}"}
        for key in before.keys() - keys:
            assert before[key] == after[key]


def test_csv_has_names_without_a_triple(unrelated):
    (names,) = to_csv([unrelated])
    assert names == (
        "doc,doc_id,head_text,head_label,head_start_char,head_end_char,label,"
        "tail_text,tail_label,tail_start_char,tail_end_char,score,context,meta\r\n"
    )
    assert list(to_jsonl([unrelated])) == []


def test_scores_are_kept_to_the_last_digit(make_doc):
    score = 0.1 + 0.2
    docs = [make_doc(score=score), make_doc(score=1e-7)]
    assert [json.loads(line)["score"] for line in to_jsonl(docs)] == [score, 1e-7]
    assert [float(row["score"]) for row in read_csv(to_csv(docs))] == [score, 1e-7]


@pytest.mark.parametrize("write", [to_jsonl, to_csv])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_meta_that_is_not_json(make_doc, write, value):
    with pytest.raises(ValueError, match="JSON compliant"):
        list(write([(make_doc(), DocInfo(meta={"x": value}))]))


@pytest.mark.parametrize("write", [to_jsonl, to_csv])
def test_threshold(make_doc, write):
    docs = [make_doc(score=0.2), make_doc(score=0.8)]
    assert len(list(write(docs))) - len(list(write(docs, threshold=0.5))) == 1
