"""From token vectors to one vector per document."""

import torch
from torch import Tensor, nn

from .attention import AttentionPooling
from .padding import pad, padding_mask


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
        mask = padding_mask(lengths)
        Xp = pad(X, lengths)  # (B, T, width)
        attended = self.pool(Xp, mask)
        lowest = torch.finfo(X.dtype).min
        highest = Xp.masked_fill(~mask[..., None], lowest)
        highest = torch.cat(
            [highest, Xp.new_full((len(Xp), 1, Xp.shape[2]), lowest)], 1
        )
        highest = highest.amax(1) * (lengths > 0)[:, None]
        return self.dropout(torch.cat([attended, highest], -1))
