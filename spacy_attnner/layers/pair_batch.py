"""Ordered pairs of spans, and the words that each of them reads."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

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

    def between(self) -> Tensor:
        """First token and end of what lies between head and tail, (n_pairs, 2).

        Where nothing does, the end is not behind the first token.
        """
        head, tail = self.ends()
        first = torch.minimum(head[:, 1], tail[:, 1])
        return torch.stack([first, torch.maximum(head[:, 0], tail[:, 0])], 1)

    def around(self) -> tuple[Tensor, Tensor]:
        """First token and end of what the context has before and behind both spans.

        Shape (n_pairs, 2) each; nothing where the end is not behind the first token.
        """
        head, tail = self.ends()
        first, end = self.contexts.unbind(1)
        before = torch.stack([first, torch.minimum(head[:, 0], tail[:, 0])], 1)
        behind = torch.stack([torch.maximum(head[:, 1], tail[:, 1]), end], 1)
        return before, behind

    def chosen(self, rows: Tensor | slice) -> "PairBatch":
        """The pairs of the given rows."""
        return replace(self, pairs=self.pairs[rows], contexts=self.contexts[rows])


def token_places(tokens: Tensor, head: Tensor, tail: Tensor) -> Tensor:
    """Where tokens stand with respect to a pair: `BEFORE` … `AFTER`.

    tokens: Flat tokens, shape (n_pairs, n). head, tail: First token and end of each
        pair's spans, shape (n_pairs, 2).

    Returns shape (n_pairs, n), int64.
    """
    first = torch.minimum(head[:, :1], tail[:, :1])
    end = torch.maximum(head[:, 1:], tail[:, 1:])
    in_head = (tokens >= head[:, :1]) & (tokens < head[:, 1:])
    in_tail = (tokens >= tail[:, :1]) & (tokens < tail[:, 1:])
    places = torch.full_like(tokens, BETWEEN)
    places = places.masked_fill(tokens < first, BEFORE)
    places = places.masked_fill(tokens >= end, AFTER)
    return places.masked_fill(in_tail, TAIL).masked_fill(in_head, HEAD)
