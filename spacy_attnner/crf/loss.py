"""Losses of a linear-chain conditional random field over BILUO tags.

Source: Lafferty, McCallum and Pereira (2001), "Conditional Random Fields".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .chain import FORBIDDEN, Chain, bounded
from .complement import complement_of
from .marginals import marginals_of, spread, transition_counts
from .recursions import lattice_of


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


def path_loss(
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
    free, bound = (lattice_of(scores, chain, lengths) for scores in (emissions, own))
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
    d_emissions += marginals * spread(share, lengths, len(marginals))[:, None]
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
    closed = (~mask).any(-1).long()  # (N,)
    numbers = torch.arange(len(lengths), device=lengths.device)
    sequences = spread(numbers, lengths, len(mask))
    return torch.zeros_like(lengths).index_add(0, sequences, closed) > 0


def path_divergence(
    emissions: Tensor,
    chain: Chain,
    teacher_emissions: Tensor,
    teacher_chain: Chain,
    lengths: Tensor,
) -> CRFLoss:
    """KL(q || p) = Σ_y q(y) (log q(y) - log p(y)) over all tag paths y, exactly.

    Its gradients are differences of marginals, p's minus q's (Hinton, Vinyals and Dean
    2015, "Distilling the Knowledge in a Neural Network", for a structured output).

    emissions: p's tag scores of all tokens, sequence after sequence, shape (n_tokens,
        n_tags).
    chain: p's transitions.
    teacher_emissions, teacher_chain: Those of q.
    lengths: Tokens of each sequence, shape (batch_size,), int64.

    Returns the loss of the batch, shape (), and the gradients of p's scores.
    """
    own, teacher = bounded(emissions), bounded(teacher_emissions)
    p = lattice_of(own, chain, lengths)
    q = lattice_of(teacher, teacher_chain, lengths)
    share = torch.ones_like(p.log_z)
    p_tags = marginals_of(p, own, lengths)  # (N, K)
    q_tags = marginals_of(q, teacher, lengths)  # (N, K)
    p_steps = transition_counts(p, chain, lengths, share)  # (K, K)
    q_steps = transition_counts(q, teacher_chain, lengths, share)  # (K, K)
    has_tokens = lengths > 0
    first = (lengths.cumsum(0) - lengths)[has_tokens]
    last = (lengths.cumsum(0) - 1)[has_tokens]
    # what is forbidden is so for both: equal scores and no probability
    loss = (
        (q_tags * (teacher - own)).sum()
        + (q_steps * (teacher_chain.transitions - chain.transitions)).sum()
        + (q_tags[first] * (teacher_chain.start - chain.start)).sum()
        + (q_tags[last] * (teacher_chain.end - chain.end)).sum()
        + p.log_z.sum()
        - q.log_z.sum()
    )
    d_emissions = p_tags - q_tags
    return CRFLoss(
        loss=loss,
        d_emissions=d_emissions,
        d_transitions=p_steps - q_steps,
        d_start=d_emissions[first].sum(0),
        d_end=d_emissions[last].sum(0),
    )
