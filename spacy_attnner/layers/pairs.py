"""Entity-pair attention: an ordered pair of spans queries the words around it."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .attention import AdditiveAttention, masked_softmax

DISTANCES = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # tokens between two spans
N_TYPE_ROWS = 256
N_TYPE_HASHES = 3
PAIR_CHUNK = 8192  # pairs scored at once in prediction: bounds the memory


@dataclass(frozen=True)
class PairBatch:
    """The spans and ordered pairs of a flat batch of documents.

    spans: First token and end (exclusive) of each span, flat, (n_spans, 2).
    types: Rows of the span's type embedding, (n_spans, N_TYPE_HASHES).
    pairs: Head and tail span of each pair, (n_pairs, 2).
    contexts: First token and end (exclusive) of each pair's context, (n_pairs, 2).
    """

    spans: Tensor
    types: Tensor
    pairs: Tensor
    contexts: Tensor


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
        weights = masked_softmax(self.attention(tokens).squeeze(-1), mask)
        attended = (weights[:, None] @ tokens).squeeze(1)
        lowest = torch.finfo(X.dtype).min
        highest = tokens.masked_fill(~mask[..., None], lowest).amax(1)
        return torch.cat([attended, highest, self.types(types).sum(1)], -1)


class EntityPairAttention(nn.Module):
    """Features of ordered entity pairs.

    head = relu(W_h span), tail = relu(W_t span)
    context = softmax(q(head, tail) · K / √d) V over the words around the pair
    features = relu(W [head; tail; head ∘ tail; context; distance])

    The product head ∘ tail makes the linear layer that follows a low-rank bilinear
    score of the pair (Kim et al. 2017, "Hadamard Product for Low-rank Bilinear
    Pooling").

    width: Width of the token vectors.
    hidden: Width of head, tail, context and of the output.
    n_heads: Heads of the context attention; divides hidden.
    type_width, distance_width: Widths of those embeddings.
    """

    def __init__(
        self,
        *,
        width: int,
        hidden: int,
        n_heads: int,
        type_width: int,
        distance_width: int,
    ) -> None:
        super().__init__()
        if n_heads < 1 or hidden % n_heads:
            raise ValueError(f"hidden {hidden} is not divisible by n_heads {n_heads}")
        self.hidden = hidden
        self.n_heads = n_heads
        self.dropout = nn.Dropout(0.0)
        self.spans = SpanPooling(width=width, hidden=hidden, type_width=type_width)
        self.head = nn.Linear(self.spans.width, hidden)
        self.tail = nn.Linear(self.spans.width, hidden)
        self.query = nn.Linear(2 * hidden, hidden)
        self.key = nn.Linear(width, hidden)
        self.value = nn.Linear(width, hidden)
        self.place = nn.Embedding(
            5, n_heads
        )  # before, in head, between, in tail, after
        nn.init.zeros_(self.place.weight)
        self.distances = nn.Embedding(2 * len(DISTANCES), distance_width)
        self.output = nn.Linear(4 * hidden + distance_width, hidden)
        self.register_buffer("limits", torch.tensor(DISTANCES), persistent=False)

    def forward(self, X: Tensor, lengths: Tensor, *batch: Tensor) -> Tensor:
        """Features of all pairs, shape (n_pairs, hidden).

        X: Token vectors, (n_tokens, width). lengths: Unused, the flat batch's lengths.
        batch: The fields of a `PairBatch`, in order.
        """
        b = PairBatch(*batch)
        if not len(b.pairs):
            return X.new_zeros((0, self.hidden)) + 0.0 * X.sum()
        spans = self.dropout(self.spans(X, b.spans, b.types))
        heads, tails = self.head(spans).relu(), self.tail(spans).relu()  # (S, hidden)
        keys, values = self.key(X), self.value(X)  # (N, hidden)
        size = len(b.pairs) if self.training else PAIR_CHUNK
        chunks = [
            self._features(heads, tails, keys, values, b, slice(i, i + size))
            for i in range(0, len(b.pairs), size)
        ]
        return torch.cat(chunks)

    def _features(
        self,
        heads: Tensor,
        tails: Tensor,
        keys: Tensor,
        values: Tensor,
        b: PairBatch,
        part: slice,
    ) -> Tensor:
        head_id, tail_id = b.pairs[part].unbind(1)
        head, tail = heads[head_id], tails[tail_id]  # (P, hidden)
        head_span, tail_span = b.spans[head_id], b.spans[tail_id]
        context = self._attend(
            torch.cat([head, tail], -1),
            keys,
            values,
            b.contexts[part],
            self._places(b.contexts[part], head_span, tail_span),
        )
        distance = self.distances(self._distance(head_span, tail_span))
        joined = torch.cat([head, tail, head * tail, context, distance], -1)
        return self.dropout(self.output(joined).relu())

    def _attend(
        self,
        pair: Tensor,
        keys: Tensor,
        values: Tensor,
        contexts: Tensor,
        places: Tensor,
    ) -> Tensor:
        P, H, D = len(pair), self.n_heads, self.hidden // self.n_heads
        K, mask = gather_ranges(keys, contexts)  # (P, C, hidden), (P, C)
        V, _ = gather_ranges(values, contexts)
        C = K.shape[1]
        query = self.query(pair).view(P, H, 1, D)
        K = K.view(P, C, H, D).transpose(1, 2)  # (P, H, C, D)
        V = V.view(P, C, H, D).transpose(1, 2)
        scores = (query @ K.transpose(-1, -2)).squeeze(2) / math.sqrt(D)  # (P, H, C)
        scores = scores + self.place(places).transpose(1, 2)
        weights = masked_softmax(scores, mask[:, None, :])  # (P, H, C)
        return (weights[:, :, None] @ V).reshape(P, H * D)

    def _places(self, contexts: Tensor, head: Tensor, tail: Tensor) -> Tensor:
        """Where each context token stands with respect to the pair, (P, C)."""
        longest = int((contexts[:, 1] - contexts[:, 0]).max())
        at = contexts[:, :1] + torch.arange(longest, device=contexts.device)
        first = torch.minimum(head[:, :1], tail[:, :1])
        end = torch.maximum(head[:, 1:], tail[:, 1:])
        in_head = (at >= head[:, :1]) & (at < head[:, 1:])
        in_tail = (at >= tail[:, :1]) & (at < tail[:, 1:])
        places = torch.full_like(at, 2)
        places = places.masked_fill(at < first, 0).masked_fill(at >= end, 4)
        return places.masked_fill(in_tail, 3).masked_fill(in_head, 1)

    def _distance(self, head: Tensor, tail: Tensor) -> Tensor:
        """Bucket of the tokens between head and tail; the order doubles them."""
        forward = head[:, 0] < tail[:, 0]
        gap = torch.where(forward, tail[:, 0] - head[:, 1], head[:, 0] - tail[:, 1])
        limits: Tensor = self.limits  # type: ignore[assignment]
        bucket = torch.bucketize(gap.clamp(0, DISTANCES[-1]), limits)
        return bucket + forward.long() * len(DISTANCES)
