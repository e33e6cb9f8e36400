"""Entity pairs by the product of their spans alone."""

import torch
from torch import Tensor, nn

from .pair_batch import PairBatch
from .spans import SpanPooling


class InnerProductPairs(nn.Module):
    """Features of ordered entity pairs: head ∘ tail, whose sum is their inner product.

    head = W_h span, tail = W_t span

    A linear layer that follows makes weighted inner products of them, one a label
    (Yang et al. 2015, "Embedding Entities and Relations for Learning and Inference in
    Knowledge Bases").

    width: Width of the token vectors.
    hidden: Width of head, tail and of the output.
    type_width: Width of the embedding of entity types.
    """

    def __init__(self, *, width: int, hidden: int, type_width: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.dropout = nn.Dropout(0.0)
        self.spans = SpanPooling(width=width, hidden=hidden, type_width=type_width)
        self.head = nn.Linear(self.spans.width, hidden)
        self.tail = nn.Linear(self.spans.width, hidden)

    def forward(self, X: Tensor, lengths: Tensor, *batch: Tensor) -> Tensor:
        """Features of all pairs, shape (n_pairs, hidden).

        X: Token vectors, (n_tokens, width). lengths: Unused, the flat batch's lengths.
        batch: The fields of a `PairBatch`, in order.
        """
        b = PairBatch(*batch)
        if not len(b.pairs):
            return X.new_zeros((0, self.hidden)) + 0.0 * X.sum()
        spans = self.dropout(self.spans(X, b.spans, b.types))
        return self.head(spans)[b.pairs[:, 0]] * self.tail(spans)[b.pairs[:, 1]]


def candidate_logits(scores: Tensor, groups: Tensor) -> Tensor:
    """Log odds of each pair under a softmax over the candidates of its group.

    p_i = exp(a_i) / (1 + Σ_j exp(a_j)), j over the pairs of i's group; the 1 is that of
    no relation. What is returned is log(p_i / (1 - p_i)).

    log(p_i / (1 - p_i)) = a_i - log(1 + Σ_{j ≠ i} exp(a_j)), and the sum without its
    largest term is made of the others: what is left of it would be rounding.

    scores: a, shape (n_pairs, n_labels). groups: Shape (n_pairs,), from 0.
    """
    if not len(scores):
        return scores
    scores = scores.double()
    lowest = torch.finfo(torch.float64).min
    is_top = _is_top(scores.detach(), groups)  # (n_pairs, n_labels)
    top, total = _log_total(scores, groups)
    mass = (scores - top[groups]).exp()
    rest = (total[groups] - mass).masked_fill(is_top, 1.0)
    second, others = _log_total(scores.masked_fill(is_top, lowest), groups)
    log_rest = torch.where(
        is_top, (second + others.log())[groups], top[groups] + rest.log()
    )
    return (scores - log_rest).float()


def _is_top(scores: Tensor, groups: Tensor) -> Tensor:
    """One pair of the largest score of each group, bool, (n_pairs, n_labels)."""
    index = groups[:, None].expand_as(scores)
    shape = (int(groups.max()) + 1, scores.shape[1])
    top = scores.new_zeros(shape).scatter_reduce(
        0, index, scores, "amax", include_self=False
    )
    rows = torch.arange(len(scores), device=scores.device)[:, None].expand_as(scores)
    rows = rows.masked_fill(scores < top[groups], len(scores))
    first = rows.new_full(shape, len(scores)).scatter_reduce(0, index, rows, "amin")
    return rows == first[groups]


def _log_total(scores: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
    """1 + Σ exp(a) of each group, as exp(top) * total, both (n_groups, n_labels)."""
    index = groups[:, None].expand_as(scores)
    top = scores.new_zeros((int(groups.max()) + 1, scores.shape[1]))  # no relation: 0
    top = top.scatter_reduce(0, index, scores.detach(), "amax")
    mass = (scores - top[groups]).exp()
    return top, (-top).exp().scatter_add(0, index, mass)
