"""How far a CRF has moved from what it was, over all tag paths."""

import torch
from torch import Tensor

from .crf import CRFLoss
from .lattice import Chain, bounded, lattices_of, marginals_of, transition_counts


def crf_divergence(
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
    (p,) = lattices_of([own], chain, lengths)
    (q,) = lattices_of([teacher], teacher_chain, lengths)
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
