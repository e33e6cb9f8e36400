"""Pairs side by side, so that many of them read the same words at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

# Pairs times tokens of a block: on a CPU they should stay in the cache, on a GPU only
# the memory has to be bounded.
CELLS_CPU = 2**17
CELLS_GPU = 2**23
# A block's largest group has at most so many times the pairs of any other.
PADDING = 1.5


@dataclass(frozen=True)
class Block:
    """Groups of pairs; the contexts of a group's pairs begin with the same token.

    pairs: Rows of the block's pairs, (n,).
    place: Group of each of them and its place there, (2, n).
    contexts: First token and end (exclusive) of what each group reads, (n_groups, 2).
    size: Pairs of the largest group.
    """

    pairs: Tensor
    place: Tensor
    contexts: Tensor
    size: int

    def spread(self, X: Tensor, fill: float = 0) -> Tensor:
        """Rows of the block's pairs, (n, …), as (n_groups, size, …)."""
        result = X.new_full((len(self.contexts), self.size, *X.shape[1:]), fill)
        return result.index_put(tuple(self.place), X)


def cut_blocks(contexts: Tensor) -> Iterator[Block]:
    """Cut pairs into blocks of groups of like sizes.

    contexts: First token and end (exclusive) of each pair's context, (n_pairs, 2).
    """
    first, group, sizes = torch.unique(
        contexts[:, 0], return_inverse=True, return_counts=True
    )
    end = torch.zeros_like(first).scatter_reduce(0, group, contexts[:, 1], "amax")
    by_size = sizes.argsort(descending=True, stable=True)
    rank = torch.empty_like(by_size)
    rank[by_size] = torch.arange(len(rank), device=rank.device)
    pairs = rank[group].argsort(stable=True)
    sizes, bounds = sizes[by_size], torch.stack([first, end], 1)[by_size]
    starts = sizes.cumsum(0) - sizes
    limit = CELLS_GPU if contexts.is_cuda else CELLS_CPU
    counts = sizes.tolist()
    begin = 0  # pair that the block begins with
    for i, j in _cuts(counts, (bounds[:, 1] - bounds[:, 0]).tolist(), limit):
        own = sizes[i:j]
        n_pairs = sum(counts[i:j])
        groups = torch.arange(j - i, device=own.device).repeat_interleave(own)
        steps = torch.arange(n_pairs, device=own.device)
        place = torch.stack([groups, steps - (starts[i:j] - begin)[groups]])
        yield Block(pairs[begin : begin + n_pairs], place, bounds[i:j], counts[i])
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
