import math

import pytest
import torch
from torch import nn

from spacy_attnner.layers.attention import (
    AdditiveAttention,
    MultiHeadAttention,
    masked_softmax,
)

GARBAGE = 1e6  # what stands in the padding must not matter


def test_masked_softmax_by_hand():
    scores = torch.tensor([[0.0, math.log(3), 99.0], [1.0, 2.0, 3.0]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    expected = torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(masked_softmax(scores, mask), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_an_all_masked_row_gives_no_nan(dtype):
    scores = torch.randn(2, 5, dtype=dtype, requires_grad=True)
    mask = torch.tensor([[True] * 5, [False] * 5])
    weights = masked_softmax(scores, mask)
    weights.float().square().sum().backward()
    assert weights[1].tolist() == [0.0] * 5
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
    assert not scores.grad[1].any()


def test_multi_head_attention_is_that_of_torch():
    ours = MultiHeadAttention(width=21, n_heads=3)
    theirs = nn.MultiheadAttention(21, 3, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.qkv.weight)
        theirs.in_proj_bias.copy_(ours.qkv.bias)
        theirs.out_proj.weight.copy_(ours.output.weight)
        theirs.out_proj.bias.copy_(ours.output.bias)
    X = torch.randn(5, 11, 21)
    mask = torch.arange(11) < torch.tensor([11, 1, 7, 2, 5])[:, None]
    expected, _ = theirs(X, X, X, key_padding_mask=~mask, need_weights=False)
    torch.testing.assert_close(ours(X, mask)[mask], expected[mask])


def test_padding_never_changes_a_token():
    attention = MultiHeadAttention(width=10, n_heads=5)
    X = torch.randn(1, 3, 10)
    alone = attention(X, torch.ones(1, 3, dtype=torch.bool))
    padded = torch.cat([X, torch.full((1, 4, 10), GARBAGE)], 1)
    mask = torch.tensor([[True] * 3 + [False] * 4])
    torch.testing.assert_close(attention(padded, mask)[:, :3], alone)


def test_a_sequence_of_padding_alone_gives_no_nan():
    attention = MultiHeadAttention(width=10, n_heads=2)
    mask = torch.tensor([[True, True, True], [False, False, False]])
    assert attention(torch.randn(2, 3, 10), mask).isfinite().all()


@pytest.mark.parametrize(("width", "n_heads"), [(10, 3), (10, 0), (7, 2), (10, -2)])
def test_heads_that_do_not_divide_the_width(width, n_heads):
    message = f"width {width} is not divisible by n_heads {n_heads}"
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(width=width, n_heads=n_heads)


def test_additive_scores_by_hand():
    """v tanh(w x + b + u q) with w = 2, b = 1, u = -1, v = 3."""
    attention = AdditiveAttention(width=1, hidden=1, query_width=1)
    assert attention.query is not None
    with torch.no_grad():
        attention.project.weight.fill_(2.0)
        attention.project.bias.fill_(1.0)
        attention.query.weight.fill_(-1.0)
        attention.score.weight.fill_(3.0)
    X = torch.tensor([[[0.5], [-1.0]]])
    plain = [3 * math.tanh(2.0), 3 * math.tanh(-1.0)]
    torch.testing.assert_close(attention(X).flatten(), torch.tensor(plain))
    asked = [3 * math.tanh(-2.0), 3 * math.tanh(-5.0)]
    found = attention(X, torch.tensor([[4.0]])).flatten()
    torch.testing.assert_close(found, torch.tensor(asked))


def test_additive_attention_has_one_score_per_head():
    attention = AdditiveAttention(width=5, hidden=7, n_heads=3)
    assert attention(torch.randn(2, 11, 5)).shape == (2, 11, 3)
    with pytest.raises(ValueError, match="n_heads 0 is less than 1"):
        AdditiveAttention(width=5, hidden=7, n_heads=0)
