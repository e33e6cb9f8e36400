"""Parts made in several processes, each with a pipeline of its own.

What travels are rows, and back how many there were: a worker writes the file of its
part itself. Workers are spawned, so they hold no lock and no thread of the first
process; they end when it ends, however that is.
"""

import os
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from itertools import islice
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any, Protocol

from ..errors import UserError
from ..texts.row_stream import Part
from .annotator import HOPELESS, Annotator, Done

ATTEMPTS = 2  # at a part by itself, after a worker died
DIED = (
    "If the memory was full, lower --n-process, or begin anew with a lower "
    "--batch-tokens and --part-rows."
)
DEADLY = "a worker process died with this text, each time that it was read alone"


class Recipe(Protocol):
    """How a worker makes its annotator; hashable, and goes through pickle."""

    def make(self) -> Annotator:
        """Load the pipeline."""
        ...


def make_parts(recipe: Recipe, parts: Iterable[Part], n_process: int) -> Iterator[Done]:
    """Annotate parts, in several processes; they are returned as they are finished.

    Where a worker dies, killed for want of memory, say, the parts that were under way
    are tried again, one by one; a row that always takes its worker with it fails.

    Raises UserError if it is no single rows that do, or `HOPELESS` of a part, and what
    an annotator raises.
    """
    workers = _Workers(recipe, n_process)
    try:
        yield from workers.run(parts)
    finally:
        workers.stop()


def make_deadly_part(recipe: Recipe, part: Part) -> Done:
    """Annotate a part that has taken workers with it, without the rows that do.

    Raises what `make_parts` does.
    """
    workers = _Workers(recipe, 1)
    try:
        return workers.alone(part)
    finally:
        workers.stop()


def n_workers(n_process: int) -> int:
    """How many processes are meant; -1 for one a core that this process may use."""
    if n_process > 0:
        return n_process
    may_use = getattr(os, "sched_getaffinity", None)
    return len(may_use(0)) if may_use else os.cpu_count() or 1


class _Workers:
    def __init__(self, recipe: Recipe, n_process: int) -> None:
        self.recipe = recipe
        self.n_process = n_process
        self.pool = self._start()
        self.waiting: dict[Future, Part] = {}

    def run(self, parts: Iterable[Part]) -> Iterator[Done]:
        for part in parts:
            self.waiting[self._submit(part)] = part
            if len(self.waiting) > self.n_process:  # one in reserve
                yield from self._collect()
        while self.waiting:
            yield from self._collect()

    def stop(self) -> None:
        """End the workers, whatever they are at."""
        for process in list((self.pool._processes or {}).values()):
            process.terminate()
        self.pool.shutdown(wait=True, cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.n_process, mp_context=get_context("spawn"), initializer=_begin_worker
        )

    def _submit(self, part: Part) -> Future:
        try:
            with _ctrl_c_later():
                return self.pool.submit(_work, self.recipe, part)
        except BrokenProcessPool as error:
            failed: Future = Future()
            failed.set_exception(error)
            return failed

    def _collect(self) -> Iterator[Done]:
        finished, _ = wait(self.waiting, return_when=FIRST_COMPLETED)
        lost = []
        for future in sorted(finished, key=lambda each: self.waiting[each].number):
            part = self.waiting.pop(future)
            if isinstance(future.exception(), BrokenProcessPool):
                lost.append(part)
            else:
                yield future.result()
        if lost:
            yield from self._try_again(lost)

    def _try_again(self, lost: list[Part]) -> Iterator[Done]:
        wait(self.waiting)
        for future, part in self.waiting.items():
            if isinstance(future.exception(), BrokenProcessPool):
                lost.append(part)
            else:
                yield future.result()
        self.waiting = {}
        self._restart()
        for part in sorted(lost, key=lambda part: part.number):
            yield self.alone(part)

    def alone(self, part: Part) -> Done:
        """What a worker makes of a part while it does nothing else."""
        for _ in range(ATTEMPTS):
            if done := self._try(part):
                return done
        deadly = []
        if self._survives(part, range(0)):  # otherwise it is no text that kills
            every = range(len(part.rows))
            deadly = list(islice(self._deadly(part, every), HOPELESS))
        rows = list(part.rows)
        for i in deadly:
            rows[i] = rows[i]._replace(problem=DEADLY)
        if len(deadly) < HOPELESS and (done := self._try(part._replace(rows=rows))):
            return done
        raise UserError(
            f"worker processes died again and again, with the texts from "
            f"{part.rows[0].place} to {part.rows[-1].place}",
            DIED,
        )

    def _try(self, part: Part) -> Done | None:
        """None if the worker died."""
        try:
            return self._submit(part).result()
        except BrokenProcessPool:
            self._restart()
            return None

    def _deadly(self, part: Part, numbers: range) -> Iterator[int]:
        """Which of some rows of a part no worker survives, each by itself."""
        if self._survives(part, numbers):
            return
        if len(numbers) == 1:
            yield numbers[0]
            return
        half = len(numbers) // 2
        yield from self._deadly(part, numbers[:half])
        yield from self._deadly(part, numbers[half:])

    def _survives(self, part: Part, numbers: range) -> bool:
        some = part._replace(rows=[part.rows[i] for i in numbers])
        try:
            done = self._try(some)
        except UserError:  # of these rows alone
            return True
        if done is not None:
            Path(done.path).unlink()
        return done is not None

    def _restart(self) -> None:
        self.stop()
        self.pool = self._start()


@contextmanager
def _ctrl_c_later() -> Iterator[None]:
    """Hold Ctrl+C back; a process that begins meanwhile leaves it to the first one."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_worker() -> None:
    """Leave Ctrl+C to the first process, and end when it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent: Any = parent_process()

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    Thread(target=watch, daemon=True).start()


@cache
def _annotator(recipe: Recipe) -> Annotator:
    return recipe.make()


def _work(recipe: Recipe, part: Part) -> Done:
    return _annotator(recipe)(part)
