"""Results that go to stdout."""

import errno
import json
import os
import subprocess
import sys
import tempfile
from io import BytesIO

import pytest

from spacy_attnner.batch import annotator
from spacy_attnner.batch.annotator import Done, Failure
from spacy_attnner.batch.streamed import Streamed
from spacy_attnner.errors import UserError
from tests.commands import invoke


@pytest.mark.parametrize("n_process", [1, 2])
def test_a_stream(n_process, rows, tmp_path, apply, capsys, monkeypatch):
    """The same bytes as a file gets, whichever part is finished first."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with rows.open("a") as file:
        file.write("{\n")
    apply(rows, tmp_path / "out.jsonl")
    stream = BytesIO()
    done = apply(rows, stream, n_process=n_process)
    assert stream.getvalue() == (tmp_path / "out.jsonl").read_bytes()
    assert (done.rows, done.failed, done.errors) == (31, 1, None)
    assert capsys.readouterr().err.startswith("rows.jsonl:31: invalid JSON")
    assert os.listdir(tmp_path / "temporary") == []


def test_a_stream_gets_parts_in_order(tmp_path, capsys):
    stream = BytesIO()
    with Streamed(stream) as streamed:
        for number in (2, 0, 3, 1):
            path = streamed.folder / str(number)
            path.write_bytes(b"%d" % number)
            failure = Failure(number, f"in.txt:{number}", "\x1b")
            done = Done(number, (0, 0), str(path), 1, 1, 1, [failure], "", 0)
            streamed.add(done)
    assert stream.getvalue() == b"0123"
    told = capsys.readouterr().err.splitlines()
    assert told == [f"in.txt:{number}: \\x1b" for number in range(4)]


def test_a_full_disk_for_parts_that_wait(rows, apply, monkeypatch):
    """There is nothing to resume; a variable names another folder."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(annotator.os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device") as error:
        apply(rows, BytesIO())
    assert "TMPDIR" in error.value.way_out
    assert "--resume" not in error.value.way_out


def test_the_command_to_stdout(model, rows, tmp_path):
    with rows.open("a") as file:
        file.write("{\n")
    command = [sys.executable, "-m", "spacy", "attn", "apply", str(model), "-", "-"]
    done = subprocess.run(
        [*command, "-i", "jsonl"],
        input=rows.read_bytes(),
        capture_output=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 3
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["id"] for each in records] == [f"r{i}" for i in range(30)]
    assert b"Wrote 30 of 31 rows to stdout" in done.stderr
    assert os.listdir(tmp_path) == [rows.name]


def test_stdout_that_is_closed(rows, tmp_path):
    command = [sys.executable, "-m", "spacy", "attn", "apply", "MODEL", str(rows), "-"]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command],
        stderr=subprocess.PIPE,
        check=False,
        text=True,
    )
    assert done.returncode == 1
    assert "stdout is closed" in done.stderr


@pytest.mark.parametrize("flags", ["--resume", "--format csv", "--engine ray"])
def test_what_stdout_cannot_be(flags, rows, tmp_path):
    result = invoke("apply", ["MODEL", str(rows), "-", *flags.split()])
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{flags} needs an output that is a file" in " ".join(result.stderr.split())
