"""Entity-pair attention: an ordered pair of spans queries the words around it."""

import math
from types import ModuleType

import numpy
import torch
from torch import Tensor, nn

from ..native import extension
from .attention import AdditiveAttention
from .pair_batch import DISTANCES, PairBatch
from .pair_context import PairContext
from .recurrence import is_plain, panels

N_TYPE_ROWS = 256
N_TYPE_HASHES = 3
PAIRS = "layers._pairs"  # made of `pairs.c`
LANES = 16  # numbers that the compiled formula takes at a time


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
        tokens, spans = batch.span_tokens
        words = X[tokens]
        attended = spans.sum(spans.softmax(self.attention(words)) * words)
        types = self.types(batch.types).sum(1)
        return torch.cat([attended, spans.max(words), types], -1)


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

    @property
    def parts(self) -> tuple[str, ...]:
        """What is read of a `PairBatch`."""
        asked = {
            "blocks": self.attention,
            "between": self.between,
            "before": self.around,
            "behind": self.around,
        }
        return ("spans", *(part for part, wanted in asked.items() if wanted))

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
        W_own, W_spans = W[:, : self.hidden], W[:, self.hidden :]
        loop = self._loop(own)
        if loop is not None:
            of_heads, of_tails = _of_spans((heads, tails), W_spans)
            of_heads += self.others.bias
            Y = torch.empty_like(own)
            floats = own, of_heads, of_tails, panels(W_own), Y
            _, pairs, *_ = batch.arrays
            loop.add_others(pairs, *(each.numpy() for each in floats))
            return Y
        Y = own @ W_own.T + self.others.bias
        Y = Y + _of_pairs((heads, tails), W_spans, batch)
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
        loop = self._loop(values)
        if loop is not None:
            return self._compiled(loop, X, spans, values, b)
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

    def _loop(self, values: Tensor) -> ModuleType | None:
        """The compiled formula, where there is one for these sizes.

        It takes a sixth of the time of PyTorch's with one thread, of which this would
        have to make use of many.
        """
        size = self.hidden // self.context.n_heads
        special = self.around or self.context.factors is not None or size % LANES
        if torch.is_grad_enabled() or special or not is_plain(values):
            return None
        loop = extension(PAIRS)
        return loop if hasattr(loop, "features") else None

    def _compiled(
        self,
        loop: ModuleType,
        X: Tensor,
        spans: tuple[Tensor, Tensor],
        values: Tensor,
        b: PairBatch,
    ) -> Tensor:
        """`own` without a gradient."""
        hidden, context = self.hidden, self.context
        W = self.output.weight
        asked = (self.product, self.attention, self.between)
        n_features = hidden * (2 + sum(asked))
        W_spans, W_own, W_distances = W.tensor_split([2 * hidden, n_features], 1)
        distances = self.distances.weight @ W_distances.T + self.output.bias
        queries, keys = [X.new_empty(0)] * 2, X.new_empty(0)
        if self.attention:
            # a bias of the keys is the same for all words that a pair reads
            keys = X.new_empty((hidden, len(X) + LANES))
            torch.mm(context.key.weight, X.T, out=keys[:, : len(X)])
            scale = 1.0 / math.sqrt(hidden // context.n_heads)
            queries = list(_of_spans(spans, context.query.weight * scale))
            queries[0] += context.query.bias * scale
        floats = (*spans, *_of_spans(spans, W_spans), *queries, keys, values)
        weights = (context.place.weight, distances, panels(W_own))
        Y = X.new_empty((len(b), hidden))
        loop.features(
            numpy.array([hidden, context.n_heads, *asked], dtype="int64"),
            *b.arrays,
            *(each.contiguous().numpy() for each in (*floats, *weights)),
            Y.numpy(),
        )
        return Y

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
    of_heads, of_tails = _of_spans(spans, W)
    head, tail = b.pairs.unbind(1)
    return of_heads[head] + of_tails[tail]


def _of_spans(spans: tuple[Tensor, Tensor], W: Tensor) -> tuple[Tensor, Tensor]:
    """Shares of heads and of tails in W [head; tail], (n_spans, n) each."""
    W_head, W_tail = W.chunk(2, 1)
    return spans[0] @ W_head.T, spans[1] @ W_tail.T
