"""Attention: multi-head scaled dot-product, and additive scores."""

import math

import torch
from torch import Tensor, nn


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last axis where `mask` is true; all-false rows give zeros.

    scores: Shape (…, n). mask: bool, broadcastable to it.
    """
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return scores.softmax(-1) * mask


class MultiHeadAttention(nn.Module):
    """Scaled dot-product self-attention, softmax(Q Kᵀ / √d) V in each head.

    Source: Vaswani et al. (2017), "Attention Is All You Need".

    width: Input and output width.
    n_heads: Number of heads; divides width.
    """

    def __init__(self, *, width: int, n_heads: int) -> None:
        super().__init__()
        if n_heads < 1 or width % n_heads:
            raise ValueError(f"width {width} is not divisible by n_heads {n_heads}")
        self.n_heads = n_heads
        self.qkv = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(0.0)

    def forward(self, X: Tensor, mask: Tensor) -> Tensor:
        """Attend within each sequence.

        X: Shape (batch_size, seq_len, width).
        mask: True for tokens, shape (batch_size, seq_len).

        Returns shape (batch_size, seq_len, width).
        """
        B, T, width = X.shape
        heads = self.qkv(X).view(B, T, 3, self.n_heads, width // self.n_heads)
        Q, K, V = heads.permute(2, 0, 3, 1, 4)  # each (B, H, T, D)
        scores = Q @ K.transpose(-1, -2) / math.sqrt(Q.shape[-1])  # (B, H, T, T)
        weights = self.dropout(masked_softmax(scores, mask[:, None, None, :]))
        mixed = (weights @ V).transpose(1, 2).reshape(B, T, width)
        return self.output(mixed)


class AdditiveAttention(nn.Module):
    """Scores vᵀ tanh(W x + U q), one per head, with an optional query.

    Source: Bahdanau, Cho and Bengio (2015), "Neural Machine Translation by Jointly
    Learning to Align and Translate".

    width: Width of the inputs.
    hidden: Width of the hidden layer.
    n_heads: Number of independent scores per input.
    query_width: Width of the query; 0 for self-scores without one.
    """

    def __init__(
        self, *, width: int, hidden: int, n_heads: int = 1, query_width: int = 0
    ) -> None:
        super().__init__()
        if n_heads < 1:
            raise ValueError(f"n_heads {n_heads} is less than 1")
        self.project = nn.Linear(width, hidden)
        self.query = nn.Linear(query_width, hidden, bias=False) if query_width else None
        self.score = nn.Linear(hidden, n_heads, bias=False)

    def forward(self, X: Tensor, query: Tensor | None = None) -> Tensor:
        """Score inputs.

        X: Shape (…, n, width). query: Shape (…, query_width) or None.

        Returns shape (…, n, n_heads).
        """
        hidden = self.project(X)
        if self.query is not None and query is not None:
            hidden = hidden + self.query(query)[..., None, :]
        return self.score(hidden.tanh())
