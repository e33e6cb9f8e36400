"""What a folder or a pattern stands for, and where outputs may not lie."""

import gzip
import os
from pathlib import Path

import pytest

from spacy_attnner.errors import UserError
from spacy_attnner.texts.inputs import check_places, find_inputs
from tests.texts.conftest import read_all, rows_of


def test_a_folder(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b/two.txt").write_text("two\nlines")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"one"))
    (tmp_path / "c.jsonl").write_text('{"text": "three"}')
    (tmp_path / ".hidden.txt").write_text("no")
    rows = rows_of(read_all(tmp_path))
    assert [(row.id, row.text) for row in rows] == [
        ("a.txt.gz", "one"),
        ("b/two.txt", "two\nlines"),
        ("c.jsonl:1", "three"),
    ]


@pytest.mark.filterwarnings("ignore:2 files of")
def test_what_else_a_folder_holds(tmp_path):
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.tsv").write_text("id\ttext\nx\tto, or not\n")
    (tmp_path / "c.ndjson").write_text('{"text": "three"}\n')
    (tmp_path / "d.json").write_text("[]")
    (tmp_path / "e").symlink_to(tmp_path)
    with pytest.warns(UserWarning, match=r"2 files of .* are not read, d\.json among"):
        find_inputs(str(tmp_path))
    rows = rows_of(read_all(tmp_path))
    assert [row.id for row in rows] == ["a.txt", "x", "c.ndjson:1"]
    assert [row.text for row in rows] == ["one", "to, or not", "three"]


def test_what_a_run_left_is_no_text(tmp_path):
    run = tmp_path / "a/out.jsonl.run"
    run.mkdir(parents=True)
    (run / "errors.jsonl").write_text('{"id": 1}\n')
    (tmp_path / "b.jsonl").write_text('{"text": "b"}\n')
    for head, n in (('{"settings": {}, "n_inputs": 1}\n', 1), ('{"mine": 1}\n', 3)):
        (run / "manifest.jsonl").write_text(head)
        assert len(find_inputs(str(tmp_path))) == n
        assert len(find_inputs(str(tmp_path / "**/*.jsonl"))) == n
        assert len(find_inputs(str(run / "*.jsonl"))) == 2


@pytest.mark.parametrize(
    ("pattern", "parts", "is_refused"),
    [
        ("in/**/*.jsonl", [], True),
        ("in/[o-x]/../x/out.*", [], False),
        ("in/x/*.jsonl", [], True),
        ("in/*.jsonl", [], False),
        ("in/**", [], True),
        ("*/x/a*.jsonl", [], False),
        ("in/*/*/part-*.jsonl", ["part-000000.jsonl"], True),
        ("in/*/*/part-*.csv", ["part-000000.jsonl"], False),
    ],
)
def test_a_pattern_that_would_match_the_output(
    pattern, parts, is_refused, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    output = Path("in/x/out.jsonl")
    if is_refused:
        with pytest.raises(UserError, match="would be among the texts"):
            check_places(output, None, pattern, [], parts)
    else:
        check_places(output, None, pattern, [], parts)
    check_places(Path("in/.x/out.jsonl"), None, pattern, [], parts)


def test_a_pattern(tmp_path):
    for name in ("x/b.txt", "x/a.txt", "y/c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{name}\nlast")
    rows = rows_of(read_all(tmp_path / "*/[ac].txt"))
    assert [row.id for row in rows] == [
        *("x/a.txt:1", "x/a.txt:2", "y/c.txt:1", "y/c.txt:2")
    ]


def test_a_folder_that_cannot_be_looked_into(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a.txt").write_text("Mira")
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "a":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=r"a cannot be read: .* Permission denied"):
        find_inputs(str(tmp_path))


@pytest.mark.parametrize(
    ("given", "kind", "problem"),
    [
        ("nothing.txt", None, "does not exist"),
        ("*.jsonl", None, "no file matches"),
        ("empty", None, "holds no texts"),
        ("in.md", None, "of no kind that holds texts"),
        ("-", "spacy", "is not read from stdin"),
    ],
)
def test_no_inputs(given, kind, problem, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    (tmp_path / "in.md").write_text("x")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=problem):
        find_inputs(given, kind)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs")
def test_pipes(tmp_path):
    """One is refused before anything is read, and left out of a folder."""
    os.mkfifo(tmp_path / "a.jsonl")
    with pytest.raises(UserError, match="is a pipe or a device") as error:
        find_inputs(str(tmp_path / "a.jsonl"))
    assert error.value.way_out == "Pipe it into -."
    (tmp_path / "b.txt").write_text("b")
    assert [each.name for each in find_inputs(str(tmp_path))] == ["b.txt"]
