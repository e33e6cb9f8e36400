"""Several processes: the same results, whatever becomes of one of them."""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path

import pytest

from spacy_attnner.batch import processes
from spacy_attnner.batch.processes import DEADLY
from spacy_attnner.errors import UserError
from tests.batch.conftest import make_texts, read_jsonl


def test_the_same_bytes_as_from_one(rows, tmp_path, apply, monkeypatch):
    one = apply(rows, tmp_path / "one.jsonl")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    two = apply(rows, tmp_path / "two.jsonl", n_process=-1)
    assert (two.rows, two.words) == (one.rows, one.words)
    assert (tmp_path / "two.jsonl").read_bytes() == (
        tmp_path / "one.jsonl"
    ).read_bytes()


def test_a_worker_that_dies(difficult, tmp_path, apply):
    """The parts that were under way are tried again; a text that always takes its
    worker with it is one that fails.
    """
    pipeline, code = difficult
    texts = make_texts(6)
    texts[0] = f"kill once {tmp_path / 'once'}"
    texts[3] = f"kill {tmp_path / 'always'}"
    texts[5] = "explode"
    (tmp_path / "in.txt").write_text("\n".join(texts))
    done = apply(
        *(tmp_path / "in.txt", tmp_path / "out.jsonl"),
        pipeline=pipeline,
        code=code,
        n_process=2,
        part_rows=2,
    )
    assert (done.rows, done.failed) == (6, 2)
    assert done.examples[0] == f"in.txt:4: {DEADLY}"
    found = [row["text"] for row in read_jsonl(tmp_path / "out.jsonl")]
    assert found == [text for i, text in enumerate(texts) if i not in (3, 5)]
    left = {"errors.jsonl", "manifest.jsonl"}
    assert set(os.listdir(tmp_path / "out.jsonl.run")) == left


def test_workers_that_die_of_everything(difficult, tmp_path, apply, monkeypatch):
    """It ends with what was finished, and goes on from there."""
    monkeypatch.setattr(processes, "HOPELESS", 1)
    pipeline, code = difficult
    texts = make_texts(6)
    texts[4] = f"kill {tmp_path / 'survives'}"
    (tmp_path / "in.txt").write_text("\n".join(texts))
    args = tmp_path / "in.txt", tmp_path / "out.jsonl"
    options = {"pipeline": pipeline, "code": code, "n_process": 2, "part_rows": 2}
    with pytest.raises(UserError, match=r"died .* in.txt:5 to in.txt:6") as error:
        apply(*args, **options)
    assert "--resume goes on" in error.value.way_out
    assert len(set((tmp_path / "out.jsonl.run").glob("part-*"))) == 2
    (tmp_path / "survives").touch()
    apply(*args, **options, resume=True)
    assert [row["text"] for row in read_jsonl(tmp_path / "out.jsonl")] == texts


def test_an_error_of_a_worker_is_said(difficult, tmp_path, apply):
    pipeline, code = difficult
    (tmp_path / "in.txt").write_text("explode\n" * 25)
    with pytest.raises(UserError, match="fails on all 25 texts") as error:
        apply(
            *(tmp_path / "in.txt", tmp_path / "out.jsonl"),
            pipeline=pipeline,
            code=code,
            n_process=2,
            part_rows=25,
        )
    assert "--resume" in error.value.way_out


@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are not listed here")
def test_workers_end_with_the_command(model, tmp_path):
    """Also when it is killed; then it goes on where it was."""
    (tmp_path / "in.txt").write_text("\n".join(make_texts(4000)))
    command = [sys.executable, "-m", "spacy", "attn", "apply", str(model)]
    command += [str(tmp_path / "in.txt"), str(tmp_path / "out"), "-p", "2"]
    command += ["--part-rows", "20", "--resume"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
    wait_for(lambda: list((tmp_path / "out").glob("part-*")))
    workers = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(workers) >= 2
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Wrote 4,000 of 4,000 rows" in done.stdout
    parts = sorted((tmp_path / "out").glob("part-*"))
    found = [row["text"] for part in parts for row in read_jsonl(part)]
    assert found == make_texts(4000)


@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are not listed here")
@pytest.mark.parametrize(
    ("number", "n_process", "status"),
    [(signal.SIGTERM, 1, 143), (signal.SIGTERM, 2, 143), (signal.SIGINT, 2, 130)],
)
def test_a_stream_that_is_stopped(number, n_process, status, model, tmp_path):
    """Neither files nor workers stay. Ctrl+C goes to workers, too, and early here."""
    (tmp_path / "in.txt").write_text("\n".join(make_texts(9000)))
    (tmp_path / "temporary").mkdir()
    command = [sys.executable, "-m", "spacy", "attn", "apply", str(model)]
    command += [str(tmp_path / "in.txt"), "-", "-p", str(n_process), "--part-rows", "9"]
    variables = {"OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path / "temporary")}
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        process = subprocess.Popen(
            command,
            env={**os.environ, **variables},
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    if number == signal.SIGINT:
        wait_for(lambda: len(children(process.pid)) == 3)  # one counts semaphores
    else:
        wait_for(lambda: (tmp_path / "out").stat().st_size)
    begun = children(process.pid)
    os.killpg(process.pid, number)
    assert process.wait(60) == status
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in begun))
    assert os.listdir(tmp_path / "temporary") == []
    said = (tmp_path / "err").read_text()
    assert said.strip() == (
        "Stopped. The last line on stdout may be cut off; the rest was not read."
    )


def test_workers_end_where_nobody_reads_the_results(tmp_path, rows, apply, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = multiprocessing.active_children()

    class Closed(BytesIO):
        def write(self, content) -> int:
            assert len(multiprocessing.active_children()) > len(before)
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError) as error:  # whose frames hold all there was
        apply(rows, Closed(), n_process=2)
    assert multiprocessing.active_children() == before
    assert error.value.args == ()
    assert os.listdir(tmp_path) == [rows.name]


def wait_for(condition) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def children(parent: int) -> list[int]:
    """Numbers of the processes that a process has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(after_name[1]) == parent:
            found.append(int(path.parent.name))
    return found
