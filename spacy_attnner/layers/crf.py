"""Loss and marginals of a linear-chain conditional random field over BILUO tags.

Source: Lafferty, McCallum and Pereira (2001), "Conditional Random Fields". Tags,
constraints and recursions are those of `lattice.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .complement import complement_of
from .lattice import (
    FORBIDDEN,
    Chain,
    biluo_chain,
    bounded,
    lattices_of,
    marginals_of,
    transition_counts,
)
from .segments import segment_sum

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
    are known to be incorrect add -log(1 - p), p = Z(incorrect) / Z; 1 - p is summed up
    over the other paths (`complement.py`), since near p = 1 a difference is noise.

    emissions: Tag scores of all tokens, sequence after sequence, (n_tokens, n_tags).
    lengths: Tokens of each sequence, shape (batch_size,), int64.
    allowed: Tags that the annotation admits, (n_tokens, n_tags), bool.
    incorrect: Masks like `allowed`, each of which describes a set of wrong paths for
        every sequence, or by admitting all tags of a sequence none.

    Raises ValueError if a sequence admits no valid tag path, or only incorrect ones.
    """
    emissions = bounded(emissions)
    own = emissions.masked_fill(~allowed, FORBIDDEN)
    free, bound = lattices_of([emissions, own], chain, lengths)
    if _impossible(bound.log_z):
        number = _impossible(bound.log_z)[0]
        raise ValueError(f"sequence {number} admits no valid BILUO tag path")
    loss = free.log_z - bound.log_z
    share = torch.ones_like(loss)  # of log Z in the loss
    d_emissions = -marginals_of(bound, own, lengths).masked_fill_(~allowed, 0.0)
    d_transitions = -transition_counts(bound, chain, lengths, share)
    for mask in incorrect:
        chosen = _closed(mask, lengths)  # (batch_size,)
        if not bool(chosen.any()):
            continue
        tokens, n = chosen.repeat_interleave(lengths), lengths[chosen]
        rest = complement_of(emissions[tokens], mask[tokens], chain, n)
        if _impossible(rest.log_z):
            number = int(chosen.nonzero()[_impossible(rest.log_z)[0]])
            raise ValueError(f"all tag paths of sequence {number} are incorrect")
        loss[chosen] += (free.log_z[chosen] - rest.log_z).clamp_min(0.0)
        share[chosen] += 1.0
        d_emissions[tokens] -= rest.marginals
        d_transitions -= rest.transition_counts(chain, n)
    marginals = marginals_of(free, emissions, lengths)
    d_emissions += marginals * share.repeat_interleave(lengths)[:, None]
    d_transitions += transition_counts(free, chain, lengths, share)
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


def _impossible(log_z: Tensor) -> list[int]:
    """Sequences without any valid tag path."""
    return (log_z < FORBIDDEN / 10).nonzero().flatten().tolist()


def _closed(mask: Tensor, lengths: Tensor) -> Tensor:
    """Sequences with a token at which a tag is not admitted, (batch_size,), bool."""
    closed = (~mask).any(-1, keepdim=True).double()  # (N, 1)
    return segment_sum(closed, lengths).squeeze(1) > 0


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
