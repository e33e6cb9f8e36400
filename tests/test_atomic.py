"""Outputs are complete or not there."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spacy_attnner.atomic import write_text
from spacy_attnner.cli import attn_cli
from spacy_attnner.errors import UserError
from spacy_attnner.project.step_folders import begin, finish
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
    assert run(attn_cli, ["begin", "model"]).exit_code == 0
    assert run(attn_cli, ["finish", "model", "--expect", "a"]).exit_code == 1
    Path("model.partial/a").touch()
    assert run(attn_cli, ["finish", "model", "--expect", "a"]).exit_code == 0
    assert Path("model/a").exists()


def test_text_is_replaced_in_one_step(monkeypatch):
    path = Path("new/meta.json")
    write_text(path, "old")
    monkeypatch.setattr(os, "fsync", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_text(path, "newer")
    assert path.read_text() == "old"
    assert os.listdir("new") == ["meta.json"]
