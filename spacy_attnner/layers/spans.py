"""What a span of tokens is to a relation."""

import torch
from torch import Tensor, nn

from .attention import AdditiveAttention

N_TYPE_ROWS = 256
N_TYPE_HASHES = 3


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
        lengths = spans[:, 1] - spans[:, 0]
        pooled = [X.new_empty((0, 2 * X.shape[1]))]
        order = [lengths[:0]]
        for length in lengths.unique().tolist():  # without any padding: most are short
            chosen = (lengths == length).nonzero().squeeze(1)
            steps = torch.arange(length, device=X.device)
            tokens = X[spans[chosen, :1] + steps]  # (n, length, width)
            weights = self.attention(tokens).softmax(1)  # (n, length, 1)
            attended = (weights * tokens).sum(1)
            pooled.append(torch.cat([attended, tokens.amax(1)], -1))
            order.append(chosen)
        tokens = torch.cat(pooled)[torch.cat(order).argsort()]
        return torch.cat([tokens, self.types(types).sum(1)], -1)
