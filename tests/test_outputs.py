"""No command removes or replaces what is not its own."""

import os
import shutil
import signal
import stat
from pathlib import Path

import pytest
import spacy

from spacy_attnner.atomic import (
    check_apart,
    check_pipeline,
    replacing_files,
    replacing_folder,
    replacing_pipeline,
    write_text,
)
from spacy_attnner.errors import UserError
from spacy_attnner.workspace import MARKER, UNNAMED, Workspace


@pytest.fixture
def nlp():
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    return nlp


@pytest.fixture
def model(nlp, tmp_path) -> Path:
    nlp.to_disk(tmp_path / "model")
    return tmp_path / "model"


def write_pipeline(nlp, folder: Path) -> None:
    with replacing_pipeline(folder) as place:
        nlp.to_disk(place)


def fill(block, names: list[str], error: BaseException | None = None) -> None:
    with block as place:
        for name in names:
            (place / name).write_text("new")
        if error:
            raise error


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    old = os.umask(0o027)
    yield 0o027
    os.umask(old)


LOOKALIKES = ("X.old", "X.partial", ".X.deleted", ".X.abcdefgh.attn", ".X.abcdefgh")


@pytest.mark.parametrize("kind", ["file", "pipeline", "files", "folder"])
def test_neighbours_of_any_name_stay(nlp, tmp_path, kind):
    for name in LOOKALIKES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "letter.txt").write_text("dear")
    (tmp_path / ".X.link.attn").symlink_to(tmp_path / "X.old")
    before = snapshot(tmp_path)
    for _ in range(2):
        if kind == "file":
            write_text(tmp_path / "X", "new")
        elif kind == "pipeline":
            write_pipeline(nlp, tmp_path / "X")
        elif kind == "folder":
            fill(replacing_folder(tmp_path / "X", ["a", "b"]), ["a", "b"])
        else:
            with replacing_files(tmp_path, ["X/a", "b"]) as place:
                (place / "X").mkdir()
                for name in ("X/a", "b"):
                    (place / name).write_text("new")
    after = snapshot(tmp_path)
    assert {name: after[name] for name in before} == before
    assert {Path(name).parts[0] for name in set(after) - set(before)} <= {"X", "b"}


@pytest.mark.parametrize("extra", ["letter.txt", ".git/HEAD", "model-best/meta.json"])
def test_a_pipeline_with_something_else_in_it_stays(nlp, model, extra):
    (model / extra).parent.mkdir(exist_ok=True)
    (model / extra).write_text("dear")
    before = snapshot(model)
    with pytest.raises(UserError, match=Path(extra).parts[0]) as caught:
        write_pipeline(nlp, model)
    assert "nothing in it was changed" in caught.value.way_out
    assert snapshot(model) == before


@pytest.mark.parametrize("meta", [None, "{", "[]", "{}"])
def test_a_folder_that_is_no_pipeline_stays(nlp, model, meta):
    (model / "meta.json").unlink()
    if meta is not None:
        (model / "meta.json").write_text(meta)
    before = snapshot(model)
    with pytest.raises(UserError, match=r"is no pipeline|is not part of"):
        write_pipeline(nlp, model)
    assert snapshot(model) == before


def test_what_comes_in_while_it_is_written_stays(nlp, model):
    to_disk = nlp.to_disk
    nlp.to_disk = lambda path: (
        to_disk(path),
        (model / "letter.txt").write_text("dear"),
    )
    with pytest.raises(UserError, match=r"letter\.txt"):
        write_pipeline(nlp, model)
    assert (model / "letter.txt").read_text() == "dear"
    assert spacy.load(model).pipe_names == ["sentencizer"]
    assert os.listdir(model.parent) == ["model"]


