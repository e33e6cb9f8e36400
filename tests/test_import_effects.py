"""Installing and importing the package changes nothing in a process."""

import os
import subprocess
import sys

START = """
import ctypes, os, sys

effects = []

def watch(module, name):
    original = getattr(module, name)
    def watched(*args, **kwargs):
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if caller.startswith("spacy_attnner"):
            effects.append(f"{caller} calls {name}")
        return original(*args, **kwargs)
    setattr(module, name, watched)

if hasattr(os, "register_at_fork"):
    watch(os, "register_at_fork")
watch(ctypes, "CDLL")
import torch
watch(torch, "set_num_threads")
import spacy
from spacy.tokens.underscore import Underscore
"""
LATE = ("transformers", "matplotlib", "pyarrow", "networkx", "sklearn", "tqdm.auto")
EFFECTS = """
LATE = {late!r}
before = {{name for name in LATE if name in sys.modules}}
extensions = [dict(each) for each in Underscore.get_state()]
threads = torch.get_num_threads()
from importlib.metadata import distribution
import spacy_attnner
nlp = spacy.blank("en")
nlp("Ferries leave .")
for entry in distribution("spacy-attnner").entry_points:
    if entry.group.startswith("spacy_"):
        entry.load()
effects += sorted({{name for name in LATE if name in sys.modules}} - before)
assert torch.get_num_threads() == threads
"""
SHOW_EFFECTS = "print(effects)"
SHOW_EXTENSIONS = """
print([sorted(set(now) - set(old)) for now, old in
       zip(Underscore.get_state(), extensions)])
"""


def run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", START + EFFECTS.format(late=LATE) + script],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_no_hooks_no_threads_no_needless_imports():
    assert run(SHOW_EFFECTS) == "[]"


def test_no_extension_attributes():
    assert run(SHOW_EXTENSIONS) == "[[], [], []]"
