"""Entity pairs by the product of their spans alone."""

from torch import Tensor, nn

from .pair_batch import PairBatch
from .pairs import SpanPooling


class InnerProductPairs(nn.Module):
    """Features of ordered entity pairs: head ∘ tail, whose sum is their inner product.

    head = W_h span, tail = W_t span

    A linear layer that follows makes weighted inner products of them, one a label
    (Yang et al. 2015, "Embedding Entities and Relations for Learning and Inference in
    Knowledge Bases").

    width: Width of the token vectors.
    hidden: Width of head, tail and of the output.
    type_width: Width of the embedding of entity types.
    """

    parts = ("spans",)  # of a `PairBatch`

    def __init__(self, *, width: int, hidden: int, type_width: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.dropout = nn.Dropout(0.0)
        self.spans = SpanPooling(width=width, hidden=hidden, type_width=type_width)
        self.head = nn.Linear(self.spans.width, hidden)
        self.tail = nn.Linear(self.spans.width, hidden)

    def forward(self, X: Tensor, batch: PairBatch) -> Tensor:
        """Features of all pairs, shape (n_pairs, hidden).

        X: Token vectors, (n_tokens, width).
        """
        if not len(batch):
            return X.new_zeros((0, self.hidden)) + 0.0 * X.sum()
        spans = self.dropout(self.spans(X, batch))
        head, tail = batch.pairs.unbind(1)
        return self.head(spans)[head] * self.tail(spans)[tail]
