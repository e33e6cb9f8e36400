"""Attention without padding: what scaled dot-product attention says with a mask."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from spacy_attnner.layers import varlen
from spacy_attnner.layers.varlen import Filled, attention, without_padding

LENGTHS = [5, 3, 1]
B, H, T, D = 3, 2, 5, 7


def one_by_one(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, scale=None):
    """PyTorch's own runs on a GPU alone."""
    assert query.dtype in varlen.HALF
    assert cu_seq_q.dtype == torch.int32
    assert int((cu_seq_q[1:] - cu_seq_q[:-1]).max()) <= max_q == max_k
    parts = [
        scaled_dot_product_attention(
            *(X[a:b].transpose(0, 1)[None].float() for X in (query, key, value)),
            scale=scale,
        )[0].transpose(0, 1)
        for a, b in zip(cu_seq_q.tolist(), cu_seq_k.tolist()[1:], strict=False)
    ]
    return torch.cat(parts).to(query.dtype)


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(1)
    mask = torch.arange(T) < torch.tensor(LENGTHS)[:, None]
    return [torch.randn(B, H, T, D, generator=generator) for _ in range(3)], mask


def filled_of(mask):
    ends = torch.tensor([0, *LENGTHS]).cumsum(0).int()
    return Filled(mask.flatten().nonzero().flatten(), ends)


@pytest.mark.parametrize("scaling", [None, 0.3])
def test_equals_masked_attention(inputs, scaling, monkeypatch):
    monkeypatch.setattr(varlen, "varlen_attn", one_by_one)
    QKV, mask = inputs
    expected, _ = attention(None, *QKV, mask, scaling=scaling)
    assert expected.shape == (B, T, H, D)
    half = [X.bfloat16() for X in QKV]
    with without_padding(filled_of(mask)):
        found, weights = attention(None, *half, mask, scaling=scaling)
    assert weights is None
    torch.testing.assert_close(found[mask].float(), expected[mask], atol=0.02, rtol=0.1)
    assert not found[~mask].any()


def test_full_precision_and_dropout_take_the_mask(inputs, monkeypatch):
    monkeypatch.setattr(varlen, "varlen_attn", None)
    QKV, mask = inputs
    with without_padding(filled_of(mask)):
        attention(None, *QKV, mask)
        attention(None, *[X.bfloat16() for X in QKV], mask, dropout=0.1)


def test_gradients(inputs, monkeypatch):
    monkeypatch.setattr(varlen, "varlen_attn", one_by_one)
    QKV, mask = inputs
    half = [X.bfloat16().requires_grad_() for X in QKV]
    with without_padding(filled_of(mask)):
        attention(None, *half, mask)[0].float().square().sum().backward()
    assert all(X.grad.isfinite().all() and X.grad.any() for X in half)
