"""What every measurement shares: its number of threads, and how a result is kept."""

import json
import os
import platform
import shlex
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch


def use_threads(n_threads: int) -> None:
    """Go on with so many threads; starts this script again if NumPy has others."""
    if os.environ.get("OMP_NUM_THREADS") != str(n_threads):  # NumPy read it
        os.environ["OMP_NUM_THREADS"] = str(n_threads)
        os.execv(sys.executable, [sys.executable, *sys.argv])
    torch.set_num_threads(n_threads)


def called() -> str:
    """This script's command line, as results are kept with it."""
    return f"python benchmarks/{Path(sys.argv[0]).name} {shlex.join(sys.argv[1:])}"


def write_result(path: Path, command: str, content: dict[str, Any]) -> None:
    """Write a result with the command that made it, the cores and the versions."""
    result = {
        "command": command,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{p: version(p) for p in ("spacy", "thinc", "torch", "numpy")},
        **content,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
