"""Forward and backward scores of a linear-chain CRF over BILUO tags, batched.

Tags are numbered O = 0 and, for label l, B = 1 + 4l, I = 2 + 4l, L = 3 + 4l,
U = 4 + 4l: new labels append tags and move none.

Source: the recursions are Rabiner's (1989). All run in float64 over sequences packed
time-major (`packing.py`), long ones in blocks (`blocks.py`).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .blocks import Blocks, block_offsets, cut_blocks, is_long, scan_blocks
from .packing import Packing, pack

FORBIDDEN = -1e30  # finite, so that sums of it never become NaN
LARGEST_GAP = 150.0  # nats; several of them add up to less than float64's exponents


@dataclass(frozen=True)
class Chain:
    """Scores of a CRF, constraints included.

    transitions: Score of tag i followed by tag j, shape (n_tags, n_tags).
    start: Score of a first tag, shape (n_tags,).
    end: Score of a last tag, shape (n_tags,).
    """

    transitions: Tensor
    start: Tensor
    end: Tensor


def biluo_chain(transitions: Tensor, start: Tensor, end: Tensor) -> Chain:
    """Forbid what BILUO does not allow; returns float64 scores.

    Raises ValueError if the number of tags is not 4 * n_labels + 1.
    """
    n_tags = len(start)
    if n_tags % 4 != 1:
        raise ValueError(f"{n_tags} tags are not 4 * n_labels + 1 BILUO tags")
    device = start.device
    tag = torch.arange(n_tags, device=device)
    kind = torch.where(tag == 0, 4, (tag - 1) % 4)  # 0..4 = B I L U O
    label = torch.where(tag == 0, -1, (tag - 1) // 4)
    opens = (kind == 0) | (kind == 1)  # B, I: the entity goes on after this tag
    inside = (kind == 1) | (kind == 2)  # I, L: the entity began before this tag
    same = label[:, None] == label[None, :]
    allowed = torch.where(opens[:, None], inside[None, :] & same, ~inside[None, :])
    return Chain(
        transitions.double().masked_fill(~allowed, FORBIDDEN),
        start.double().masked_fill(inside, FORBIDDEN),
        end.double().masked_fill(opens, FORBIDDEN),
    )


def _scan(scores: Tensor, first: Tensor, transitions: Tensor, sizes: list[int]):
    """Log-sum-exp recursions of several independent streams.

    scores: Emissions in packed order, shape (n_tokens, n_streams, n_tags).
    first: Scores of the first tag, shape (n_streams, n_tags).
    transitions: Shape (n_streams, n_tags, n_tags).

    Returns the log-score of all prefixes that end in a tag, shaped as `scores`.
    """
    result = torch.empty_like(scores)
    potentials = transitions.exp()  # (S, K, K); forbidden ones are exactly zero
    offset, previous = 0, None
    for size in sizes:
        here = scores[offset : offset + size]  # (size, S, K)
        if previous is None:
            state = here + first
        else:
            alive = previous[:size].transpose(0, 1)
            state = log_sums(alive, potentials).transpose(0, 1) + here
        result[offset : offset + size] = state
        previous, offset = state, offset + size
    return result


def log_sums(state: Tensor, potentials: Tensor) -> Tensor:
    """Log-sum-exp over the tag before, (…, K); potentials: the exp of transitions."""
    top = state.amax(-1, keepdim=True)
    mass = torch.matmul((state - top).exp_(), potentials)
    return mass.log_().clamp_min_(FORBIDDEN) + top


def bounded(emissions: Tensor) -> Tensor:
    """Emissions in float64, none further below its token's best than `LARGEST_GAP`.

    Without the bound a tag that only the constraints make possible could underflow to
    probability zero, and with it all paths through it.
    """
    emissions = emissions.double()
    least = emissions.amax(-1, keepdim=True) - LARGEST_GAP
    if bool((emissions.amin(-1, keepdim=True) >= least).all()):
        return emissions  # nearly always: no copy
    return emissions.maximum(least)


@dataclass(frozen=True)
class Lattice:
    """Forward and backward scores of a batch, in flat token order.

    alpha: Log-score of all prefixes ending in a tag (own emission included).
    gamma: Log-score of all suffixes starting in a tag (own emission included).
    log_z: Log-partition of each sequence, shape (batch_size,).
    """

    alpha: Tensor
    gamma: Tensor
    log_z: Tensor


def lattices_of(streams: list[Tensor], chain: Chain, lengths: Tensor) -> list[Lattice]:
    """Forward-backward of emissions, each of shape (n_tokens, n_tags), in one scan."""
    if is_long(lengths, len(chain.start)):
        return [_long_lattice(emissions, chain, lengths) for emissions in streams]
    packing: Packing = pack(lengths)
    n_tokens, n_tags = streams[0].shape
    n_streams = len(streams)
    scores = streams[0].new_empty((n_tokens, 2 * n_streams, n_tags))
    for i, emissions in enumerate(streams):
        scores[packing.forward, i] = emissions
        scores[packing.reverse, n_streams + i] = emissions
    first = torch.cat(
        [chain.start.expand(n_streams, -1), chain.end.expand(n_streams, -1)]
    )
    step = torch.stack(
        [chain.transitions] * n_streams + [chain.transitions.T] * n_streams
    )
    result = _scan(scores, first, step, packing.sizes)
    lattices = []
    for i in range(n_streams):
        alpha = result[packing.forward, i]
        gamma = result[packing.reverse, n_streams + i]
        lattices.append(Lattice(alpha, gamma, _log_z(gamma, chain, lengths)))
    return lattices


def _long_lattice(emissions: Tensor, chain: Chain, lengths: Tensor) -> Lattice:
    step = chain.transitions
    alpha = _long_scan(emissions, chain.start, step, cut_blocks(lengths))
    gamma = _long_scan(emissions, chain.end, step.T, cut_blocks(lengths, reverse=True))
    return Lattice(alpha, gamma, _log_z(gamma, chain, lengths))


def _long_scan(
    emissions: Tensor, first: Tensor, transitions: Tensor, blocks: Blocks
) -> Tensor:
    """One stream in one direction, in blocks; shape (n_tokens, n_tags)."""
    potentials = transitions.exp()
    result = torch.empty_like(emissions)
    final = scan_blocks(
        emissions, blocks, first, lambda x: log_sums(x, potentials), result
    )
    offsets = block_offsets(final, blocks).repeat_interleave(blocks.lengths)
    result += (offsets if blocks.step > 0 else offsets.flip(0))[:, None]
    return result


def _log_z(gamma: Tensor, chain: Chain, lengths: Tensor) -> Tensor:
    has_tokens = lengths > 0
    first_token = (lengths.cumsum(0) - lengths)[has_tokens]
    log_z = gamma.new_zeros(len(lengths))
    log_z[has_tokens] = (gamma[first_token] + chain.start).logsumexp(-1)
    return log_z


def marginals_of(lattice: Lattice, emissions: Tensor, lengths: Tensor) -> Tensor:
    """Probability of every tag at every token, shape (n_tokens, n_tags)."""
    log_p = lattice.alpha + lattice.gamma
    log_p -= emissions
    log_p -= lattice.log_z.repeat_interleave(lengths)[:, None]
    return log_p.exp_()


def transition_counts(
    lattice: Lattice, chain: Chain, lengths: Tensor, share: Tensor
) -> Tensor:
    """Expected number of times that tag i is followed by tag j, (n_tags, n_tags).

    share: How much each sequence counts, shape (batch_size,).
    """
    n_tokens = len(lattice.alpha)
    is_last = torch.zeros(n_tokens, dtype=torch.bool, device=lengths.device)
    is_last[(lengths.cumsum(0) - 1)[lengths > 0]] = True
    here = (~is_last).nonzero().squeeze(1)
    log_z = lattice.log_z.repeat_interleave(lengths)[here]
    alpha, gamma = lattice.alpha[here], lattice.gamma[here + 1]  # (M, K)
    alpha_top = alpha.amax(-1, keepdim=True)
    gamma_top = gamma.amax(-1, keepdim=True)
    weight = (alpha_top + gamma_top - log_z[:, None]).exp()
    weight = weight * share.repeat_interleave(lengths)[here][:, None]
    left = (alpha - alpha_top).exp() * weight  # (M, K)
    right = (gamma - gamma_top).exp()  # (M, K)
    return chain.transitions.exp() * (left.T @ right)
