"""Parquet in and out: types of ids and metadata, and who reads it."""

import json
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.batch.conftest import make_texts, read_jsonl


def test_parquet_of_types_that_arrow_does_not_make(tmp_path, apply):
    keys = [UUID(int=i) for i in range(3)]
    columns = {
        "text": pa.array(["Mira left ."] * 3),
        "key": pa.array([key.bytes for key in keys], pa.uuid()),
        "more": pa.array(['{"a": 1}'] * 3, pa.json_()),
    }
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    for format in ("parquet", "jsonl"):
        done = apply(tmp_path / "in.parquet", tmp_path / f"out.{format}")
        assert (done.rows, done.failed) == (3, 0)
    expected = [{"key": str(key), "more": '{"a": 1}'} for key in keys]
    found = pq.read_table(tmp_path / "out.parquet").column("meta").to_pylist()
    assert [json.loads(each) for each in found] == expected
    assert [each["meta"] for each in read_jsonl(tmp_path / "out.jsonl")] == expected


def test_parquet_for_everyone(rows, tmp_path, apply):
    duckdb, pandas, polars = map(pytest.importorskip, ("duckdb", "pandas", "polars"))
    path = tmp_path / "out.parquet"
    apply(rows, path)
    first = read_jsonl(rows)[0]["text"]
    entities = [
        ent for row in pq.read_table(path).to_pylist() for ent in row["entities"]
    ]
    assert pandas.read_parquet(path)["text"][0] == first
    found = polars.read_parquet(path)["entities"].explode().drop_nulls()
    starts = found.struct.field("start").to_list()
    assert starts == [ent["start"] for ent in entities]
    query = f"select e.label from (select unnest(entities) e from '{path}')"
    labels = [label for (label,) in duckdb.sql(query).fetchall()]
    assert labels == [ent["label"] for ent in entities]


def test_parquet_keeps_the_types_of_what_it_is_given(tmp_path, apply):
    table = pa.table(
        {
            "text": make_texts(9),
            "id": pa.array(range(9), pa.int64()),
            "day": pa.array([0] * 9, pa.date32()),
            "score": pa.array([float("nan"), *[0.5] * 8]),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    apply(tmp_path / "in.parquet", tmp_path / "out.parquet")
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.schema.field("id").type == pa.int64()
    assert found.schema.field("meta").type.field("day").type == pa.date32()
    apply(tmp_path / "in.parquet", tmp_path / "out.jsonl")
    meta = read_jsonl(tmp_path / "out.jsonl")[0]["meta"]
    assert meta == {"day": "1970-01-01", "score": None}


@pytest.mark.parametrize("fields", [(), ("entities",)])
@pytest.mark.parametrize("per", ["document", "entity"])
def test_ids_that_are_integers_in_parquet(per, fields, tmp_path, apply):
    """They stay so where all are; beside strings, or places, they are strings."""
    records = [{"id": i, "text": "Mira left Bergen", "year": 1990} for i in range(9)]
    lines = "".join(json.dumps(each) + "\n" for each in records)
    for name in ("lines", "mixed", "nulls", "whole"):
        (tmp_path / name).mkdir()
    (tmp_path / "lines/a.jsonl").write_text(lines)
    (tmp_path / "mixed/a.jsonl").write_text(lines)
    table = pa.Table.from_pylist(records)
    for name in ("mixed", "nulls", "whole"):
        pq.write_table(table, tmp_path / name / "b.parquet")
    nulls = pa.Table.from_pylist([{**each, "id": None} for each in records[:2]])
    pq.write_table(nulls.cast(table.schema), tmp_path / "nulls/c.parquet")

    def ids(name: str) -> list:
        output = tmp_path / f"{name}.parquet"
        apply(tmp_path / name, output, per=per, fields=fields)
        return list(dict.fromkeys(pq.read_table(output)["id"].to_pylist()))

    numbers = list(range(9))
    assert ids("whole") == numbers
    assert ids("lines") == ids("mixed") == list(map(str, numbers))
    assert ids("nulls") == [*map(str, numbers), "c.parquet:1", "c.parquet:2"]


@pytest.mark.parametrize("other", ["page", "year"])
def test_a_struct_of_metadata_in_parquet(other, tmp_path, apply):
    records = [{"text": t, "meta": {"year": 1990}, other: 2} for t in make_texts(3)]
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "in.parquet")
    apply(tmp_path / "in.parquet", tmp_path / "out.parquet")
    expected = {"year": 1990, "page": 2}
    if other == "year":
        expected = {"year": 2, "meta": {"year": 1990}}
    for row in pq.read_table(tmp_path / "out.parquet").to_pylist():
        assert row["meta"] == expected