def test_other_files_of_a_folder_stay(tmp_path):
    folder = tmp_path / "results"
    (folder / "ner").mkdir(parents=True)
    for name in ("thesis.tex", "ner/notes.md", "metrics.json"):
        (folder / name).write_text("mine")
    with replacing_files(folder, ["metrics.json", "ner/train.spacy"]) as place:
        (place / "ner").mkdir()
        for name in ("metrics.json", "ner/train.spacy"):
            (place / name).write_text("new")
    assert snapshot(folder) == {
        "ner": None,
        "thesis.tex": b"mine",
        "ner/notes.md": b"mine",
        "metrics.json": b"new",
        "ner/train.spacy": b"new",
    }


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt(), ValueError()])
def test_an_error_leaves_all_as_it_was(nlp, model, tmp_path, error):
    before = snapshot(tmp_path)
    for block in (replacing_pipeline(model), replacing_files(model, ["meta.json"])):
        with pytest.raises((UserError, type(error))):
            fill(block, ["config.cfg", "meta.json"], error)
    assert snapshot(tmp_path) == before


def test_the_end_checks_that_all_is_there(model, tmp_path):
    before = snapshot(tmp_path)
    with pytest.raises(UserError, match=r"config\.cfg is missing"):
        fill(replacing_pipeline(model), ["meta.json"])
    with pytest.raises(UserError, match="b is missing"):
        fill(replacing_files(tmp_path, ["a", "b"]), ["a"])
    assert snapshot(tmp_path) == before


def leave(target: Path, moment: str) -> tuple[int, int]:
    """Have a process write half of a folder and be killed: while it writes, between the
    two renames at the end, or when something comes through the pipe.

    Returns the process and the pipe.
    """
    reading, writing = os.pipe()
    there, ready = os.pipe()
    process = os.fork()
    if process:
        os.close(ready)
        os.read(there, 1)
        return process, writing
    work = Workspace(target)
    work.new.mkdir()
    (work.new / "half").touch()
    if moment == "swap":
        os.replace(target, work.old)
    os.close(ready)
    if moment == "alive":
        os.read(reading, 1)
    os.kill(os.getpid(), signal.SIGKILL)
    return 0, 0


def end(process: int, pipe: int) -> None:
    os.write(pipe, b"x")
    os.close(pipe)
    assert os.WTERMSIG(os.waitpid(process, 0)[1]) == signal.SIGKILL


@pytest.mark.parametrize("moment", ["write", "swap"])
def test_what_a_killed_run_left_is_cleaned_up_by_the_next(model, tmp_path, moment):
    before = snapshot(model)
    end(*leave(model, moment))
    assert len(os.listdir(tmp_path)) == 2 - (moment == "swap")
    write_text(tmp_path / "other", "of another output")
    assert any(name.endswith(".attn") for name in os.listdir(tmp_path))
    check_pipeline(model)
    assert snapshot(model) == before
    assert sorted(os.listdir(tmp_path)) == ["model", "other"]


@pytest.mark.parametrize("names", [[], [UNNAMED], [UNNAMED, "letter.txt"]])
def test_a_folder_without_its_marker_is_removed_when_it_holds_nothing(tmp_path, names):
    folder = tmp_path / ".X.abcdefgh.attn"
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    write_text(tmp_path / "X", "new")  # it may be getting its marker
    assert folder.exists()
    os.utime(folder, (1e9, 1e9))
    write_text(tmp_path / "X", "new")
    assert folder.exists() == ("letter.txt" in names)


def test_a_living_run_keeps_its_folder(nlp, model, tmp_path):
    process, pipe = leave(model, "alive")
    write_pipeline(nlp, model)
    (left,) = (name for name in os.listdir(tmp_path) if name.endswith(".attn"))
    assert (tmp_path / left / "new/half").exists()
    end(process, pipe)
    write_pipeline(nlp, model)
    assert os.listdir(tmp_path) == ["model"]


def test_a_folder_that_is_half_deleted_is_not_put_back(
    nlp, model, tmp_path, monkeypatch
):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_pipeline(nlp, model)
    monkeypatch.undo()
    os.rename(model, tmp_path / "moved")
    check_pipeline(model)
    assert os.listdir(tmp_path) == ["moved"]


