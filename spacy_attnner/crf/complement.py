"""All paths outside of a set of paths, summed up: what is left without subtraction.

The set is all paths whose tag at every token is in a mask. Any other path is in it up
to a token, deviates there and is free from then on, so that it is counted at its first
deviation, once.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .chain import FORBIDDEN, Chain
from .marginals import marginals_of, transition_counts
from .packing import Packing, pack
from .recursions import Lattice, log_sums


@dataclass(frozen=True)
class Complement:
    """Sums over the paths that leave the set, in flat token order.

    log_z: Their log-partition, shape (batch_size,).
    marginals: Probability among them of every tag at every token, (n_tokens, n_tags).
    inside, outside: Lattices of steps from a path that is still in the set, and from
        one that has left it.
    """

    log_z: Tensor
    marginals: Tensor
    inside: Lattice
    outside: Lattice

    def transition_counts(self, chain: Chain, lengths: Tensor) -> Tensor:
        """Expected number of times that tag i is followed by j, (n_tags, n_tags)."""
        share = torch.ones_like(self.log_z)
        return transition_counts(
            self.inside, chain, lengths, share
        ) + transition_counts(self.outside, chain, lengths, share)


def complement_of(
    emissions: Tensor, mask: Tensor, chain: Chain, lengths: Tensor
) -> Complement:
    """Sum up what is outside of a mask.

    emissions: Bounded tag scores, shape (n_tokens, n_tags), float64.
    mask: Tags of the paths in the set, (n_tokens, n_tags), bool.
    lengths: Tokens of each sequence, none empty, shape (batch_size,).
    """
    packing = pack(lengths)
    within, left = _forward(emissions, mask, chain, packing)
    stays, free = _backward(emissions, mask, chain, packing)
    onward = torch.where(mask, stays, free)  # from a tag that follows a path in the set
    first = lengths.cumsum(0) - lengths
    log_z = (onward[first] + chain.start).logsumexp(-1)
    marginals = marginals_of(Lattice(within, stays, log_z), emissions, lengths)
    marginals += marginals_of(Lattice(left, free, log_z), emissions, lengths)
    return Complement(
        log_z,
        marginals,
        inside=Lattice(within, onward, log_z),
        outside=Lattice(left, free, log_z),
    )


def _forward(
    emissions: Tensor, mask: Tensor, chain: Chain, packing: Packing
) -> tuple[Tensor, Tensor]:
    """Log-scores of prefixes in the set and of others, own emission included."""
    scores, inside = (_packed(X, packing.forward) for X in (emissions, mask))
    closed = _closed_steps(inside, packing.sizes)
    potentials = chain.transitions.exp()
    result = scores.new_empty((2, *scores.shape))  # in the set, outside
    message = torch.stack([chain.start, torch.full_like(chain.start, FORBIDDEN)])
    state = message = message[:, None]  # (2, 1, K)
    offset = 0
    for t, size in enumerate(packing.sizes):
        rows = slice(offset, offset + size)
        if t:
            message = log_sums(state[:, :size], potentials)  # (2, size, K)
        if closed[t]:
            follow, left = message
            stays = follow.masked_fill(~inside[rows], FORBIDDEN)
            deviates = follow.masked_fill(inside[rows], FORBIDDEN)
            message = torch.stack([stays, torch.logaddexp(left, deviates)])
        state = result[:, rows]
        torch.add(message, scores[rows], out=state)
        offset += size
    within, left = result[:, packing.forward]
    return within, left


def _backward(
    emissions: Tensor, mask: Tensor, chain: Chain, packing: Packing
) -> tuple[Tensor, Tensor]:
    """Log-scores of suffixes, own emission included.

    Returns those that leave the set later if the path is in it up to here, and all.
    """
    scores, inside = (_packed(X, packing.reverse) for X in (emissions, mask))
    closed = _closed_steps(inside, packing.sizes)
    potentials = chain.transitions.T.exp()
    result = scores.new_empty((2, *scores.shape))
    message = torch.stack([torch.full_like(chain.end, FORBIDDEN), chain.end])
    state = message = message[:, None]  # (2, 1, K)
    offset = 0
    for t, size in enumerate(packing.sizes):
        rows = slice(offset, offset + size)
        if t:
            message = log_sums(state[:, :size], potentials)  # (2, size, K)
        state = result[:, rows]
        torch.add(message, scores[rows], out=state)
        if closed[t]:
            stays, free = state
            state = torch.stack([torch.where(inside[rows], stays, free), free])
        offset += size
    stays, free = result[:, packing.reverse]
    return stays, free


def _packed(X: Tensor, rows: Tensor) -> Tensor:
    result = torch.empty_like(X)
    result[rows] = X
    return result


def _closed_steps(inside: Tensor, sizes: list[int]) -> list[bool]:
    """At which steps some path can leave the set; inside: The packed mask."""
    closed = (~inside).any(-1)
    return [bool(part.any()) for part in closed.cpu().split(sizes)]
