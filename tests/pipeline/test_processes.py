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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_workers_do_not_wait_for_threads_that_a_fork_lost(make_task, tmp_path: Path):
    make_task("attn_ner").trained(steps=5).to_disk(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        env={**os.environ, "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.split() == ["True", "2"], done.stderr
