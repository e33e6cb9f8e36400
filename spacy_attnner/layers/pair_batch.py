"""Ordered pairs of spans, and the words that each of them reads."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy
import torch
from torch import Tensor

from .layout import Ints, numbers, positions, upload
from .pooling import Segments, segment_arrays

BEFORE, HEAD, BETWEEN, TAIL, AFTER = range(5)  # where a token stands, seen from a pair
DISTANCES = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # tokens between two spans
# Pairs times tokens of a block: on a CPU they should stay in the cache, on a GPU only
# the memory has to be bounded.
CELLS_CPU = 2**17
CELLS_GPU = 2**23
# A block's largest group has at most so many times the pairs of any other.
PADDING = 1.5


class PairBatch:
    """The spans and ordered pairs of a flat batch of documents.

    It is made of arrays of the host, and gives tensors of a device.

    spans: First token and end (exclusive) of each span, flat, (n_spans, 2).
    types: Rows of the span's type embedding, (n_spans, N_TYPE_HASHES).
    pairs: Head and tail span of each pair, (n_pairs, 2).
    contexts: First token and end (exclusive) of each pair's context, (n_pairs, 2).
    parts: What a module will read of "spans", "blocks", "between", "before" and
        "behind", and what is therefore copied to a device together.
    """

    def __init__(
        self,
        device: torch.device,
        spans: Ints,
        types: Ints,
        pairs: Ints,
        contexts: Ints,
        parts: Sequence[str] = (),
    ) -> None:
        self._device, self._parts = device, parts
        self._here: dict[str, list[Ints]] = {}
        self._there: dict[str, list[Tensor]] = {}
        self._spans, self._types = numpy.asarray(spans), numpy.asarray(types)
        self._pairs, self._contexts = numpy.asarray(pairs), numpy.asarray(contexts)

    def __len__(self) -> int:
        return len(self._pairs)

    @property
    def n_spans(self) -> int:
        """How many spans there are."""
        return len(self._spans)

    def uploads(self) -> list[Ints]:
        """What the module reads on a device, for `place`."""
        return [array for part in self._parts for array in self._read(part)]

    def place(self, tensors: Iterable[Tensor]) -> None:
        """Take `uploads` from a device, to which somebody has copied them."""
        found = iter(tensors)
        for part in self._parts:
            self._there[part] = [next(found) for _ in self._read(part)]

    def _read(self, part: str) -> list[Ints]:
        if part not in self._here:
            self._here[part] = self._find(part)
        return self._here[part]

    def _find(self, part: str) -> list[Ints]:
        if part == "spans":
            return self._of_spans()
        if part == "blocks":
            return [x for b in self._cut for x in (b.pairs, b.place, b.contexts)]
        return range_windows(*self._bounds(part))

    def _tensors(self, part: str) -> list[Tensor]:
        if part not in self._there and self._device.type != "cpu" and not self._there:
            self.place(upload(self._device, *self.uploads()))
        if part not in self._there:
            self._there[part] = upload(self._device, *self._read(part))
        return self._there[part]

    def _of_spans(self) -> list[Ints]:
        first, end = self._spans.T
        owners, sizes = segment_arrays(end - first)
        tokens = first[owners] + positions(end - first)
        arrays = self._types, self._pairs, self._contexts, *self._ends
        return [*arrays, self._distances, tokens, owners, sizes]

    @property
    def types(self) -> Tensor:
        """Rows of each span's type embedding, (n_spans, N_TYPE_HASHES)."""
        return self._tensors("spans")[0]

    @property
    def pairs(self) -> Tensor:
        """Head and tail span of each pair, (n_pairs, 2)."""
        return self._tensors("spans")[1]

    @property
    def contexts(self) -> Tensor:
        """First token and end of each pair's context, (n_pairs, 2)."""
        return self._tensors("spans")[2]

    @property
    def ends(self) -> tuple[Tensor, Tensor]:
        """First token and end of each pair's head and tail, each (n_pairs, 2)."""
        head, tail = self._tensors("spans")[3:5]
        return head, tail

    @property
    def distances(self) -> Tensor:
        """Bucket of the tokens between head and tail; their order doubles them."""
        return self._tensors("spans")[5]

    @property
    def arrays(self) -> tuple[Ints, Ints, Ints, Ints]:
        """On the host: spans, pairs and contexts, (n, 2) each, and `distances`."""
        found = self._spans, self._pairs, self._contexts, self._distances
        spans, pairs, contexts, distances = map(numpy.ascontiguousarray, found)
        return spans, pairs, contexts, distances

    @cached_property
    def _ends(self) -> tuple[Ints, Ints]:
        return self._spans[self._pairs[:, 0]], self._spans[self._pairs[:, 1]]

    @cached_property
    def _distances(self) -> Ints:
        head, tail = self._ends
        forward = head[:, 0] < tail[:, 0]
        gap = numpy.where(forward, tail[:, 0] - head[:, 1], head[:, 0] - tail[:, 1])
        bucket = numpy.searchsorted(DISTANCES, gap.clip(0, DISTANCES[-1]))
        return bucket + forward * len(DISTANCES)

    @property
    def span_tokens(self) -> tuple[Tensor, Segments]:
        """The tokens of the spans, one after the other, and whose they are."""
        tokens, *owners = self._tensors("spans")[6:]
        first, end = self._spans.T
        return tokens, Segments(self._device, end - first, there=owners)

    @cached_property
    def between(self) -> "Ranges":
        """What lies between head and tail; where nothing does, the range is empty."""
        return self._ranges("between")

    @cached_property
    def around(self) -> tuple["Ranges", "Ranges"]:
        """What the context has before and behind both spans."""
        return self._ranges("before"), self._ranges("behind")

    def _ranges(self, part: str) -> "Ranges":
        return Ranges(self._device, *self._bounds(part), there=self._tensors(part))

    def _bounds(self, part: str) -> tuple[Ints, Ints]:
        """First token and end of the words that each pair has in one place."""
        (head, tail), (first, end) = self._ends, self._contexts.T
        if part == "before":
            return first, numpy.minimum(head[:, 0], tail[:, 0])
        if part == "behind":
            return numpy.maximum(head[:, 1], tail[:, 1]), end
        begin = numpy.minimum(head[:, 1], tail[:, 1])
        return begin, numpy.maximum(head[:, 0], tail[:, 0])

    @property
    def longest(self) -> int:
        """Tokens of the longest context."""
        return int((self._contexts[:, 1] - self._contexts[:, 0]).max())

    @cached_property
    def blocks(self) -> list["Block"]:
        """The pairs, in blocks that read the same words at once."""
        tensors = iter(self._tensors("blocks"))
        return [
            Block(next(tensors), next(tensors), next(tensors), b.size, b.longest)
            for b in self._cut
        ]

    @cached_property
    def _cut(self) -> list[Any]:
        """The blocks, of arrays of the host."""
        limit = CELLS_GPU if self._device.type == "cuda" else CELLS_CPU
        return list(_cut_blocks(self._contexts, limit))

    @cached_property
    def block_order(self) -> Tensor:
        """The row of each pair among those of all blocks, (n_pairs,)."""
        return torch.cat([block.pairs for block in self.blocks]).argsort()


