"""What an ordered pair of spans reads out of the words around it."""

import math

import torch
from torch import Tensor, nn

from .pair_batch import BEFORE, Block, PairBatch, token_places


class PairContext(nn.Module):
    """Multi-head attention of ordered pairs over the words around them.

    context = softmax(q(head, tail) · K / √d + place) V, where a word's place is before,
    in the head, between, in the tail, or after. Words are read once for all pairs whose
    contexts begin with the same one.

    width: Width of the token vectors.
    hidden: Width of head, tail and of the output.
    n_heads: Number of heads; divides hidden.
    factors: Multiplied with what is attended to each word, (n_tokens,), so that its
        share of a result can be found.
    """

    reads_words = True
    factors: Tensor | None = None

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

    def forward(
        self, queries: Tensor, keys: Tensor, values: Tensor, batch: PairBatch
    ) -> Tensor:
        """What pairs read, shape (n_pairs, hidden).

        queries: Of the pairs, (n_pairs, hidden).
        keys, values: Of the tokens, (n_tokens, hidden) each.
        """
        read = []
        for block in batch.blocks:
            weights = self._weights(queries, keys, batch, block)  # (H, G, M, C)
            if self.factors is not None:
                weights = weights * self.factors[self._tokens(block, values)][:, None]
            V = self._by_group(values, block)  # (H, G, C, D)
            mixed = (weights @ V).permute(1, 2, 0, 3)  # (G, M, H, D)
            read.append(mixed[tuple(block.place)].flatten(1))
        return torch.cat(read)[batch.block_order]

    def weights(self, queries: Tensor, keys: Tensor, batch: PairBatch) -> Tensor:
        """Attention of pairs, (n_pairs, n_heads, n); n words from each context's first.

        Each head's weights add up to 1 over the pair's context and are 0 behind it.
        """
        result = keys.new_zeros((len(queries), self.n_heads, batch.longest))
        for block in batch.blocks:
            weights = self._weights(queries, keys, batch, block).permute(1, 2, 0, 3)
            found = weights[tuple(block.place)]  # (n, H, C)
            result[block.pairs, :, : found.shape[2]] = found
        return result

    def _weights(
        self, queries: Tensor, keys: Tensor, batch: PairBatch, block: Block
    ) -> Tensor:
        """Attention weights of a block, (n_heads, n_groups, size, n)."""
        H, D = self.n_heads, self.hidden // self.n_heads
        Q = block.spread(queries[block.pairs]).unflatten(2, (H, D))  # (G, M, H, D)
        Q = Q.permute(2, 0, 1, 3).flatten(0, 1)  # (H * G, M, D)
        K = self._by_group(keys, block).flatten(0, 1)  # (H * G, C, D)
        bias = self._bias(batch, block)
        scores = torch.baddbmm(
            bias.to(Q.dtype).view(len(Q), block.size, -1),
            Q,
            K.transpose(1, 2),
            alpha=1 / math.sqrt(D),
        )
        return scores.softmax(-1).unflatten(0, (H, -1))

    def _bias(self, batch: PairBatch, block: Block) -> Tensor:
        """What the places of words add to their scores: (n_heads, G * M * longest).

        A pair cuts the words at the ends of head and tail, between which the place is
        the same, and at the end of its context, behind which nothing is read.
        """
        head, tail = (ends[block.pairs] for ends in batch.ends)
        longest = block.longest
        cuts = torch.cat([head, tail], 1).sort(1).values  # (n, 4)
        places = token_places(cuts, head, tail)  # of what begins there
        bias = self.place(
            torch.cat([torch.full_like(places[:, :1], BEFORE), places], 1)
        )
        nothing = torch.finfo(bias.dtype).min
        bias = nn.functional.pad(bias, (0, 0, 0, 1), value=nothing)  # (n, 6, H)
        table = bias.flatten(0, 1).T.contiguous()  # (H, n * 6)
        first, end = batch.contexts[block.pairs].split(1, 1)
        cuts = torch.cat([torch.minimum(cuts, end), end], 1) - first
        cuts = block.spread(cuts.int(), fill=longest).flatten(0, 1)  # (G * M, 5)
        steps = torch.arange(longest, device=cuts.device, dtype=torch.int32)
        rows = 6 * torch.arange(len(block.pairs), device=cuts.device)
        index = block.spread(rows).flatten()[:, None].repeat(1, longest)
        for cut in cuts.unbind(1):
            index += steps >= cut[:, None]
        return table.gather(1, index.view(1, -1).expand(len(table), -1))

    def _by_group(self, words: Tensor, block: Block) -> Tensor:
        """Keys or values that each group reads, (n_heads, n_groups, n, D).

        words: Keys or values of the tokens, (n_tokens, hidden). Those behind a group's
        context are some other token's.
        """
        tokens = self._tokens(block, words)
        heads = torch.arange(self.n_heads, device=words.device).view(-1, 1, 1)
        table = words.view(len(words) * self.n_heads, -1)  # (N * H, D)
        return nn.functional.embedding(tokens * self.n_heads + heads, table)

    def _tokens(self, block: Block, words: Tensor) -> Tensor:
        """The tokens that each group reads, (n_groups, n)."""
        steps = torch.arange(block.longest, device=words.device)
        return (block.contexts[:, :1] + steps).clamp_max(len(words) - 1)
