"""What an ordered pair of spans reads out of the words around it."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .attention import masked_softmax
from .pair_batch import PairBatch, token_places
from .spans import gather_ranges


@dataclass(frozen=True)
class Groups:
    """Pairs whose contexts begin with the same token, side by side.

    contexts: First token and end of what the pairs of each group read, (n_groups, 2).
    place: Group of each pair and its place in it, shape (2, n_pairs).
    size: Pairs of the largest group.
    """

    contexts: Tensor
    place: Tensor
    size: int

    def spread(self, X: Tensor) -> Tensor:
        """Rows of pairs, (n_pairs, …), as (n_groups, size, …); 0 where none is."""
        result = X.new_zeros((len(self.contexts), self.size, *X.shape[1:]))
        return result.index_put(tuple(self.place), X)


def group_pairs(contexts: Tensor) -> Groups:
    """Group pairs by the first token of their contexts, (n_pairs, 2)."""
    first, group, counts = torch.unique(
        contexts[:, 0], return_inverse=True, return_counts=True
    )
    end = torch.zeros_like(first).scatter_reduce(0, group, contexts[:, 1], "amax")
    order = group.argsort(stable=True)
    starts = (counts.cumsum(0) - counts).repeat_interleave(counts)
    nth = torch.empty_like(group)
    nth[order] = torch.arange(len(group), device=group.device) - starts
    return Groups(
        torch.stack([first, end], 1), torch.stack([group, nth]), int(counts.max())
    )


class PairContext(nn.Module):
    """Multi-head attention of ordered pairs over the words around them.

    context = softmax(q(head, tail) · K / √d + place) V, where a word's place is before,
    in the head, between, in the tail, or after. Words are read once for all pairs whose
    contexts begin with the same one.

    width: Width of the token vectors.
    hidden: Width of head, tail and of the output.
    n_heads: Number of heads; divides hidden.
    """

    def __init__(self, *, width: int, hidden: int, n_heads: int) -> None:
        super().__init__()
        if n_heads < 1 or hidden % n_heads:
            raise ValueError(f"hidden {hidden} is not divisible by n_heads {n_heads}")
        self.hidden = hidden
        self.n_heads = n_heads
        self.query = nn.Linear(2 * hidden, hidden)
        self.key = nn.Linear(width, hidden)
        self.value = nn.Linear(width, hidden)
        self.place = nn.Embedding(5, n_heads)  # BEFORE … AFTER
        nn.init.zeros_(self.place.weight)

    def words(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of tokens, (n_tokens, width), both (n_tokens, hidden)."""
        return self.key(X), self.value(X)

    def forward(
        self, pair: Tensor, words: tuple[Tensor, Tensor], batch: PairBatch
    ) -> Tensor:
        """What pairs read, shape (n_pairs, hidden).

        pair: Head and tail, (n_pairs, 2 * hidden). words: Keys and values.
        """
        groups = group_pairs(batch.contexts)
        weights = self._weights(pair, words[0], batch, groups)  # (G, H, M, C)
        V = self._by_group(words[1], groups)  # (G, H, C, D)
        mixed = (weights @ V).transpose(1, 2)  # (G, M, H, D)
        return mixed[tuple(groups.place)].reshape(len(pair), self.hidden)

    def weights(self, pair: Tensor, keys: Tensor, batch: PairBatch) -> Tensor:
        """Attention of pairs, (n_pairs, n_heads, n); n words from each context's first.

        Each head's weights add up to 1 over the pair's context and are 0 behind it.
        """
        groups = group_pairs(batch.contexts)
        weights = self._weights(pair, keys, batch, groups).transpose(1, 2)
        return weights[tuple(groups.place)]

    def _weights(
        self, pair: Tensor, keys: Tensor, batch: PairBatch, groups: Groups
    ) -> Tensor:
        """Attention weights by group, (n_groups, n_heads, size, n)."""
        D = self.hidden // self.n_heads
        K = self._by_group(keys, groups)  # (G, H, C, D)
        Q = groups.spread(self.query(pair)).unflatten(2, (self.n_heads, D))
        scores = Q.transpose(1, 2) @ K.transpose(-1, -2) / math.sqrt(D)  # (G, H, M, C)
        steps = torch.arange(K.shape[2], device=K.device)
        tokens = batch.contexts[:, :1] + steps  # (P, C)
        places = self.place(token_places(tokens, *batch.ends()))  # (P, C, H)
        scores = scores + groups.spread(places).permute(0, 3, 1, 2)
        inside = groups.spread(tokens < batch.contexts[:, 1:])  # (G, M, C)
        return masked_softmax(scores, inside[:, None])

    def _by_group(self, words: Tensor, groups: Groups) -> Tensor:
        """Keys or values of each group's context, (n_groups, n_heads, n, D)."""
        rows, _ = gather_ranges(words, groups.contexts)  # (G, C, hidden)
        return rows.unflatten(2, (self.n_heads, -1)).transpose(1, 2)