@dataclass(frozen=True)
class Block:
    """Groups of pairs; the contexts of a group's pairs begin with the same token.

    pairs: Rows of the block's pairs, (n,).
    place: Group of each of them and its place there, (2, n).
    contexts: First token and end (exclusive) of what each group reads, (n_groups, 2).
    size: Pairs of the largest group.
    longest: Tokens of the longest context.
    """

    pairs: Tensor
    place: Tensor
    contexts: Tensor
    size: int
    longest: int

    def spread(self, X: Tensor, fill: float = 0) -> Tensor:
        """Rows of the block's pairs, (n, …), as (n_groups, size, …)."""
        result = X.new_full((len(self.contexts), self.size, *X.shape[1:]), fill)
        return result.index_put(tuple(self.place), X)


def _cut_blocks(contexts: Ints, limit: int) -> Iterator[Block]:
    """Cut pairs into blocks of groups of like sizes, on the host.

    contexts: First token and end (exclusive) of each pair's context, (n_pairs, 2).
    """
    first, group, sizes = numpy.unique(
        contexts[:, 0], return_inverse=True, return_counts=True
    )
    end = numpy.zeros_like(first)
    numpy.maximum.at(end, group, contexts[:, 1])
    by_size = numpy.argsort(-sizes, kind="stable")
    rank = numpy.argsort(by_size)
    pairs = numpy.argsort(rank[group], kind="stable")
    sizes, bounds = sizes[by_size], numpy.stack([first, end], 1)[by_size]
    lengths = bounds[:, 1] - bounds[:, 0]
    begin = 0  # pair that the block begins with
    for i, j in _cuts(sizes.tolist(), lengths.tolist(), limit):
        own = sizes[i:j]
        n_pairs = int(own.sum())
        yield Block(  # its tensors are arrays until they are copied
            pairs[begin : begin + n_pairs],  # type: ignore[arg-type]
            numpy.stack([numbers(own), positions(own)]),  # type: ignore[arg-type]
            bounds[i:j],  # type: ignore[arg-type]
            int(own[0]),
            int(lengths[i:j].max()),
        )
        begin += n_pairs


