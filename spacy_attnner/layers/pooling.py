"""From token vectors to one vector per document.

Nothing is padded: time and memory are those of the tokens, however their number varies
between documents. What is summed up of a document does not depend on the others.
"""

import numpy
import torch
from torch import Tensor, nn

from .attention import AdditiveAttention
from .layout import Ints, numbers, upload


class Segments:
    """Consecutive tokens of a flat batch, a segment per document.

    lengths: Tokens of each, on the host, (n_segments,).
    """

    def __init__(self, device: torch.device, lengths: Ints) -> None:
        self._n = len(lengths)
        (self._numbers,) = upload(device, numbers(numpy.asarray(lengths)))

    def sum(self, X: Tensor) -> Tensor:
        """Sum of each column over each segment, (n_segments, n); of none 0."""
        result = X.new_zeros((self._n, X.shape[1]))
        return result.index_add(0, self._numbers, X)

    def max(self, X: Tensor) -> Tensor:
        """Maximum of each column over each segment, (n_segments, n); of none 0."""
        result = X.new_zeros((self._n, X.shape[1]))
        index = self._numbers[:, None].expand_as(X)
        return result.scatter_reduce(0, index, X, "amax", include_self=False)

    def softmax(self, scores: Tensor) -> Tensor:
        """Softmax of each column over each segment, (n_tokens, n)."""
        top = self.max(scores.detach())
        weights = (scores - top[self._numbers]).exp()
        return weights / self.sum(weights)[self._numbers]


class AttentionPooling(nn.Module):
    """Multi-head additive attention over the tokens of each segment.

    Source: Lin et al. (2017), "A Structured Self-Attentive Sentence Embedding".

    width: Width of the tokens. hidden: Width of the scoring layer.
    n_heads: Heads; the output concatenates them.
    factors: Multiplied with what is attended to each token, (n_tokens,), so that its
        share of a result can be found.
    """

    factors: Tensor | None = None

    def __init__(self, *, width: int, hidden: int, n_heads: int = 1) -> None:
        super().__init__()
        self.attention = AdditiveAttention(width=width, hidden=hidden, n_heads=n_heads)

    def weights(self, X: Tensor, segments: Segments) -> Tensor:
        """Attention weights, (n_tokens, n_heads), that sum to 1 over each segment."""
        return segments.softmax(self.attention(X))

    def forward(self, X: Tensor, segments: Segments) -> Tensor:
        """Pool X, (n_tokens, width), to (n_segments, n_heads * width)."""
        weights = self.weights(X, segments)
        if self.factors is not None:
            weights = weights * self.factors[:, None]
        heads = weights.split(1, -1)  # each (N, 1)
        return torch.cat([segments.sum(each * X) for each in heads], -1)


class DocumentPooling(nn.Module):
    """Attention-pooled and max-pooled tokens of each document, and dropout.

    width: Width of the tokens. n_heads: Attention heads. hidden: Scoring width.
    The output is (n_heads + 1) * width wide.
    """

    def __init__(self, *, width: int, n_heads: int, hidden: int) -> None:
        super().__init__()
        self.pool = AttentionPooling(width=width, hidden=hidden, n_heads=n_heads)
        self.dropout = nn.Dropout(0.0)

    def forward(self, X: Tensor, lengths: Ints) -> Tensor:
        """Pool a flat batch; a document without tokens gives zeros.

        X: Shape (n_tokens, width).
        lengths: Tokens of each document, on the host, (batch_size,).

        Returns shape (batch_size, (n_heads + 1) * width).
        """
        segments = Segments(X.device, lengths)
        highest = segments.max(X)  # (B, width)
        return self.dropout(torch.cat([self.pool(X, segments), highest], -1))
