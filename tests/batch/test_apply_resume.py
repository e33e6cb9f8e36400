"""A run that was cut off anywhere goes on, and ends as one that was not."""

import errno
import gzip
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from io import BytesIO, FileIO
from pathlib import Path

import pytest
import spacy

from spacy_attnner.batch import annotator, manifest
from spacy_attnner.errors import UserError
from tests.batch.conftest import make_texts, read_jsonl

FORMATS = ("jsonl", "csv", "parquet", "spacy")


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    """Rules alone, which are fast: what reads the rows makes no difference here."""
    folder = tmp_path_factory.mktemp("rules") / "model"
    nlp = spacy.blank("en")
    patterns = [{"label": "NAME", "pattern": name} for name in ("Mira", "Bergen")]
    nlp.add_pipe("entity_ruler").add_patterns(patterns)  # type: ignore[attr-defined]
    nlp.to_disk(folder)
    return folder


@pytest.fixture
def flawed(tmp_path) -> Path:
    """30 rows, of which each seventh fails."""
    lines = [json.dumps({"text": text}) for text in make_texts(30)]
    lines[::7] = ["{"] * 5
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    return tmp_path / "in.jsonl"


def in_child(work: Callable[[], None]) -> int:
    """Do it in a process of its own, and say which signal ended that."""
    process = os.fork()
    if not process:
        try:
            work()
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(process, 0)[1])


def content(path: Path) -> dict[str, bytes]:
    """The results, and the errors."""
    files = [path] if path.is_file() else sorted(path.glob("part-*"))
    folder = path if path.is_dir() else path.with_name(path.name + ".run")
    found = {file.name: file.read_bytes() for file in files}
    return {**found, "errors": (folder / "errors.jsonl").read_bytes()}


