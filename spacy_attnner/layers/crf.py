"""Linear-chain conditional random field over BILUO tags, batched.

Tags are numbered O = 0 and, for label l, B = 1 + 4l, I = 2 + 4l, L = 3 + 4l,
U = 4 + 4l: new labels append tags and move none.

Source: Lafferty, McCallum and Pereira (2001), "Conditional Random Fields"; forward and
backward recursions as in Rabiner (1989). All recursions run in float64 over sequences
packed time-major (`packing.py`), long ones in blocks (`blocks.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .blocks import Blocks, block_offsets, cut_blocks, is_long, scan_blocks
from .packing import Packing, pack

FORBIDDEN = -1e30  # finite, so that sums of it never become NaN
LEAST_SURPRISE = 1e-10  # nats; a float64 log-partition is not much more exact
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
            state = _advance(alive, potentials).transpose(0, 1) + here
        result[offset : offset + size] = state
        previous, offset = state, offset + size
    return result


def _advance(state: Tensor, potentials: Tensor) -> Tensor:
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
    return emissions.maximum(emissions.amax(-1, keepdim=True) - LARGEST_GAP)


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
    if is_long(lengths):
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
        emissions, blocks, first, lambda x: (_advance(x, potentials), None), result
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
    log_z = lattice.log_z.repeat_interleave(lengths)[:, None]
    return (lattice.alpha + lattice.gamma - emissions - log_z).exp()


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


@dataclass(frozen=True)
class CRFLoss:
    """Negative log-likelihood and its gradients.

    loss: Per sequence, in nats, shape (batch_size,).
    d_emissions: Shape (n_tokens, n_tags).
    d_transitions: Shape (n_tags, n_tags).
    d_start, d_end: Shape (n_tags,).
    """

    loss: Tensor
    d_emissions: Tensor
    d_transitions: Tensor
    d_start: Tensor
    d_end: Tensor


def crf_loss(
    emissions: Tensor,
    chain: Chain,
    lengths: Tensor,
    allowed: Tensor,
    incorrect: Sequence[Tensor] = (),
) -> CRFLoss:
    """Likelihood of all tag paths that agree with the annotation.

    loss = log Z - log Z(allowed); where every token allows one tag this is the usual
    CRF loss, where a token allows all of them its tag is summed out (Tsuboi et al.
    2008, "Training Conditional Random Fields Using Incomplete Annotations"). Paths that
    are known to be incorrect add -log(1 - p), p = Z(incorrect) / Z.

    emissions: Tag scores of all tokens, sequence after sequence, (n_tokens, n_tags).
    lengths: Tokens of each sequence, shape (batch_size,), int64.
    allowed: Tags that the annotation admits, (n_tokens, n_tags), bool.
    incorrect: Masks like `allowed`, each of which describes a set of wrong paths for
        every sequence, or by admitting all tags of a sequence none.

    Raises ValueError if a sequence admits no valid tag path.
    """
    emissions = bounded(emissions)
    masks = [allowed, *incorrect]
    scores = [emissions.masked_fill(~mask, FORBIDDEN) for mask in masks]
    free, *bound = lattices_of([emissions, *scores], chain, lengths)
    impossible = (bound[0].log_z < FORBIDDEN / 10).nonzero().flatten().tolist()
    if impossible:
        raise ValueError(f"sequence {impossible[0]} admits no valid BILUO tag path")
    loss = free.log_z - bound[0].log_z
    shares = [torch.ones_like(loss)]  # of each gradient of log Z - log Z(mask)
    for mask, lattice in zip(incorrect, bound[1:], strict=True):
        cost, share = _cost_of_incorrect(free.log_z - lattice.log_z, mask, lengths)
        loss = loss + cost
        shares.append(share)
    total = torch.stack(shares).sum(0)
    d_emissions = marginals_of(free, emissions, lengths)
    d_emissions *= total.repeat_interleave(lengths)[:, None]
    d_transitions = transition_counts(free, chain, lengths, total)
    for mask, own, lattice, share in zip(masks, scores, bound, shares, strict=True):
        marginals = marginals_of(lattice, own, lengths).masked_fill(~mask, 0.0)
        d_emissions -= marginals * share.repeat_interleave(lengths)[:, None]
        d_transitions -= transition_counts(lattice, chain, lengths, share)
    has_tokens = lengths > 0
    last = (lengths.cumsum(0) - 1)[has_tokens]
    first = (lengths.cumsum(0) - lengths)[has_tokens]
    return CRFLoss(
        loss=loss,
        d_emissions=d_emissions,
        d_transitions=d_transitions,
        d_start=d_emissions[first].sum(0),
        d_end=d_emissions[last].sum(0),
    )


def _cost_of_incorrect(
    surprise: Tensor, mask: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor]:
    """-log(1 - p) of each sequence, and its derivative by the surprise -log p.

    surprise: Shape (batch_size,). mask: The incorrect paths, (n_tokens, n_tags).
    """
    closed = (~mask).any(-1).double()  # (N,)
    sequence = torch.repeat_interleave(
        torch.arange(len(lengths), device=lengths.device), lengths
    )
    says_something = closed.new_zeros(len(lengths)).index_add(0, sequence, closed) > 0
    surprise = surprise.clamp_min(LEAST_SURPRISE)
    rest = -torch.expm1(-surprise)  # 1 - p
    cost = (-rest.log()).masked_fill(~says_something, 0.0)
    slope = (-torch.exp(-surprise) / rest).masked_fill(~says_something, 0.0)
    return cost, slope


def log_partition(emissions: Tensor, chain: Chain, lengths: Tensor) -> Tensor:
    """Log-sum of the scores of all valid paths, shape (batch_size,)."""
    (lattice,) = lattices_of([bounded(emissions)], chain, lengths)
    return lattice.log_z


def token_marginals(emissions: Tensor, chain: Chain, lengths: Tensor) -> Tensor:
    """Probability of every tag at every token, shape (n_tokens, n_tags)."""
    emissions = bounded(emissions)
    (lattice,) = lattices_of([emissions], chain, lengths)
    return marginals_of(lattice, emissions, lengths)


def span_marginals(
    emissions: Tensor, chain: Chain, lengths: Tensor, tags: Tensor, spans: Tensor
) -> Tensor:
    """Exact probability of tag segments: all paths that run through the segment.

    p(span) = exp(alpha[i] + path(i + 1 … j) + beta[j] - log Z)

    emissions: Shape (n_tokens, n_tags), sequence after sequence.
    lengths: Shape (batch_size,).
    tags: The tag of every token, shape (n_tokens,).
    spans: First and last flat token of each segment, shape (n_spans, 2).

    Returns probabilities, shape (n_spans,).
    """
    emissions = bounded(emissions)
    (lattice,) = lattices_of([emissions], chain, lengths)
    own = emissions.gather(1, tags[:, None]).squeeze(1)  # (N,)
    step = own.clone()
    step[1:] += chain.transitions[tags[:-1], tags[1:]].clamp_min(-1e6)
    path = step.cumsum(0)  # differences inside one sequence only are ever read
    first, last = spans[:, 0], spans[:, 1]
    sequence = torch.repeat_interleave(
        torch.arange(len(lengths), device=lengths.device), lengths
    )[first]
    alpha = lattice.alpha[first, tags[first]]
    beta = lattice.gamma[last, tags[last]] - own[last]
    inner = path[last] - path[first]
    return (alpha + inner + beta - lattice.log_z[sequence]).exp().clamp(0.0, 1.0)
