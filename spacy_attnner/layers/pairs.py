"""Entity-pair attention: an ordered pair of spans queries the words around it."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from .attention import masked_softmax
from .spans import SpanPooling, gather_ranges

DISTANCES = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # tokens between two spans
CONTEXT_CHUNK = 131_072  # context tokens read at once in prediction, bounds the memory
BEFORE, HEAD, BETWEEN, TAIL, AFTER = range(5)  # where a token stands, seen from a pair


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

    def ends(self) -> tuple[Tensor, Tensor]:
        """First token and end of each pair's head and tail, each (n_pairs, 2)."""
        return self.spans[self.pairs[:, 0]], self.spans[self.pairs[:, 1]]

    def part(self, start: int, end: int) -> "PairBatch":
        """Some of the pairs."""
        return replace(
            self, pairs=self.pairs[start:end], contexts=self.contexts[start:end]
        )


class EntityPairAttention(nn.Module):
    """Features of ordered entity pairs.

    head = relu(W_h span), tail = relu(W_t span)
    context = softmax(q(head, tail) · K / √d) V over the words around the pair
    features = relu(W [head; tail; head ∘ tail; context; between; distance])

    The product head ∘ tail makes the linear layer that follows a low-rank bilinear
    score of the pair (Kim et al. 2017, "Hadamard Product for Low-rank Bilinear
    Pooling"). `between` is the maximum of V over the words between the two spans
    (Eberts and Ulges 2020, "Span-based Joint Entity and Relation Extraction with
    Transformer Pre-training", call it localized context).

    width: Width of the token vectors.
    hidden: Width of head, tail, context and of the output.
    n_heads: Heads of the context attention; divides hidden.
    type_width, distance_width: Widths of those embeddings; without a type_width, types
        are not seen.
    product, attention, between: Whether to have those features.
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
    ) -> None:
        super().__init__()
        if n_heads < 1 or hidden % n_heads:
            raise ValueError(f"hidden {hidden} is not divisible by n_heads {n_heads}")
        self.hidden = hidden
        self.n_heads = n_heads
        self.product, self.attention, self.between = product, attention, between
        self.dropout = nn.Dropout(0.0)
        self.spans = SpanPooling(width=width, hidden=hidden, type_width=type_width)
        self.head = nn.Linear(self.spans.width, hidden)
        self.tail = nn.Linear(self.spans.width, hidden)
        self.query = nn.Linear(2 * hidden, hidden)
        self.key = nn.Linear(width, hidden)
        self.value = nn.Linear(width, hidden)
        self.place = nn.Embedding(5, n_heads)  # BEFORE … AFTER
        nn.init.zeros_(self.place.weight)
        self.distances = nn.Embedding(2 * len(DISTANCES), distance_width)
        n_features = 2 + product + attention + between
        self.output = nn.Linear(n_features * hidden + distance_width, hidden)
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
        arguments = self.head(spans).relu(), self.tail(spans).relu()  # (S, hidden)
        words = self.key(X), self.value(X)  # (N, hidden)
        size = len(b.pairs) if self.training else pairs_at_once(b.contexts)
        parts = [
            self._features(arguments, words, b.part(i, i + size))
            for i in range(0, len(b.pairs), size)
        ]
        return torch.cat(parts)

    def weights(self, X: Tensor, batch: PairBatch) -> Tensor:
        """How much each pair attends to each word of its context.

        Returns shape (n_pairs, n_heads, longest context); each head's weights add up to
        1 over the pair's context and are 0 behind it.
        """
        spans = self.spans(X, batch.spans, batch.types)
        arguments = self.head(spans).relu(), self.tail(spans).relu()
        head, tail = (x[i] for x, i in zip(arguments, batch.pairs.T, strict=True))
        keys, mask = gather_ranges(self.key(X), batch.contexts)
        return self._weights(
            head, tail, keys, mask, self._places(batch.contexts, *batch.ends())
        )

    def _features(
        self,
        arguments: tuple[Tensor, Tensor],
        words: tuple[Tensor, Tensor],
        b: PairBatch,
    ) -> Tensor:
        head, tail = (x[i] for x, i in zip(arguments, b.pairs.T, strict=True))  # (P, h)
        features = [head, tail]
        if self.product:
            features.append(head * tail)
        if self.attention or self.between:
            places = self._places(b.contexts, *b.ends())  # (P, C)
            values, mask = gather_ranges(words[1], b.contexts)  # (P, C, hidden), (P, C)
        if self.attention:
            keys, _ = gather_ranges(words[0], b.contexts)
            weights = self._weights(head, tail, keys, mask, places)
            features.append(self._mix(weights, values))
        if self.between:
            outside = ~(mask & places.eq(BETWEEN))[..., None]
            lowest = torch.finfo(values.dtype).min
            highest = values.masked_fill(outside, lowest).amax(1)
            features.append(highest.masked_fill(outside.all(1), 0.0))
        features.append(self.distances(self._distance(*b.ends())))
        return self.dropout(self.output(torch.cat(features, -1)).relu())

    def _weights(
        self, head: Tensor, tail: Tensor, keys: Tensor, mask: Tensor, places: Tensor
    ) -> Tensor:
        """Attention of each pair over its context, (P, H, C)."""
        P, C, _ = keys.shape
        H, D = self.n_heads, self.hidden // self.n_heads
        query = self.query(torch.cat([head, tail], -1)).view(P, H, 1, D)
        K = keys.view(P, C, H, D).transpose(1, 2)  # (P, H, C, D)
        scores = (query @ K.transpose(-1, -2)).squeeze(2) / math.sqrt(D)  # (P, H, C)
        scores = scores + self.place(places).transpose(1, 2)
        return masked_softmax(scores, mask[:, None, :])

    def _mix(self, weights: Tensor, values: Tensor) -> Tensor:
        """Each head's share of the values, (P, hidden)."""
        P, C, _ = values.shape
        V = values.view(P, C, self.n_heads, -1).transpose(1, 2)  # (P, H, C, D)
        return (weights[:, :, None] @ V).reshape(P, self.hidden)

    def _places(self, contexts: Tensor, head: Tensor, tail: Tensor) -> Tensor:
        """Where each context token stands with respect to the pair, (P, C)."""
        longest = int((contexts[:, 1] - contexts[:, 0]).max())
        at = contexts[:, :1] + torch.arange(longest, device=contexts.device)
        first = torch.minimum(head[:, :1], tail[:, :1])
        end = torch.maximum(head[:, 1:], tail[:, 1:])
        in_head = (at >= head[:, :1]) & (at < head[:, 1:])
        in_tail = (at >= tail[:, :1]) & (at < tail[:, 1:])
        places = torch.full_like(at, BETWEEN)
        places = places.masked_fill(at < first, BEFORE).masked_fill(at >= end, AFTER)
        return places.masked_fill(in_tail, TAIL).masked_fill(in_head, HEAD)

    def _distance(self, head: Tensor, tail: Tensor) -> Tensor:
        """Bucket of the tokens between head and tail; the order doubles them."""
        forward = head[:, 0] < tail[:, 0]
        gap = torch.where(forward, tail[:, 0] - head[:, 1], head[:, 0] - tail[:, 1])
        limits: Tensor = self.limits  # type: ignore[assignment]
        bucket = torch.bucketize(gap.clamp(0, DISTANCES[-1]), limits)
        return bucket + forward.long() * len(DISTANCES)


def pairs_at_once(contexts: Tensor) -> int:
    """How many pairs read `CONTEXT_CHUNK` tokens, padding included; at least one."""
    longest = int((contexts[:, 1] - contexts[:, 0]).max())
    return max(1, CONTEXT_CHUNK // longest)
