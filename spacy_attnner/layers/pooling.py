"""From token vectors to one vector per document."""

import torch
from torch import Tensor, nn

from .attention import AttentionPooling
from .segments import segment_max


class DocumentPooling(nn.Module):
    """Attention-pooled and max-pooled tokens of each document, and dropout.

    width: Width of the tokens. n_heads: Attention heads. hidden: Scoring width.
    The output is (n_heads + 1) * width wide.
    """

    def __init__(self, *, width: int, n_heads: int, hidden: int) -> None:
        super().__init__()
        self.pool = AttentionPooling(width=width, hidden=hidden, n_heads=n_heads)
        self.dropout = nn.Dropout(0.0)

    def forward(self, X: Tensor, lengths: Tensor) -> Tensor:
        """Pool a flat batch; a document without tokens gives zeros.

        X: Shape (n_tokens, width). lengths: Shape (batch_size,), int64.

        Returns shape (batch_size, (n_heads + 1) * width).
        """
        highest = segment_max(X, lengths)  # (B, width)
        return self.dropout(torch.cat([self.pool(X, lengths), highest], -1))