def test_the_last_of_two_runs_wins_whole(nlp, model, tmp_path):
    """The other's pipeline appears in the middle of the swap, again and again."""
    first, second = Workspace(model), Workspace(model)
    for number, work in enumerate((first, second)):
        nlp.meta["version"] = f"{number}.0"
        nlp.to_disk(work.new)
    os.replace(model, first.old)
    with second:
        second.put_folder()
    with first:
        first.put_folder()
    assert spacy.load(model).meta["version"] == "0.0"
    assert os.listdir(tmp_path) == ["model"]


def test_permissions_are_the_umasks_or_those_of_what_was_there(nlp, tmp_path, umask):
    write_text(tmp_path / "new", "a")
    write_pipeline(nlp, tmp_path / "model")
    assert mode(tmp_path / "new") == 0o640
    assert mode(tmp_path / "model") == 0o750
    assert mode(tmp_path / "model/meta.json") == 0o640
    (tmp_path / "new").chmod(0o600)
    (tmp_path / "model").chmod(0o700)
    write_text(tmp_path / "new", "b")
    write_pipeline(nlp, tmp_path / "model")
    with replacing_files(tmp_path, ["new"]) as place:
        (place / "new").write_text("c")
    assert (tmp_path / "new").read_text() == "c"
    assert mode(tmp_path / "new") == 0o600
    assert mode(tmp_path / "model") == 0o700


def test_devices_and_fifos_are_refused_and_links_followed(nlp, model, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path in (Path("/dev/null"), tmp_path / "fifo"):
        with pytest.raises(UserError, match="is no ordinary file"):
            write_text(path, "a")
        with pytest.raises(UserError, match="is no ordinary file"):
            fill(replacing_files(path.parent, [path.name]), [path.name])
        with pytest.raises(UserError, match="is no pipeline"):
            write_pipeline(nlp, path)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    (tmp_path / "there").mkdir()
    (tmp_path / "there/file").write_text("old")
    for name, target in (("a", "there/file"), ("b", "there/new"), ("m", "model")):
        (tmp_path / name).symlink_to(target)
    write_text(tmp_path / "a", "1")
    with replacing_files(tmp_path, ["b"]) as place:
        (place / "b").write_text("2")
    write_pipeline(nlp, tmp_path / "m")
    assert all((tmp_path / name).is_symlink() for name in "abm")
    assert snapshot(tmp_path / "there") == {"file": b"1", "new": b"2"}


def test_an_output_is_apart_from_the_inputs(model, tmp_path):
    data = tmp_path / "data/dev.spacy"
    data.parent.mkdir()
    data.touch()
    (tmp_path / "link").symlink_to("data")
    for output, problem in (
        (data, "holds the documents, and would be replaced"),
        (tmp_path / "link/dev.spacy", "holds the documents, and would be replaced"),
        (data.parent, "lies around"),
        (tmp_path / "link", "lies around"),
        (model / "report.json", "lies inside"),
        (model / "a/b", "lies inside"),
        (tmp_path, "lies around"),
    ):
        with pytest.raises(UserError, match=problem):
            check_apart(output, {"documents": data, "pipeline": str(model)})
    for output in (tmp_path / "new", tmp_path / "data/new", tmp_path / "model2"):
        check_apart(output, {"documents": data, "pipeline": str(model), "none": None})


@pytest.mark.parametrize("name", ["x" * 255, "ä" * 127, "a\nb", "*[?]", "-"])
def test_names_of_all_kinds(nlp, tmp_path, name):
    write_text(tmp_path / name, "a")
    assert os.listdir(tmp_path) == [name]
    (tmp_path / name).unlink()
    write_pipeline(nlp, tmp_path / name)
    assert os.listdir(tmp_path) == [name]


def test_a_marker_says_whose_it_is(tmp_path):
    with Workspace(tmp_path / "X") as work:
        assert (work.folder / MARKER).read_text() == "X"
        assert work.folder.parent == tmp_path
    assert os.listdir(tmp_path) == []


def test_text_is_replaced_in_one_step(tmp_path, monkeypatch):
    path = tmp_path / "new/meta.json"
    write_text(path, "old")
    monkeypatch.setattr(os, "fsync", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_text(path, "newer")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path / "new") == ["meta.json"]
