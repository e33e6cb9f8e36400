"""Cutting long sequences into overlapping windows, each with a core that it owns.

A sequence longer than `window` becomes windows that start every `window - 2 * margin`
tokens. Each token is owned by exactly one window, in which it has at least `margin`
tokens of context on both sides (where the sequence has them), so cost is linear in the
length and a token's result depends on its own sequence alone.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .packing import token_positions


@dataclass(frozen=True)
class Windows:
    """How a flat batch is cut.

    lengths: Tokens of each window, shape (n_windows,).
    tokens: Flat token of each window row, shape (n_rows,).
    owner: Window row that owns each flat token, shape (n_tokens,).
    """

    lengths: Tensor
    tokens: Tensor
    owner: Tensor


def cut_windows(lengths: Tensor, window: int, margin: int) -> Windows:
    """Cut sequences of the given lengths, shape (batch_size,), int64.

    Raises ValueError if the margins leave a window no core.
    """
    if margin < 0 or window - 2 * margin < 1:
        raise ValueError(
            f"window {window} leaves no core between two margins of {margin} tokens"
        )
    stride = window - 2 * margin
    device = lengths.device
    extra = (lengths - window).clamp_min(0)
    counts = 1 + torch.div(extra + stride - 1, stride, rounding_mode="floor")  # (B,)
    nth = token_positions(counts)  # (n_windows,): which window of its sequence
    sequence = torch.repeat_interleave(
        torch.arange(len(lengths), device=device), counts
    )
    starts = (lengths.cumsum(0) - lengths)[sequence] + nth * stride
    ends = torch.minimum(starts + window, lengths.cumsum(0)[sequence])
    window_lengths = ends - starts
    tokens = starts.repeat_interleave(window_lengths) + token_positions(window_lengths)
    return Windows(
        window_lengths,
        tokens,
        _owners(lengths, counts, window_lengths, margin=margin, stride=stride),
    )


def _owners(
    lengths: Tensor, counts: Tensor, window_lengths: Tensor, *, margin: int, stride: int
) -> Tensor:
    position = token_positions(lengths)
    nth = torch.div(position - margin, stride, rounding_mode="floor").clamp_min(0)
    nth = torch.minimum(nth, (counts - 1).repeat_interleave(lengths))
    first_window = (counts.cumsum(0) - counts).repeat_interleave(lengths)
    first_row = window_lengths.cumsum(0) - window_lengths
    return first_row[first_window + nth] + position - nth * stride
