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
    within, left = _scan(emissions, mask, chain, packing)
    onward, free = _scan(emissions, mask, chain, packing, backward=True)
    first = lengths.cumsum(0) - lengths
    log_z = (onward[first] + chain.start).logsumexp(-1)
    inside, outside = Lattice(within, onward, log_z), Lattice(left, free, log_z)
    marginals = marginals_of(inside, emissions, lengths)
    marginals += marginals_of(outside, emissions, lengths)
    return Complement(log_z, marginals, inside, outside)


def _scan(
    emissions: Tensor,
    mask: Tensor,
    chain: Chain,
    packing: Packing,
    *,
    backward: bool = False,
) -> tuple[Tensor, Tensor]:
    """Log-scores of prefixes in the set and of others, own emission included.

    backward: Of suffixes instead: those that go on from a tag that follows a path in
        the set, and leave it there or later, and all.
    """
    places = packing.reverse if backward else packing.forward
    scores, inside = (_packed(X, places) for X in (emissions, mask))
    closed = _closed_steps(inside, packing.sizes)
    potentials = (chain.transitions.T if backward else chain.transitions).exp()
    first = chain.end if backward else chain.start
    nothing = torch.full_like(first, FORBIDDEN)
    message = torch.stack([nothing, first] if backward else [first, nothing])[:, None]
    close = _leave_later if backward else _leave
    result = scores.new_empty((2, *scores.shape))
    state, offset = message, 0  # (2, 1, K)
    for t, size in enumerate(packing.sizes):
        rows = slice(offset, offset + size)
        if t:
            message = log_sums(state[:, :size], potentials)  # (2, size, K)
        state = result[:, rows]
        torch.add(message, scores[rows], out=state)
        if closed[t]:
            state.copy_(close(state[0], state[1], inside[rows]))
        offset += size
    one, other = result[:, places]
    return one, other


def _leave(within: Tensor, left: Tensor, inside: Tensor) -> Tensor:
    """Paths in the set go on in it, or deviate here, (2, size, K)."""
    stays = within.masked_fill(~inside, FORBIDDEN)
    deviates = within.masked_fill(inside, FORBIDDEN)
    return torch.stack([stays, torch.logaddexp(left, deviates)])


def _leave_later(onward: Tensor, free: Tensor, inside: Tensor) -> Tensor:
    """From a tag outside of the mask on everything is free, (2, size, K)."""
    return torch.stack([torch.where(inside, onward, free), free])


def _packed(X: Tensor, rows: Tensor) -> Tensor:
    result = torch.empty_like(X)
    result[rows] = X
    return result


def _closed_steps(inside: Tensor, sizes: list[int]) -> list[bool]:
    """At which steps some path can leave the set; inside: The packed mask."""
    closed = (~inside).any(-1)
    return [bool(part.any()) for part in closed.cpu().split(sizes)]
