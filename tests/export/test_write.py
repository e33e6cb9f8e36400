"""A file of relations: complete, or as it was before."""

import csv
import errno
import json
import os
import stat
from pathlib import Path

import networkx
import pytest

from spacy_attnner.atomic import Output
from spacy_attnner.errors import UserError
from spacy_attnner.export import DocInfo, write_relations
from spacy_attnner.export.write import FORMATS


def count(path: Path) -> int:
    """How many triples a file holds."""
    if path.suffix == ".graphml":
        graph = networkx.read_graphml(path, edge_key_type=str, force_multigraph=True)
        return graph.number_of_edges()
    text = path.read_bytes().decode("utf-8")
    if path.suffix == ".nt":
        return text.count("ns#Statement> .\n")
    return text.count("\n") - (path.suffix == ".csv")


@pytest.mark.parametrize("format", FORMATS)
def test_every_format(make_doc, unrelated, tmp_path, format):
    path = tmp_path / "new" / f"out.{format}"
    docs = [(make_doc("é", score=0.2), "a"), unrelated, (make_doc(), DocInfo(2))]
    written = write_relations(iter(docs), path)
    assert (written.documents, written.triples) == (3, 2)
    assert count(path) == 2
    written = write_relations(docs, str(path), threshold=0.5)
    assert (written.documents, written.triples) == (3, 1)
    assert count(path) == 1
    assert os.listdir(path.parent) == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_format_that_the_name_does_not_tell(make_doc, tmp_path):
    write_relations([make_doc()], tmp_path / "out.txt", format="jsonl")
    assert json.loads((tmp_path / "out.txt").read_text())["label"] == "Lives_In"
    write_relations([make_doc()], tmp_path / "OUT.CSV")
    assert (tmp_path / "OUT.CSV").read_text().startswith("doc,doc_id,")


def test_line_ends_are_not_translated(make_doc, tmp_path):
    write_relations([make_doc("a\nb\rc\r\nd")], tmp_path / "out.csv", spreadsheet=True)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["head_text"] == "a\nb\rc\r\nd"


def test_base(make_doc, tmp_path):
    base = "https://example.org/kg/"
    for name in ("out.nt", "out.cypher"):
        write_relations([make_doc()], tmp_path / name, base=base)
        assert f"{base}document:0" in (tmp_path / name).read_text()


def refuse_format(docs, path):
    write_relations(docs, path, format="xml")


def refuse_ending(docs, path):
    write_relations(docs, path.with_suffix(".tsv"))


def refuse_base(docs, path):
    write_relations(docs, path, base="kg")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (refuse_format, "'xml' is no format; the formats are jsonl, csv, nt"),
        (refuse_ending, r"the ending of .*out\.tsv is no format"),
        (refuse_base, "'kg' is not a base IRI"),
    ],
)
def test_wrong_choices(make_doc, tmp_path, write, message):
    docs = iter([make_doc()])
    with pytest.raises(ValueError, match=message):
        write(docs, tmp_path / "out.csv")
    assert os.listdir(tmp_path) == []
    assert next(docs) is not None  # nothing was read


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_on_the_way(make_doc, tmp_path, format, error):
    def docs():
        yield make_doc()
        raise error("halfway")

    path = tmp_path / f"out.{format}"
    path.write_text("before")
    with pytest.raises(error, match="halfway"):
        write_relations(docs(), path)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("function", ["write", "fsync", "replace"])
def test_a_full_disk(make_doc, tmp_path, monkeypatch, function):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    if function == "write":
        open_file = Path.open

        def opened(*args):
            file = open_file(*args)
            return type("Full", (), {"write": full, "close": lambda _: file.close()})()

        monkeypatch.setattr(Path, "open", opened)
    else:
        monkeypatch.setattr(os, function, full)
    message = r"out\.csv cannot be written: .*No space left"
    with pytest.raises(UserError, match=message):
        write_relations([make_doc()], tmp_path / "out.csv")
    assert os.listdir(tmp_path) == []


def test_an_error_of_the_documents_is_none_of_the_file(make_doc, tmp_path):
    def docs():
        yield make_doc()
        raise OSError("the network is down")

    with pytest.raises(OSError, match=r"^the network is down"):
        write_relations(docs(), tmp_path / "out.csv")


def test_places_that_are_no_file(make_doc, tmp_path):
    with pytest.raises(UserError, match="is a folder") as caught:
        write_relations([make_doc()], tmp_path, format="csv")
    assert f"Name a file: {tmp_path}" in caught.value.way_out
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    with pytest.raises(UserError, match="is no ordinary file"):
        write_relations([make_doc()], pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    (tmp_path / "plain").touch()
    with pytest.raises(UserError, match="cannot be written"):
        write_relations([make_doc()], tmp_path / "plain" / "out.csv")


def test_a_link_stays(make_doc, tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "there" / "out.csv")
    write_relations([make_doc()], link)
    assert link.is_symlink()
    assert count(tmp_path / "there" / "out.csv") == 1


def test_bytes_reach_the_file(tmp_path):
    with (tmp_path / "out").open("wb") as file:
        assert Output(file, tmp_path / "out").write(b"abc") == 3
    assert (tmp_path / "out").read_bytes() == b"abc"