def _cuts(
    sizes: list[int], lengths: list[int], limit: int
) -> Iterator[tuple[int, int]]:
    """First group and end of each block; sizes fall."""
    start = longest = 0
    for i, (size, length) in enumerate(zip(sizes, lengths, strict=True)):
        longest = max(longest, length)
        cells = (i + 1 - start) * sizes[start] * longest
        if i > start and (cells > limit or size * PADDING < sizes[start]):
            yield start, i
            start, longest = i, length
    if sizes:
        yield start, len(sizes)


class Ranges:
    """Ranges of rows, of which the maxima are found all at once.

    Every range is covered by two windows of a power of two rows, which may overlap; the
    maxima of all windows of that length are made of those of half the length (Bender
    and Farach-Colton 2000, "The LCA Problem Revisited"). Time and memory are those of
    n_rows * log(longest range) + n_ranges rows.

    first, end: First row and end (exclusive) of each, on the host, (n_ranges,).
    there: `range_windows`, where they are on the device already.
    """

    def __init__(
        self,
        device: torch.device,
        first: Ints,
        end: Ints,
        there: list[Tensor] | None = None,
    ) -> None:
        self._n = len(first)
        if there is None:
            there = upload(device, *range_windows(first, end))
        self._levels = list(zip(*[iter(there)] * 3, strict=True))

    def max(self, X: Tensor) -> Tensor:
        """The maximum of each column over each range; 0 where a range is empty.

        X: Shape (n_rows, width). Returns shape (n_ranges, width).
        """
        result = X.new_zeros((self._n, X.shape[1]))
        windows = X  # maxima of all windows of 2 ** k rows
        for k, (chosen, first, last) in enumerate(self._levels):
            if k:
                half = 2 ** (k - 1)
                windows = torch.maximum(windows[:-half], windows[half:])
            if len(chosen):
                found = torch.maximum(windows[first], windows[last])
                result = result.index_copy(0, chosen, found)
        return result


def range_windows(first: Ints, end: Ints) -> list[Ints]:
    """Ranges and both their windows of `Ranges`, of each power of two."""
    level = numpy.frexp((end - first).clip(0))[1] - 1  # floor of log2; -1 for none
    arrays = []
    for k in range(int(level.max()) + 1 if len(level) else 0):
        chosen = numpy.flatnonzero(level == k)
        arrays += [chosen, first[chosen], end[chosen] - 2**k]
    return arrays


def token_places(tokens: Tensor, head: Tensor, tail: Tensor) -> Tensor:
    """Where tokens stand with respect to a pair: `BEFORE` … `AFTER`.

    tokens: Flat tokens, shape (n_pairs, n). head, tail: First token and end of each
        pair's spans, shape (n_pairs, 2).

    Returns shape (n_pairs, n), int64.
    """
    first = torch.minimum(head[:, :1], tail[:, :1])
    end = torch.maximum(head[:, 1:], tail[:, 1:])
    in_head = (tokens >= head[:, :1]) & (tokens < head[:, 1:])
    in_tail = (tokens >= tail[:, :1]) & (tokens < tail[:, 1:])
    places = torch.full_like(tokens, BETWEEN)
    places = places.masked_fill(tokens < first, BEFORE)
    places = places.masked_fill(tokens >= end, AFTER)
    return places.masked_fill(in_tail, TAIL).masked_fill(in_head, HEAD)
