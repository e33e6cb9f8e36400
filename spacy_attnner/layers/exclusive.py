"""At most one label: log odds under a softmax over the labels and none of them."""

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
