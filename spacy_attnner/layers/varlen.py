"""Attention over sequences of unlike lengths, without their padding, on a CUDA GPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:  # of PyTorch 2.10 and later
    varlen_attn: Any = None

HALF = (torch.float16, torch.bfloat16)  # what its kernels can do


@dataclass(frozen=True)
class Filled:
    """Which places of a padded batch, (B, T), hold something.

    rows: Their numbers, (n_filled,).
    ends: Filled places before each sequence, and all, (B + 1,), int32.
    """

    rows: Tensor
    ends: Tensor


_filled: ContextVar[Filled | None] = ContextVar("filled", default=None)


@contextmanager
def without_padding(filled: Filled) -> Iterator[None]:
    """Let `attention` leave out what is not filled, within this."""
    token = _filled.set(filled)
    try:
        yield
    finally:
        _filled.reset(token)


def attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention in the form of Hugging Face's attention functions.

    query, key, value: (B, H, T, D). attention_mask: True for what is filled, (B, T).

    Returns shape (B, T, H, D), and no weights.
    """
    filled = _filled.get()
    if filled is not None and query.dtype in HALF and not dropout:
        return _varlen(query, key, value, filled, scaling), None
    mask = None if attention_mask is None else attention_mask[:, None, None, :].bool()
    Y = scaled_dot_product_attention(
        query, key, value, attn_mask=mask, dropout_p=dropout, scale=scaling
    )
    return Y.transpose(1, 2).contiguous(), None


def _varlen(
    query: Tensor, key: Tensor, value: Tensor, filled: Filled, scaling: float | None
) -> Tensor:
    B, H, T, D = query.shape
    Q, K, V = (
        X.transpose(1, 2).reshape(B * T, H, D)[filled.rows] for X in (query, key, value)
    )
    ends = filled.ends
    Y = varlen_attn(Q, K, V, ends, ends, T, T, scale=scaling)
    padded = Y.new_zeros((B * T, H, D)).index_copy(0, filled.rows, Y)
    return padded.view(B, T, H, D)
