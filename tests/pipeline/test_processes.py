"""Worker processes of `nlp.pipe` beside PyTorch's threads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys, spacy, torch
nlp = spacy.load(sys.argv[1])
texts = ["Mira Okafor works for Kestrel Lines in Bergen . " * 30] * 12
torch.set_num_threads(2)
single = [doc.to_json() for doc in nlp.pipe(texts, batch_size=3)]
double = [doc.to_json() for doc in nlp.pipe(texts, batch_size=3, n_process=2)]
print(single == double, torch.get_num_threads())
"""


def run_with_two_threads(*args, timeout):
    return subprocess.run(
        [sys.executable, *map(str, args)],
        env={**os.environ, "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_workers_do_not_wait_for_threads_that_a_fork_lost(make_task, tmp_path: Path):
    make_task("attn_ner").trained(steps=5).to_disk(tmp_path)
    done = run_with_two_threads("-c", SCRIPT, tmp_path, timeout=120)
    assert done.stdout.split() == ["True", "2"], done.stderr


THREADS = """
import multiprocessing, sys, torch
from spacy_attnner.models.workers import one_thread_in_workers

def count(queue):
    one_thread_in_workers()
    queue.put(torch.get_num_threads())

if __name__ == "__main__":
    one_thread_in_workers()
    found = [torch.get_num_threads()]
    for method in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context(method)
        queue = context.Queue()
        process = context.Process(target=count, args=(queue,))
        process.start()
        found.append(queue.get(timeout=100))
        process.join()
    print(set(found[1:]), found[0])
"""


def test_workers_have_one_thread_however_they_begin(tmp_path: Path):
    """A spawned process imports what it is to do before it knows that it is one."""
    script = tmp_path / "script.py"
    script.write_text(THREADS, encoding="utf8")
    done = run_with_two_threads(script, timeout=200)
    assert done.stdout.split() == ["{1}", "2"], done.stderr
