"""Several processes: the same results, whatever becomes of one of them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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


def test_a_worker_that_dies_once(difficult, tmp_path, apply):
    """The parts that were under way are tried again."""
    pipeline, code = difficult
    texts = make_texts(30)
    texts[17] = f"kill {tmp_path / 'survives'}"
    (tmp_path / "in.txt").write_text("\n".join(texts))
    with pytest.raises(UserError, match=r"died 3 times, .* in.txt:15 to in.txt:21"):
        apply(
            *(tmp_path / "in.txt", tmp_path / "out.jsonl"),
            pipeline=pipeline,
            code=code,
            n_process=2,
        )
    finished = set((tmp_path / "out.jsonl.run").glob("part-*"))
    assert len(finished) >= 2
    (tmp_path / "survives").touch()
    apply(
        *(tmp_path / "in.txt", tmp_path / "out.jsonl"),
        pipeline=pipeline,
        code=code,
        n_process=2,
        resume=True,
    )
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
