"""The k best tag paths of a CRF, batched.

Viterbi's recursion over (tag, rank) instead of tag: the k best prefixes that end in a
tag are among the k best prefixes of each tag before it. Source: Schwartz and Chow
(1990), "The N-Best Algorithm".
"""

import torch
from torch import Tensor

from .chain import FORBIDDEN, Chain, bounded
from .packing import pack

CELLS = 2**20  # steps compared at once: bounds the memory


def k_best(
    emissions: Tensor, chain: Chain, lengths: Tensor, k: int
) -> tuple[Tensor, Tensor]:
    """The k best distinct tag paths of each sequence, best first.

    emissions: Shape (n_tokens, n_tags), sequence after sequence.
    lengths: Shape (batch_size,).

    Returns the tags, shape (n_tokens, k), int64, and the score of each path, shape
    (batch_size, k). Where a sequence has fewer valid paths the score of the others is
    `FORBIDDEN` or less and their tags are 0; a sequence without tokens has one path,
    with score 0. Raises ValueError if k is less than 1.
    """
    if k < 1:
        raise ValueError(f"k {k} is less than 1")
    return _best_paths(bounded(emissions), chain, lengths, k)


def _best_paths(
    emissions: Tensor, chain: Chain, lengths: Tensor, k: int
) -> tuple[Tensor, Tensor]:
    """`k_best` of any chain's float64 scores."""
    packing = pack(lengths)
    n_tokens, n_tags = emissions.shape
    scores = torch.empty_like(emissions)
    scores[packing.forward] = emissions
    dtype = torch.int16 if n_tags * k < 2**15 else torch.int32
    pointers = torch.empty((n_tokens, n_tags, k), dtype=dtype, device=scores.device)
    n_alive = packing.sizes[0] if packing.sizes else 0
    final = scores.new_empty((n_alive, n_tags, k))
    offset, state = 0, scores.new_empty((0, n_tags, k))
    for t, size in enumerate(packing.sizes):
        here = scores[offset : offset + size, :, None]  # (size, K, 1)
        if t == 0:
            state = scores.new_full((size, n_tags, k), FORBIDDEN)
            state[:, :, :1] = here + chain.start[:, None]
        else:
            final[size : len(state)] = state[size:]
            best, pointer = _advance(state[:size], chain.transitions.T)
            pointers[offset : offset + size] = pointer
            state = best + here
        offset += size
    final[: len(state)] = state
    total = (final + chain.end[:, None]).flatten(1)  # (n_alive, K * k)
    best, last = total.topk(k, dim=-1)
    tags = _backtrack(last, pointers, packing.sizes)
    scores = _in_batch_order(best, lengths)
    valid = (scores > FORBIDDEN / 10).repeat_interleave(lengths, dim=0)  # (N, k)
    return tags[packing.forward] * valid, scores


def _advance(state: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
    """The k best of all (tag before, rank) for each tag, (n, n_tags, k) each.

    state: Shape (n, n_tags, k). steps: Shape (n_tags after, n_tags before).
    """
    n_tags, k = state.shape[1:]
    parts = state.split(max(1, CELLS // (n_tags * n_tags * k)))
    found = [(p[:, None] + steps[:, :, None]).flatten(2).topk(k) for p in parts]
    best, pointers = zip(*found, strict=True)
    return torch.cat(best), torch.cat(pointers)


def combine_k_best(
    tags: Tensor, scores: Tensor, lengths: Tensor, counts: Tensor
) -> tuple[Tensor, Tensor]:
    """The k best paths of groups of consecutive sequences out of those of each.

    The ranks of a group's sequences are a chain whose steps cost nothing.

    tags, scores: What `k_best` returned, shapes (n_tokens, k) and (batch_size, k).
    lengths: Shape (batch_size,).
    counts: Sequences of each group, shape (n_groups,).

    Returns the same for groups: shapes (n_tokens, k) and (n_groups, k).
    """
    k = scores.shape[1]
    free = Chain(scores.new_zeros((k, k)), scores.new_zeros(k), scores.new_zeros(k))
    ranks, totals = _best_paths(scores, free, counts, k)  # (batch_size, k)
    tags = tags.gather(1, ranks.repeat_interleave(lengths, dim=0))
    valid = (totals > FORBIDDEN / 10).repeat_interleave(
        _sums_by_group(lengths, counts), dim=0
    )
    return tags * valid, totals


def _sums_by_group(lengths: Tensor, counts: Tensor) -> Tensor:
    ends = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])[counts.cumsum(0)]
    return ends.diff(prepend=ends.new_zeros(1))


def _backtrack(last: Tensor, pointers: Tensor, sizes: list[int]) -> Tensor:
    """Follow pointers to (tag, rank), stored as tag * k + rank; returns the tags."""
    n_tokens, _, k = pointers.shape
    tags = last.new_empty((n_tokens, k))
    offset, current = n_tokens, last[:0]
    for t in range(len(sizes) - 1, -1, -1):
        offset -= sizes[t]
        current = torch.cat([current, last[len(current) : sizes[t]]])  # (size, k)
        tags[offset : offset + sizes[t]] = current // k
        if t:
            back = pointers[offset : offset + sizes[t]].flatten(1)
            current = back.gather(1, current).long()
    return tags


def _in_batch_order(best: Tensor, lengths: Tensor) -> Tensor:
    """Scores of the sequences that have tokens, sorted by length, back in place."""
    scores = best.new_full((len(lengths), best.shape[1]), FORBIDDEN)
    scores[:, 0] = 0.0
    order = lengths.argsort(descending=True, stable=True)
    scores[order[: len(best)]] = best
    return scores
