"""Entity-pair attention: an ordered pair of spans queries the words around it."""

import torch
from torch import Tensor, nn

from .attention import AdditiveAttention
from .pair_batch import DISTANCES, PairBatch
from .pair_context import PairContext

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

    def forward(self, X: Tensor, batch: PairBatch) -> Tensor:
        """What the spans of a batch are, (n_spans, 2 * width + type_width)."""
        by_length, rows = batch.spans_by_length  # without any padding: most are short
        pooled = [X.new_empty((0, 2 * X.shape[1]))]
        for tokens in by_length:
            words = X[tokens]  # (n, length, width)
            weights = self.attention(words).softmax(1)  # (n, length, 1)
            attended = (weights * words).sum(1)
            pooled.append(torch.cat([attended, words.amax(1)], -1))
        types = self.types(batch.types).sum(1)
        return torch.cat([torch.cat(pooled)[rows], types], -1)


class EntityPairAttention(nn.Module):
    """Features of ordered entity pairs.

    head = relu(W_h span), tail = relu(W_t span)
    context = softmax(q(head, tail) · K / √d) V over the words around the pair
    own = relu(W [head; tail; head ∘ tail; context; between; distance])
    features = own + relu(U [own; strongest of the head; strongest of the tail])

    The product head ∘ tail makes the linear layer that follows a low-rank bilinear
    score of the pair (Kim et al. 2017, "Hadamard Product for Low-rank Bilinear
    Pooling"). `between` is the maximum of V over the words between the two spans
    (Eberts and Ulges 2020, "Span-based Joint Entity and Relation Extraction with
    Transformer Pre-training", call it localized context); with `around`, so are the
    words of the context before and behind both spans, by themselves (Zeng et al. 2015,
    "Distant Supervision for Relation Extraction via Piecewise Convolutional Neural
    Networks"). What is strongest of a head
    is the maximum of `own` over all pairs with that head, and so for the tail: pairs of
    a document that exclude or imply each other see it.

    width: Width of the token vectors.
    hidden: Width of head, tail, context and of the output.
    n_heads: Heads of the context attention; divides hidden.
    type_width, distance_width: Widths of those embeddings; without a type_width, types
        are not seen.
    product, attention, between, around: Whether to have those features.
    strongest: Whether pairs see the strongest ones of their head and of their tail.
    """

    def __init__(
        self,
        *,
        width: int,
        hidden: int,
        n_heads: int,
        type_width: int,
        distance_width: int,
        product: bool = True,
        attention: bool = True,
        between: bool = True,
        around: bool = False,
        strongest: bool = True,
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.product, self.attention = product, attention
        self.between, self.around = between, around
        self.dropout = nn.Dropout(0.0)
        self.spans = SpanPooling(width=width, hidden=hidden, type_width=type_width)
        self.head = nn.Linear(self.spans.width, hidden)
        self.tail = nn.Linear(self.spans.width, hidden)
        self.context = PairContext(width=width, hidden=hidden, n_heads=n_heads)
        self.distances = nn.Embedding(2 * len(DISTANCES), distance_width)
        n_features = 2 + product + attention + between + 2 * around
        self.output = nn.Linear(n_features * hidden + distance_width, hidden)
        self.others = nn.Linear(3 * hidden, hidden) if strongest else None

    def forward(
        self, X: Tensor, batch: PairBatch, strongest: Tensor | None = None
    ) -> Tensor:
        """Features of all pairs, shape (n_pairs, hidden).

        X: Token vectors, (n_tokens, width).
        strongest: Where the batch has only some of its spans' pairs, what `strongest`
            found of all.
        """
        if not len(batch):
            return X.new_zeros((0, self.hidden)) + 0.0 * X.sum()
        own = self.own(X, batch)
        if self.others is None:
            return own
        heads, tails = self.strongest(own, batch) if strongest is None else strongest
        W = self.others.weight  # (hidden, 3 * hidden)
        Y = own @ W[:, : self.hidden].T + self.others.bias
        Y = Y + _of_pairs((heads, tails), W[:, self.hidden :], batch)
        return own + self.dropout(Y.relu())

    def strongest(self, own: Tensor, b: PairBatch) -> Tensor:
        """Maxima of pairs over those of a head and of a tail, (2, n_spans, hidden).

        own: Features of the pairs, (n_pairs, hidden), none of them negative.
        """
        found = own.new_zeros((2 * b.n_spans, self.hidden))
        for i in (0, 1):
            rows = (b.pairs[:, i : i + 1] + i * b.n_spans).expand_as(own)
            found = found.scatter_reduce(0, rows, own, "amax")
        return found.view(2, -1, self.hidden)

    def own(self, X: Tensor, b: PairBatch) -> Tensor:
        """What pairs are by themselves, (n_pairs, hidden)."""
        spans = self._spans(X, b)
        values = self.context.value(X)  # (N, hidden)
        features = []
        if self.product:
            head, tail = b.pairs.unbind(1)
            features.append(spans[0][head] * spans[1][tail])
        if self.attention:
            queries, keys = self._queries(spans, b), self.context.key(X)
            features.append(self.context(queries, keys, values, b))
        if self.between:
            features.append(b.between.max(values))
        if self.around:
            features += [ranges.max(values) for ranges in b.around]
        return self.dropout(self._mix(spans, features, b).relu())

    def weights(self, X: Tensor, batch: PairBatch) -> Tensor:
        """How much each pair attends to the words from its context's first one on.

        Returns shape (n_pairs, n_heads, n); each head's weights add up to 1 over the
        pair's context and are 0 behind it.
        """
        queries = self._queries(self._spans(X, batch), batch)
        return self.context.weights(queries, self.context.key(X), batch)

    def _spans(self, X: Tensor, b: PairBatch) -> tuple[Tensor, Tensor]:
        """Spans as heads and as tails, (n_spans, hidden) each."""
        spans = self.dropout(self.spans(X, b))
        return self.head(spans).relu(), self.tail(spans).relu()

    def _queries(self, spans: tuple[Tensor, Tensor], b: PairBatch) -> Tensor:
        query = self.context.query
        return _of_pairs(spans, query.weight, b) + query.bias

    def _mix(
        self, spans: tuple[Tensor, Tensor], features: list[Tensor], b: PairBatch
    ) -> Tensor:
        """W [head; tail; features; distance]; the parts of spans are found once each.

        features: (n_pairs, hidden) each.
        """
        hidden = self.hidden
        W = self.output.weight  # (hidden, n_features * hidden + distance_width)
        Y = _of_pairs(spans, W[:, : 2 * hidden], b) + self.output.bias
        for i, feature in enumerate(features, start=2):
            Y = Y + feature @ W[:, i * hidden : (i + 1) * hidden].T
        distances = self.distances.weight @ W[:, (2 + len(features)) * hidden :].T
        return Y + distances[b.distances]


def _of_pairs(spans: tuple[Tensor, Tensor], W: Tensor, b: PairBatch) -> Tensor:
    """W [head; tail] of pairs, (n_pairs, n); of a span the same in many of them.

    spans: Spans as heads and as tails, (n_spans, hidden) each. W: (n, 2 * hidden).
    """
    of_heads, of_tails = (
        X @ part.T for X, part in zip(spans, W.chunk(2, 1), strict=True)
    )
    head, tail = b.pairs.unbind(1)
    return of_heads[head] + of_tails[tail]
