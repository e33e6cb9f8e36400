"""How flat batches of sequences are made up: on the host, with NumPy.

What a module has to know of lengths it finds here, without asking the device, and
uploads at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy
import torch
from torch import Tensor

Ints = numpy.ndarray  # int64


def positions(lengths: Ints) -> Ints:
    """Position of each row inside its own sequence, (n_rows,)."""
    ends = numpy.cumsum(lengths)
    return numpy.arange(ends[-1] if len(ends) else 0) - numpy.repeat(
        ends - lengths, lengths
    )


def numbers(lengths: Ints) -> Ints:
    """The sequence that each row is of, (n_rows,)."""
    return numpy.repeat(numpy.arange(len(lengths)), lengths)


def upload(device: torch.device, *arrays: Any) -> list[Tensor]:
    """Integers of the host as int64 tensors of a device, in one transfer."""
    parts = [numpy.asarray(array, dtype="int64") for array in arrays]
    if device.type == "cpu" or not parts:
        return [torch.from_numpy(part) for part in parts]
    joined = torch.from_numpy(numpy.concatenate([part.ravel() for part in parts]))
    pieces = joined.to(device).split([part.size for part in parts])
    return [x.view(part.shape) for x, part in zip(pieces, parts, strict=True)]


@dataclass(frozen=True)
class Windows:
    """Sequences cut into overlapping windows, each with a core that it owns.

    A sequence longer than `window` becomes windows that start every
    `window - 2 * margin` rows. Each row is owned by exactly one window, in which it has
    at least `margin` rows of context on both sides (where the sequence has them), so
    cost is linear in the length and a row's result depends on its own sequence alone.

    starts: Flat row that each window begins with, (n_windows,).
    lengths: Rows of each, (n_windows,).
    first, end: What each owns, counted from its start, (n_windows,).
    """

    starts: Ints
    lengths: Ints
    first: Ints
    end: Ints

    def pieces(self, size: int) -> Iterator["Packed"]:
        """Windows of like lengths together, at most `size` of them, longest first."""
        order = numpy.argsort(-self.lengths, kind="stable")
        for i in range(0, len(order), size):
            yield Packed(self, order[i : i + size])


def cut_windows(lengths: Ints, window: int, margin: int) -> Windows:
    """Cut sequences of the given lengths, (batch_size,), none of them empty.

    Raises ValueError if the margins leave a window no core.
    """
    if margin < 0 or window - 2 * margin < 1:
        raise ValueError(
            f"window {window} leaves no core between two margins of {margin} tokens"
        )
    ends = numpy.cumsum(lengths)
    starts = ends - lengths
    if not len(lengths) or lengths.max() <= window:
        return Windows(starts, lengths, numpy.zeros_like(lengths), lengths)
    stride = window - 2 * margin
    counts = 1 + (numpy.maximum(lengths - window, 0) + stride - 1) // stride
    nth, sequence = positions(counts), numbers(counts)  # (n_windows,)
    starts = starts[sequence] + nth * stride
    lengths = numpy.minimum(starts + window, ends[sequence]) - starts
    is_last = nth == counts[sequence] - 1
    first = numpy.where(nth > 0, margin, 0)
    return Windows(
        starts, lengths, first, numpy.where(is_last, lengths, stride + margin)
    )


class Packed:
    """Windows in time-major order: work proportional to rows, not to padding.

    Step t holds the t-th row of the first `sizes[t]` windows, longest first.

    windows: Of which these are some.
    order: Which, by falling length, (n,).
    """

    def __init__(self, windows: Windows, order: Ints) -> None:
        self._windows = windows
        self.order = order
        self.lengths = windows.lengths[order]
        n_steps = int(self.lengths[0])
        counts = numpy.bincount(self.lengths, minlength=n_steps + 1)
        self.sizes = len(order) - counts.cumsum()[:n_steps]  # windows of each step

    @cached_property
    def _steps(self) -> Ints:
        """The step of each packed row, (n_rows,)."""
        return numbers(self.sizes)

    @cached_property
    def _ranks(self) -> Ints:
        """Which of the windows each packed row is of, (n_rows,)."""
        return positions(self.sizes)

    @property
    def windows(self) -> Ints:
        """The window that each packed row is of, (n_rows,)."""
        return self.order[self._ranks]

    @cached_property
    def rows(self) -> Ints:
        """The flat row of each packed one, (n_rows,)."""
        return self._windows.starts[self.order][self._ranks] + self._steps

    @property
    def owned(self) -> Ints:
        """Packed rows that are in the core of their window, (n_owned,)."""
        first, end = self._windows.first[self.order], self._windows.end[self.order]
        steps, ranks = self._steps, self._ranks
        return numpy.flatnonzero((steps >= first[ranks]) & (steps < end[ranks]))

    @property
    def padded(self) -> Ints:
        """Place of each packed row in a padded batch, (n * n_steps,), (n_rows,)."""
        return self._ranks * len(self.sizes) + self._steps


def runs(lengths: Sequence[int], most: int) -> Iterator[tuple[slice, slice]]:
    """Rows and numbers of sequences, `most` rows at a time, or one longer sequence."""
    ends = [0, *accumulate(lengths)]
    first = 0
    for last in range(1, len(ends)):
        if last == len(ends) - 1 or ends[last + 1] - ends[first] > most:
            yield slice(ends[first], ends[last]), slice(first, last)
            first = last
