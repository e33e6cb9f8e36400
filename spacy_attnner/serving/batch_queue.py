"""Texts that wait to be read: gathered to batches, bounded, and given up by clients."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from .batch_reader import Job, Outcome, failure
from .limits import Bounds
from .meters import Meters


class QueueFull(Exception):
    """There is no room for the texts; `retry_after` says in how many seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the queue is full; try again in {retry_after} s")
        self.retry_after = retry_after


class NeverFits(Exception):
    """There would be no room for the texts in an empty queue."""


@dataclass(eq=False)
class Ticket:
    """A job that waits, and the future of its outcome."""

    job: Job
    outcome: asyncio.Future[Outcome]
    arrived: float = field(default_factory=time.monotonic)


class BatchQueue:
    """Hands what waits to a reader, batch by batch, the oldest first.

    read: Awaited for one batch at a time; it gives an outcome for each job.
    bounds: How much is read at once, and how much may wait.
    """

    def __init__(
        self,
        read: Callable[[Sequence[Job]], Awaitable[list[Outcome]]],
        bounds: Bounds,
        meters: Meters,
    ) -> None:
        self.read = read
        self.bounds = bounds
        self.meters = meters
        self.chars = 0  # of the texts that wait
        self._waiting: dict[Ticket, None] = {}  # in the order of their arrival
        self._changed = asyncio.Event()
        self._closing = False
        self._chars_per_second = 10_000.0  # a first guess, for retry_after

    @property
    def n_texts(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def put(self, jobs: Sequence[Job]) -> list[Ticket]:
        """Have jobs wait, all or none of them.

        Raises QueueFull if they do not fit now, NeverFits if they are too much by
        themselves.
        """
        bounds = self.bounds
        asked = sum(len(job.text) for job in jobs)
        if len(jobs) > bounds.queue_texts or asked > bounds.queue_chars:
            raise NeverFits(
                f"{len(jobs):,} texts of {asked:,} characters, and the queue holds "
                f"{bounds.queue_texts:,} of {bounds.queue_chars:,}: send less at a time"
            )
        chars = self.chars + asked
        n_texts = len(self._waiting) + len(jobs)
        if n_texts > bounds.queue_texts or chars > bounds.queue_chars:
            seconds = self.chars / self._chars_per_second
            raise QueueFull(min(60, max(1, math.ceil(seconds))))
        loop = asyncio.get_running_loop()
        tickets = [Ticket(job, loop.create_future()) for job in jobs]
        self._waiting.update(dict.fromkeys(tickets))
        self._update(chars)
        return tickets

    def drop(self, tickets: Sequence[Ticket]) -> None:
        """Give up jobs: those that still wait are not read."""
        left = [ticket for ticket in tickets if ticket in self._waiting]
        if not left:
            return
        for ticket in left:
            del self._waiting[ticket]
        self.meters.texts.labels("dropped").inc(len(left))
        self._update(self.chars - sum(len(ticket.job.text) for ticket in left))

    def close(self) -> None:
        """Have `run` end when all that waits is read."""
        self._closing = True
        self._changed.set()

    async def run(self) -> None:
        """Read what waits and what will; ends after `close`."""
        while self._waiting or not self._closing:
            await self._gather()
            if batch := self._take():
                await self._read(batch)

    async def _gather(self) -> None:
        """Wait for a text, then for others, until patience ends or a batch is full."""
        while not self._is_full():
            self._changed.clear()
            oldest = next(iter(self._waiting), None)
            if oldest is None:
                timeout = None
            else:
                timeout = oldest.arrived + self.bounds.patience - time.monotonic()
                if timeout <= 0:
                    return
            try:
                await asyncio.wait_for(self._changed.wait(), timeout)
            except asyncio.TimeoutError:
                return

    def _is_full(self) -> bool:
        bounds = self.bounds
        enough = len(self._waiting) >= bounds.batch_texts
        return self._closing or enough or self.chars >= bounds.batch_chars

    def _take(self) -> list[Ticket]:
        batch: list[Ticket] = []
        chars = 0
        for ticket in self._waiting:
            longer = chars + len(ticket.job.text)
            slow = ticket.job.explain  # many times as long: nobody waits with it
            if batch and (longer > self.bounds.batch_chars or slow):
                break
            batch.append(ticket)
            chars = longer
            if len(batch) == self.bounds.batch_texts or slow:
                break
        for ticket in batch:
            del self._waiting[ticket]
        self._update(self.chars - chars)
        return batch

    async def _read(self, batch: list[Ticket]) -> None:
        begin = time.monotonic()
        try:
            outcomes = await self.read([ticket.job for ticket in batch])
        except Exception as error:
            problem = f"texts could not be read: {type(error).__name__}: {error}"
            outcomes = [failure(problem, ticket.job.id) for ticket in batch]
        seconds = time.monotonic() - begin
        self._remember_speed(batch, seconds)
        self.meters.batch_texts.observe(len(batch))
        self.meters.batch_seconds.observe(seconds)
        for ticket, outcome in zip(batch, outcomes, strict=True):
            self.meters.texts.labels("failed" if outcome.failed else "read").inc()
            if not ticket.outcome.done():  # the client is still there
                ticket.outcome.set_result(outcome)

    def _remember_speed(self, batch: list[Ticket], seconds: float) -> None:
        chars = sum(len(ticket.job.text) for ticket in batch)
        speed = max(1.0, chars / max(seconds, 1e-6))
        self._chars_per_second += 0.2 * (speed - self._chars_per_second)

    def _update(self, chars: int) -> None:
        self.chars = chars
        self.meters.waiting_texts.set(len(self._waiting))
        self.meters.waiting_chars.set(chars)
        self._changed.set()