def killing(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Kill this process at a step that changes the disk: before it, or after it."""
    steps = 0

    def counted(function: Callable) -> Callable:
        def step(*args, **kwargs):
            nonlocal steps
            steps += 1
            if steps == number:
                os.kill(os.getpid(), signal.SIGKILL)
            done = function(*args, **kwargs)
            steps += 1
            if steps == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        return step

    class HalfWritten(FileIO):
        def write(self, content) -> int:
            """In two steps, so that half of a line is all that is there."""
            half = counted(super().write)(content[: len(content) // 2])
            return half + counted(super().write)(content[len(content) // 2 :])

    monkeypatch.setattr(manifest, "FileIO", HalfWritten)
    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    monkeypatch.setattr(Path, "unlink", counted(Path.unlink))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_killed_at_every_step(tmp_path, apply, monkeypatch):
    rows = tmp_path / "in.jsonl"
    lines = ["{", *(json.dumps({"text": text}) for text in make_texts(9))]
    rows.write_text("\n".join(lines))
    apply(rows, tmp_path / "whole.jsonl")
    expected = list(content(tmp_path / "whole.jsonl").values())
    for number in range(1, 1000):
        output = tmp_path / f"{number}.jsonl"

        def cut_off(number=number, output=output) -> None:
            with monkeypatch.context() as patch:
                killing(patch, number)
                apply(rows, output)

        if not in_child(cut_off):
            break
        apply(rows, output, resume=True)
        assert list(content(output).values()) == expected, number
        assert not list(tmp_path.glob(f"{number}.jsonl.run/.*")), number
        assert not list(tmp_path.glob(f".{number}.*")), number
    assert number > 30


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.parametrize("format", FORMATS)
def test_killed_again_and_again(format, flawed, tmp_path, apply):
    output = tmp_path / f"out.{format}"
    apply(flawed, tmp_path / f"whole.{format}", part_rows=2)
    draw = random.Random(format)
    for _ in range(4):
        process = os.fork()
        if not process:
            try:
                apply(flawed, output, part_rows=2, resume=True)
            finally:
                os._exit(0)
        time.sleep(draw.uniform(0.0, 0.6))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    apply(flawed, output, part_rows=2, resume=True)
    whole = list(content(tmp_path / f"whole.{format}").values())
    assert list(content(output).values()) == whole


def test_resume_without_a_run_begins_one(rows, tmp_path, apply):
    assert apply(rows, tmp_path / "out", resume=True).rows == 30
    (tmp_path / "empty").mkdir()
    assert apply(rows, tmp_path / "empty", resume=True).rows == 30


def test_resume_of_a_finished_run_does_nothing(rows, tmp_path, apply, monkeypatch):
    for name in ("out.jsonl", "folder"):
        first = apply(rows, tmp_path / name)
        with monkeypatch.context() as patch:
            patch.setattr(annotator.Annotator, "__call__", None)
            again = apply(rows, tmp_path / name, resume=True)
        assert (again.rows, again.words) == (first.rows, first.words)
        assert (first.was_complete, again.was_complete) == (False, True)


def test_a_finished_output_that_was_changed(rows, tmp_path, apply):
    """It is the user's now: neither called complete nor replaced unasked."""
    apply(rows, tmp_path / "out.jsonl")
    (tmp_path / "out.jsonl").write_text("mine")
    with pytest.raises(UserError, match=r"it had .* bytes and has 4") as error:
        apply(rows, tmp_path / "out.jsonl", resume=True)
    assert "--overwrite" in error.value.way_out
    assert (tmp_path / "out.jsonl").read_text() == "mine"
    (tmp_path / "out.jsonl").unlink()
    assert not apply(rows, tmp_path / "out.jsonl", resume=True).was_complete
    assert len(read_jsonl(tmp_path / "out.jsonl")) == 30


def test_what_is_complete_is_not_to_be_resumed(rows, tmp_path, apply):
    apply(rows, tmp_path / "out")
    with pytest.raises(UserError, match="the whole results of") as error:
        apply(rows, tmp_path / "out")
    assert "--resume" not in error.value.way_out


def test_what_was_deleted_is_made_again(rows, tmp_path, apply):
    apply(rows, tmp_path / "folder")
    (tmp_path / "folder/part-000002.jsonl").unlink()
    (tmp_path / "folder/part-000001.jsonl").write_text("cut")
    apply(rows, tmp_path / "whole")
    apply(rows, tmp_path / "folder", resume=True)
    for path in (tmp_path / "whole").glob("part-*"):
        assert (tmp_path / "folder" / path.name).read_bytes() == path.read_bytes()
    whole = apply(rows, tmp_path / "out.jsonl")
    (tmp_path / "out.jsonl").unlink()
    assert apply(rows, tmp_path / "out.jsonl", resume=True).rows == whole.rows
    assert len(read_jsonl(tmp_path / "out.jsonl")) == 30


@pytest.mark.parametrize("name", ["out.jsonl", "folder"])
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("cut", [None, "{"])
def test_a_part_that_was_lost_is_made_again(name, number, cut, flawed, tmp_path, apply):
    """Of a run that was cut off, as of one that is complete."""
    (tmp_path / "whole").mkdir()
    apply(flawed, tmp_path / "whole" / name)
    cut_off(flawed, tmp_path / name, apply)
    folder = tmp_path / (name + ".run" if name == "out.jsonl" else name)
    part = folder / f"part-{number:06}.jsonl"
    part.unlink() if cut is None else part.write_text(cut)
    apply(flawed, tmp_path / name, resume=True)
    assert content(tmp_path / name) == content(tmp_path / "whole" / name)


def test_an_output_that_is_gone_before_its_parts_are(
    rows, tmp_path, apply, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(manifest.Manifest, "remove_parts", lambda *_: None)
        apply(rows, tmp_path / "out.jsonl")
    whole = (tmp_path / "out.jsonl").read_bytes()
    (tmp_path / "out.jsonl").unlink()
    apply(rows, tmp_path / "out.jsonl", resume=True)
    assert (tmp_path / "out.jsonl").read_bytes() == whole


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_tokens": 50}, "--batch-tokens was 8000 and is 50"),
        ({"part_rows": 8}, "--part-rows was 7 and is 8"),
        ({"fields": ("entities",)}, '--fields was "text,entities,meta" and'),
        ({"per": "entity"}, '--per was "document" and is "entity"'),
        ({"precision": "bf16"}, '--precision was null and is "bf16"'),
        ({"format": "csv"}, 'the format was "jsonl" and is "csv"'),
    ],
)
def test_resume_with_another_option(options, said, rows, tmp_path, apply):
    cut_off(rows, tmp_path / "out", apply)
    with pytest.raises(UserError) as error:
        apply(rows, tmp_path / "out", resume=True, **options)
    assert said in error.value.problem
    assert "--overwrite" in error.value.way_out
    assert apply(rows, tmp_path / "out", overwrite=True, **options).rows == 30
    for path in (tmp_path / "out").glob("part-*"):
        assert path.suffix == f".{options.get('format', 'jsonl')}"


