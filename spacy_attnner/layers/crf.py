"""Loss and marginals of a linear-chain conditional random field over BILUO tags.

Source: Lafferty, McCallum and Pereira (2001), "Conditional Random Fields". Tags,
constraints and recursions are those of `lattice.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .lattice import (
    FORBIDDEN,
    Chain,
    biluo_chain,
    bounded,
    lattices_of,
    marginals_of,
    transition_counts,
)

__all__ = [
    "FORBIDDEN",
    "CRFLoss",
    "Chain",
    "biluo_chain",
    "bounded",
    "crf_loss",
    "log_partition",
    "span_marginals",
    "token_marginals",
]

LEAST_SURPRISE = 1e-10  # nats; a float64 log-partition is not much more exact


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
