"""Steps whose output another program fills: complete or not there, and ours alone."""

import json
import os
import shutil
from pathlib import Path

import pytest
import spacy
from steps import app, begin, finish
from typer.testing import CliRunner

from spacy_attnner.errors import UserError
from spacy_attnner.workspace import MARKER


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_begin_and_finish():
    begin(Path("out/model"))
    assert not Path("out/model").exists()
    Path("out/model.partial/new").touch()
    finish(Path("out/model"), expect=["new"])
    assert os.listdir("out") == ["model"]
    assert sorted(os.listdir("out/model")) == [MARKER, "new"]


def test_begin_with_a_copy():
    Path("made/part").mkdir(parents=True)
    Path("made/part/file").touch()
    begin(Path("model"), copy=Path("made"))
    assert sorted(os.listdir("model.partial")) == [MARKER, "part"]
    assert os.listdir("made/part") == os.listdir("model.partial/part") == ["file"]
    with pytest.raises(UserError, match="nowhere is missing"):
        begin(Path("other"), copy=Path("nowhere"))
    assert not Path("other.partial").exists()


def test_begin_removes_what_was_there():
    for _ in range(2):
        begin(Path("model"))
        Path("model.partial/old").touch()
        finish(Path("model"))
        begin(Path("model"))
        assert os.listdir(".") == ["model.partial"]
        Path("model.partial/old").touch()
    begin(Path("model"))
    assert os.listdir("model.partial") == [MARKER]


@pytest.mark.parametrize("expect", [[], ["meta.json"]])
def test_nothing_to_finish(expect):
    if expect:
        begin(Path("model"))
    with pytest.raises(UserError, match="was not completed"):
        finish(Path("model"), expect)
    assert not Path("model").exists()


@pytest.mark.parametrize("folder", [".", "..", "../elsewhere", "/"])
def test_begin_stays_inside_the_project(folder, tmp_path):
    Path("keep").touch()
    with pytest.raises(UserError, match="not inside the project folder"):
        begin(Path(folder))
    assert os.listdir(tmp_path) == ["keep"]


def test_commands():
    run = CliRunner().invoke
    assert run(app, ["begin", "model"]).exit_code == 0
    assert run(app, ["finish", "model", "--expect", "a"]).exit_code == 1
    Path("model.partial/a").touch()
    assert run(app, ["finish", "model", "--expect", "a"]).exit_code == 0
    assert Path("model/a").exists()


def run_step(name: str = "model", content: str = "new") -> Path:
    begin(Path(name))
    (Path(f"{name}.partial") / "best").mkdir()
    (Path(f"{name}.partial") / "best/file").write_text(content)
    finish(Path(name), ["best"])
    return Path(name)


def test_other_things_in_a_steps_folder_stay():
    folder = run_step()
    (folder / "letter.txt").write_text("dear")
    begin(folder)
    assert sorted(os.listdir(folder)) == [MARKER, "letter.txt"]
    for content in ("newer", "newest"):
        run_step(content=content)
        assert (folder / "best/file").read_text() == content
        assert (folder / "letter.txt").read_text() == "dear"
    assert os.listdir(".") == ["model"]


@pytest.mark.parametrize("marker", [None, "{", "[]", '{"made": ["../letter.txt"]}'])
def test_a_folder_that_no_step_made_stays(marker):
    Path("letter.txt").write_text("dear")
    Path("home/sub").mkdir(parents=True)
    Path("home/letter.txt").write_text("dear")
    if marker:
        Path("home", MARKER).write_text(marker)
    if not (marker and "made" in marker):
        with pytest.raises(UserError, match=r"home holds what no step made: .*letter"):
            begin(Path("home"))
        assert not Path("home.partial").exists()
    else:
        begin(Path("home"))
    for path in ("letter.txt", "home/letter.txt"):
        assert Path(path).read_text() == "dear"
    assert Path("home/sub").is_dir()


def test_a_partial_folder_that_is_not_ours_stays():
    Path("model.partial").mkdir()
    begin(Path("model"))  # nothing is in it
    Path("model.partial", MARKER).unlink()
    Path("model.partial/letter.txt").write_text("dear")
    with pytest.raises(UserError, match=r"model\.partial is there and was not made by"):
        begin(Path("model"))
    assert Path("model.partial/letter.txt").read_text() == "dear"


@pytest.mark.parametrize("kind", ["file", "link", "partial link"])
def test_begin_takes_folders_only(tmp_path, kind):
    run_step("there")
    if kind == "file":
        Path("model").write_text("dear")
    else:
        link = "model.partial" if kind == "partial link" else "model"
        Path(link).symlink_to("there")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match="is there and"):
        begin(Path("model"))
    assert sorted(tmp_path.rglob("*")) == before


def test_what_another_run_is_filling_stays():
    begin(Path("model"))
    for process, problem in ((os.getpid(), "is filling"), (2**22 + 1, None)):
        Path("model.partial", MARKER).write_text(json.dumps({"process": process}))
        if problem:
            with pytest.raises(UserError, match=f"{process} is filling"):
                begin(Path("model"))
        else:
            begin(Path("model"))


def test_a_pipeline_has_no_marker_and_can_be_replaced():
    """`spacy package` would ship it."""
    for _ in range(2):
        begin(Path("model"))
        spacy.blank("en").to_disk("model.partial")
        finish(Path("model"), ["meta.json"])
        names = ["config.cfg", "meta.json", "tokenizer", "vocab"]
        assert sorted(os.listdir("model")) == names
    Path("model/letter.txt").write_text("dear")
    with pytest.raises(UserError, match="holds what no step made"):
        begin(Path("model"))
    assert Path("model/letter.txt").read_text() == "dear"


def test_finish_replaces_nothing_else():
    begin(Path("model"))
    Path("model.partial/best").mkdir()
    Path("model").mkdir()
    Path("model/best").write_text("dear")
    with pytest.raises(UserError, match="holds what no step made: best"):
        finish(Path("model"), ["best"])
    assert Path("model/best").read_text() == "dear"
    assert Path("model.partial/best").is_dir()


def test_copies_of_a_project_are_replaced_like_it(tmp_path):
    shutil.copytree(run_step(), "copy")
    run_step("copy", "newer")
    assert Path("copy/best/file").read_text() == "newer"