def cut_off(rows: Path, output: Path, apply: Callable, **options) -> None:
    """Stop after two parts."""
    call = annotator.Annotator.__call__

    def stop(self, part):
        if part.number == 2:
            raise KeyboardInterrupt
        return call(self, part)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(annotator.Annotator, "__call__", stop)
        with pytest.raises(KeyboardInterrupt):
            apply(rows, output, **options)
    folder = output if output.is_dir() else output.with_name(output.name + ".run")
    assert len(list(folder.glob("part-*"))) == 2


def test_resume_with_other_code(rows, tmp_path, apply):
    one, same, other = (tmp_path / f"code{i}.py" for i in range(3))
    for path, text in ((one, "A = 1"), (same, "A = 1"), (other, "A = 2")):
        path.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "python_code", None)  # what is imported is put there
        cut_off(rows, tmp_path / "out", apply, code=one)
        for code in (other, None):
            with pytest.raises(UserError, match="the content of --code was"):
                apply(rows, tmp_path / "out", resume=True, code=code)
        assert apply(rows, tmp_path / "out", resume=True, code=same).rows == 30


def test_resume_with_another_format_of_the_input(rows, tmp_path, apply):
    cut_off(rows, tmp_path / "out", apply)
    with pytest.raises(UserError, match=r"\.jsonl, read as jsonl and .*, read as txt"):
        apply(rows, tmp_path / "out", resume=True, input_format="txt")


def test_resume_with_another_pipeline(model, rows, tmp_path, apply):
    cut_off(rows, tmp_path / "out", apply)
    shutil.copytree(model, tmp_path / "other")
    with (tmp_path / "other/entity_ruler/cfg").open("a") as file:
        file.write(" ")
    with pytest.raises(UserError, match="the pipeline's content was"):
        apply(rows, tmp_path / "out", resume=True, pipeline=tmp_path / "other")


@pytest.mark.parametrize("change", ["grow", "touch", "rename", "more", "fewer"])
def test_resume_with_other_inputs(change, tmp_path, apply):
    inputs = tmp_path / "in"
    inputs.mkdir()
    for name in ("a.jsonl", "b.jsonl"):
        lines = (json.dumps({"text": text}) for text in make_texts(12))
        (inputs / name).write_text("\n".join(lines))
    cut_off(inputs, tmp_path / "out", apply)
    path = inputs / "b.jsonl"
    before = path.stat()
    if change == "grow":
        path.write_text(path.read_text() + '\n{"text": "one more"}')
        said = "b.jsonl had"
    elif change == "touch":
        os.utime(path, (1, 1))
        said = "b.jsonl was changed since"
    elif change == "rename":
        path.rename(inputs / "c.jsonl")
        said = "its input 2 was "
    elif change == "more":
        (inputs / "c.jsonl").write_text("")
        said = "its input 3 was None and is "
    else:
        path.unlink()
        said = "its input 2 was "
    with pytest.raises(UserError, match=said) as error:
        apply(inputs, tmp_path / "out", resume=True)
    assert "--overwrite" in error.value.way_out
    if change == "touch":
        *_, touch, option, time, name = error.value.way_out.split()
        assert (touch, option, name) == ("touch", "-d", str(path))
        seconds, digits = time.removeprefix("@").split(".")
        assert int(seconds + digits) == before.st_mtime_ns
        os.utime(path, ns=(1, before.st_mtime_ns))
        assert apply(inputs, tmp_path / "out", resume=True).rows == 24


class Stdin:
    def __init__(self, raw: bytes) -> None:
        self.buffer = BytesIO(raw)


def test_stdin_is_compared_with_what_was_read(tmp_path, apply, monkeypatch):
    raw = "\n".join(make_texts(30)).encode()
    monkeypatch.setattr(sys, "stdin", Stdin(raw))
    cut_off(Path("-"), tmp_path / "out.jsonl", apply)
    monkeypatch.setattr(sys, "stdin", Stdin(raw.replace(b"n8", b"n9")))
    with pytest.raises(UserError, match=r"differs .* between stdin:8 and stdin:14"):
        apply("-", tmp_path / "out.jsonl", resume=True)
    for ends in (b"", b"\n".join(raw.split(b"\n")[:7])):
        monkeypatch.setattr(sys, "stdin", Stdin(ends))
        with pytest.raises(UserError, match=r"differs .* it ends within parts"):
            apply("-", tmp_path / "out.jsonl", resume=True)
    monkeypatch.setattr(sys, "stdin", Stdin(raw))
    assert apply("-", tmp_path / "out.jsonl", resume=True).rows == 30
    assert len(read_jsonl(tmp_path / "out.jsonl")) == 30


