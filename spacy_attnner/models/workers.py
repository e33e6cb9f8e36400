"""What a process does to itself once a model of ours runs in it, and not before."""

import ctypes
import multiprocessing
import os
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch

_imported = os.getpid()
_settled: int | None = None  # the process whose threads are as they should be


def one_thread_in_workers() -> None:
    """Let PyTorch have one thread in a process that was forked or is a worker, once.

    `nlp.pipe(n_process=2)` starts such processes. OpenMP's threads do not survive a
    fork, and a worker that waits for them hangs; and with one thread each, workers do
    not fight for the cores.
    """
    global _settled
    process = os.getpid()
    if process == _settled:
        return
    # a process that was spawned does not know so yet while it imports what it is to do
    if process != _imported or multiprocessing.parent_process() is not None:
        torch.set_num_threads(1)
    _settled = process


def trim_heap() -> None:
    """Give the holes in the C heap back to the system, where that is glibc's.

    Batches of ever new shapes leave holes that glibc neither fills nor gives back:
    without a trim now and then a training grows by 3 MB a step.
    """
    _heap_trimmer()()


def free_memory() -> None:
    """Give back what PyTorch keeps of a GPU's memory, and of the heap."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    trim_heap()


@cache
def _heap_trimmer() -> Callable[[], Any]:
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return lambda: None
    return partial(trim, 0)
