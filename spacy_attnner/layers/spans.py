"""Spans of tokens: their rows, and what a span is to a relation."""

import torch
from torch import Tensor, nn

from .attention import AdditiveAttention, masked_softmax

N_TYPE_ROWS = 256
N_TYPE_HASHES = 3


def gather_ranges(X: Tensor, ranges: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of several ranges: (n_ranges, longest, width) and their mask."""
    lengths = ranges[:, 1] - ranges[:, 0]
    longest = int(lengths.max()) if len(lengths) else 0
    steps = torch.arange(longest, device=X.device)
    mask = steps < lengths[:, None]
    rows = (ranges[:, :1] + steps) * mask
    return X[rows], mask


class SpanPooling(nn.Module):
    """A span as its attention-pooled, its max-pooled tokens and its type."""

    def __init__(self, *, width: int, hidden: int, type_width: int) -> None:
        super().__init__()
        self.attention = AdditiveAttention(width=width, hidden=hidden)
        self.types = nn.Embedding(N_TYPE_ROWS, type_width)
        nn.init.normal_(self.types.weight, std=0.3)
        self.width = 2 * width + type_width

    def forward(self, X: Tensor, spans: Tensor, types: Tensor) -> Tensor:
        """Returns shape (n_spans, 2 * width + type_width)."""
        tokens, mask = gather_ranges(X, spans)  # (S, L, width), (S, L)
        scores = self.attention(tokens[mask]).squeeze(-1)
        scores = scores.new_zeros(mask.shape).masked_scatter(mask, scores)
        weights = masked_softmax(scores, mask)
        attended = (weights[:, None] @ tokens).squeeze(1)
        lowest = torch.finfo(X.dtype).min
        highest = tokens.masked_fill(~mask[..., None], lowest).amax(1)
        return torch.cat([attended, highest, self.types(types).sum(1)], -1)
