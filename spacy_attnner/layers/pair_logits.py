"""Log odds of labels that exclude each other: of one pair, or of one entity's pairs."""

import torch
from torch import Tensor


def exclusive_logits(scores: Tensor) -> Tensor:
    """Log odds of each label under a softmax of which "none" is one more class.

    p_l = exp(a_l) / (1 + Σ_k exp(a_k)); returned is log(p_l / (1 - p_l)), that is
    a_l - log(1 + Σ_{k≠l} exp(a_k)), whose sum is made of the labels before l and of
    those behind it, so that nothing is subtracted.

    scores: a, shape (n, n_labels).
    """
    none = torch.zeros_like(scores[:, :1])
    before = torch.cat([none, scores], 1).logcumsumexp(1)[:, :-1]  # none and k < l
    if scores.shape[1] < 2:
        return scores - before
    behind = scores.flip(1).logcumsumexp(1).flip(1)[:, 1:]  # k > l
    rest = torch.logaddexp(before[:, :-1], behind)
    return scores - torch.cat([rest, before[:, -1:]], 1)


def candidate_logits(scores: Tensor, groups: Tensor, n_groups: int) -> Tensor:
    """Log odds of each pair under a softmax over the candidates of its group.

    p_i = exp(a_i) / (1 + Σ_j exp(a_j)), j over the pairs of i's group; the 1 is that of
    no relation. What is returned is log(p_i / (1 - p_i)).

    log(p_i / (1 - p_i)) = a_i - log(1 + Σ_{j ≠ i} exp(a_j)), and the sum without its
    largest term is made of the others: what is left of it would be rounding.

    scores: a, shape (n_pairs, n_labels). groups: Shape (n_pairs,), of n_groups.
    """
    if not len(scores):
        return scores
    scores = scores.double()
    lowest = torch.finfo(torch.float64).min
    is_top = _is_top(scores.detach(), groups, n_groups)  # (n_pairs, n_labels)
    top, total = _log_total(scores, groups, n_groups)
    mass = (scores - top[groups]).exp()
    rest = (total[groups] - mass).masked_fill(is_top, 1.0)
    second, others = _log_total(scores.masked_fill(is_top, lowest), groups, n_groups)
    log_rest = torch.where(
        is_top, (second + others.log())[groups], top[groups] + rest.log()
    )
    return (scores - log_rest).float()


def _is_top(scores: Tensor, groups: Tensor, n_groups: int) -> Tensor:
    """One pair of the largest score of each group, bool, (n_pairs, n_labels)."""
    index = groups[:, None].expand_as(scores)
    shape = (n_groups, scores.shape[1])
    top = scores.new_zeros(shape).scatter_reduce(
        0, index, scores, "amax", include_self=False
    )
    rows = torch.arange(len(scores), device=scores.device)[:, None].expand_as(scores)
    rows = rows.masked_fill(scores < top[groups], len(scores))
    first = rows.new_full(shape, len(scores)).scatter_reduce(0, index, rows, "amin")
    return rows == first[groups]


def _log_total(scores: Tensor, groups: Tensor, n_groups: int) -> tuple[Tensor, Tensor]:
    """1 + Σ exp(a) of each group, as exp(top) * total, both (n_groups, n_labels)."""
    index = groups[:, None].expand_as(scores)
    top = scores.new_zeros((n_groups, scores.shape[1]))  # no relation: 0
    top = top.scatter_reduce(0, index, scores.detach(), "amax")
    mass = (scores - top[groups]).exp()
    return top, (-top).exp().scatter_add(0, index, mass)
