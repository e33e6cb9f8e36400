"""Sums, maxima and softmax over the tokens of each sequence of a flat batch.

Nothing is padded: time and memory are those of the tokens, however their number varies
between sequences. A sequence's result is summed up token by token, so that it does not
depend on the others.

All take X, shape (n_tokens, n), sequence after sequence, and the tokens of each
sequence, shape (batch_size,), int64.
"""

import torch
from torch import Tensor


def segment_sum(X: Tensor, lengths: Tensor) -> Tensor:
    """Sum of each column over each sequence, (batch_size, n); of none 0."""
    result = X.new_zeros((len(lengths), X.shape[1]))
    return result.index_add(0, _segments(lengths), X)


def segment_max(X: Tensor, lengths: Tensor) -> Tensor:
    """Maximum of each column over each sequence, (batch_size, n); of none 0."""
    result = X.new_zeros((len(lengths), X.shape[1]))
    index = _segments(lengths)[:, None].expand_as(X)
    return result.scatter_reduce(0, index, X, "amax", include_self=False)


def segment_softmax(scores: Tensor, lengths: Tensor) -> Tensor:
    """Softmax of each column over each sequence, (n_tokens, n)."""
    segments = _segments(lengths)
    top = segment_max(scores.detach(), lengths)
    weights = (scores - top[segments]).exp()
    return weights / segment_sum(weights, lengths)[segments]


def _segments(lengths: Tensor) -> Tensor:
    """The sequence of each token, shape (n_tokens,)."""
    numbers = torch.arange(len(lengths), device=lengths.device)
    return numbers.repeat_interleave(lengths)
