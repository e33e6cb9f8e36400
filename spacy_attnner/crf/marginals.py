"""Probabilities of tags, of steps between them and of spans, summed over all paths."""

import torch
from torch import Tensor

from .chain import Chain, bounded
from .recursions import Lattice, lattice_of, table_of


def marginals_of(lattice: Lattice, emissions: Tensor, lengths: Tensor) -> Tensor:
    """Probability of every tag at every token, shape (n_tokens, n_tags)."""
    log_p = lattice.alpha + lattice.gamma
    log_p -= emissions
    log_p -= spread(lattice.log_z, lengths, len(log_p))[:, None]
    return log_p.exp_()


def transition_counts(
    lattice: Lattice, chain: Chain, lengths: Tensor, share: Tensor
) -> Tensor:
    """Expected number of times that tag i is followed by tag j, (n_tags, n_tags).

    share: How much each sequence counts, shape (batch_size,).
    """
    n = len(chain.start) // 4  # labels
    m = 2 * n + 1
    table = table_of(chain)  # by places, of which those that follow are slices
    is_last = torch.zeros(len(lattice.alpha), dtype=torch.bool, device=lengths.device)
    is_last[(lengths.cumsum(0) - 1)[lengths > 0]] = True
    here = (~is_last).nonzero().squeeze(1)  # (M,)
    log_z = spread(lattice.log_z, lengths, len(is_last))[here, None]
    share = spread(share, lengths, len(is_last))[here, None]
    alpha = lattice.alpha[here][:, table.order]
    gamma = lattice.gamma[here + 1][:, table.order]  # (M, K)
    counts = torch.zeros_like(chain.transitions)
    closed, free = alpha[:, :m], gamma[:, n : m + n]
    closed_top, free_top = (x.amax(-1, keepdim=True) for x in (closed, free))
    left = (closed - closed_top).exp() * (closed_top + free_top - log_z).exp() * share
    steps = table.step.exp() * (left.T @ (free - free_top).exp())  # (m, m)
    counts[table.order[:m, None], table.order[n : m + n]] = steps
    opened = alpha[:, m:].unflatten(1, (1, 2, n))
    inside = torch.cat([gamma[:, :n], gamma[:, m + n :]], 1).unflatten(1, (2, 1, n))
    log_p = opened + inside + table.inside - log_z[:, :, None, None]  # (M, 2, 2, n)
    before = table.order[m:].view(1, 2, n)
    after = torch.cat([table.order[:n], table.order[m + n :]]).view(2, 1, n)
    counts[before, after] = (log_p.exp() * share[:, :, None, None]).sum(0)
    return counts


def spread(X: Tensor, lengths: Tensor, n_tokens: int) -> Tensor:
    """What each sequence has, for each of its tokens, shape (n_tokens,)."""
    return X.repeat_interleave(lengths, output_size=n_tokens)


def log_partition(emissions: Tensor, chain: Chain, lengths: Tensor) -> Tensor:
    """Log-sum of the scores of all valid paths, shape (batch_size,)."""
    lattice = lattice_of(bounded(emissions), chain, lengths)
    return lattice.log_z


def token_marginals(emissions: Tensor, chain: Chain, lengths: Tensor) -> Tensor:
    """Probability of every tag at every token, shape (n_tokens, n_tags)."""
    emissions = bounded(emissions)
    lattice = lattice_of(emissions, chain, lengths)
    return (lattice.alpha + lattice.gamma).sub_(emissions).softmax(-1)


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
    lattice = lattice_of(emissions, chain, lengths)
    own = emissions.gather(1, tags[:, None]).squeeze(1)  # (N,)
    step = own.clone()
    step[1:] += chain.transitions[tags[:-1], tags[1:]].clamp_min(-1e6)
    path = step.cumsum(0)  # differences inside one sequence only are ever read
    first, last = spans[:, 0], spans[:, 1]
    alpha = lattice.alpha[first, tags[first]]
    beta = lattice.gamma[last, tags[last]] - own[last]
    inner = path[last] - path[first]
    log_z = spread(lattice.log_z, lengths, len(own))[first]
    return (alpha + inner + beta - log_z).exp().clamp(0.0, 1.0)