@pytest.mark.parametrize("change", ["grows", "shrinks", "vanishes"])
@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz"])
def test_a_file_that_changes_while_it_is_read(kind, change, rows, tmp_path, apply):
    """What was finished before stays, and is of the file as it was."""
    path = rows
    if kind == "jsonl.gz":
        path = tmp_path / "rows.jsonl.gz"
        path.write_bytes(gzip.compress(rows.read_bytes()))
    call = annotator.Annotator.__call__

    def disturb(self, part):
        if part.number == 1:
            if change == "vanishes":
                path.unlink()
            else:
                raw = path.read_bytes()
                path.write_bytes(raw[:-9] if change == "shrinks" else raw + raw)
        return call(self, part)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(annotator.Annotator, "__call__", disturb)
        with pytest.raises(UserError, match="while it was read") as error:
            apply(path, tmp_path / "out")
    assert "--resume goes on after them if all inputs are as" in error.value.way_out
    assert len(list((tmp_path / "out").glob("part-*"))) == 2
    with pytest.raises(UserError):
        apply(path, tmp_path / "out", resume=True)


@pytest.mark.parametrize("name", ["out.jsonl", "folder"])
def test_an_output_that_exists(name, rows, tmp_path, apply):
    apply(rows, tmp_path / name)
    before = content_of(tmp_path / name)
    with pytest.raises(UserError) as error:
        apply(rows, tmp_path / name)
    assert "--overwrite" in error.value.way_out
    assert content_of(tmp_path / name) == before
    apply(rows, tmp_path / name, overwrite=True)
    assert content_of(tmp_path / name) == before


def content_of(path: Path) -> list[bytes]:
    files = [path] if path.is_file() else sorted(path.glob("part-*"))
    return [file.read_bytes() for file in files]


def test_a_run_that_was_cut_off_is_not_begun_anew_in_silence(rows, tmp_path, apply):
    cut_off(rows, tmp_path / "out.jsonl", apply)
    with pytest.raises(UserError, match="results of an earlier run") as error:
        apply(rows, tmp_path / "out.jsonl")
    assert "--resume" in error.value.way_out


@pytest.mark.parametrize("step", ["part", "manifest", "rename", "whole"])
def test_a_full_disk(step, rows, tmp_path, apply, monkeypatch):
    """Clear words, nothing half written, and where there is room again it goes on."""
    apply(rows, tmp_path / "whole.jsonl")
    left = {"part": 2, "manifest": 3, "rename": 2, "whole": 0}[step]

    def full(function: Callable) -> Callable:
        def refuse(*args, **kwargs):
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return function(*args, **kwargs)

        return refuse

    class Full(FileIO):
        def write(self, content) -> int:
            nonlocal left
            left -= 1
            half = bytes(content)[: len(content) // 2] if left == 0 else content
            if left < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(half)

    with monkeypatch.context() as patch:
        if step == "part":
            patch.setattr(annotator.os, "fsync", full(os.fsync))
        elif step == "manifest":
            patch.setattr(manifest, "FileIO", Full)
        elif step == "rename":
            patch.setattr(os, "replace", full(os.replace))
        else:
            patch.setattr(shutil, "copyfileobj", full(shutil.copyfileobj))
        with pytest.raises(UserError, match="No space left on device") as error:
            apply(rows, tmp_path / "out.jsonl")
    assert "Make room on the disk" in error.value.way_out
    assert "--resume goes on" in error.value.way_out
    assert not (tmp_path / "out.jsonl").exists()
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
    assert not list((tmp_path / "out.jsonl.run").glob(".*"))
    apply(rows, tmp_path / "out.jsonl", resume=True)
    assert content_of(tmp_path / "out.jsonl") == content_of(tmp_path / "whole.jsonl")


def test_errors_are_said_again_after_a_resume(flawed, tmp_path, apply):
    cut_off(flawed, tmp_path / "out", apply)
    errors = tmp_path / "out/errors.jsonl"
    assert len(read_jsonl(errors)) == 2
    errors.write_text("lost")
    done = apply(flawed, tmp_path / "out", resume=True)
    assert done.failed == len(read_jsonl(errors)) == 5
    assert len(done.examples) == 5
