"""Time-major packing of sequences: work proportional to tokens, not to padding."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Packing:
    """Where each token of a flat batch stands in its time-major packed order.

    Sequences are sorted by falling length; step t holds the t-th token of the first
    `sizes[t]` of them.

    forward: Packed row of each flat token, shape (n_tokens,).
    reverse: The same with every sequence reversed, shape (n_tokens,).
    sizes: Number of sequences alive at each step.
    """

    forward: Tensor
    reverse: Tensor
    sizes: list[int]


def pack(lengths: Tensor) -> Packing:
    """Lay out sequences of the given lengths, shape (batch_size,), int64.

    Empty sequences are allowed and take no row.
    """
    device = lengths.device
    order = lengths.argsort(descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(lengths), device=device)
    n_steps = int(lengths.max()) if len(lengths) else 0
    counts = torch.bincount(lengths, minlength=n_steps + 1)  # (n_steps + 1,)
    sizes = len(lengths) - counts.cumsum(0)[:n_steps]  # alive at step t: length > t
    offsets = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])  # (n_steps + 1,)
    step = token_positions(lengths)  # (n_tokens,)
    token_rank = rank.repeat_interleave(lengths)
    last = (lengths - 1).repeat_interleave(lengths)
    return Packing(
        forward=offsets[step] + token_rank,
        reverse=offsets[last - step] + token_rank,
        sizes=sizes.tolist(),
    )


def token_positions(lengths: Tensor) -> Tensor:
    """Position of each flat token inside its own sequence, shape (n_tokens,)."""
    starts = lengths.cumsum(0) - lengths
    total = int(lengths.sum())
    positions = torch.arange(total, device=lengths.device)
    return positions - starts.repeat_interleave(lengths)
