import time
from functools import partial

import numpy
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from spacy_attnner.layers.attention import masked_softmax
from spacy_attnner.layers.pooling import AttentionPooling, DocumentPooling, Segments


def segments(*lengths):
    return Segments(torch.device("cpu"), numpy.array(lengths, dtype="int64"))


@given(st.lists(st.integers(0, 5), max_size=7))
def test_segments_are_what_each_is_by_itself(lengths):
    X, own = torch.randn(sum(lengths), 3), segments(*lengths)
    parts = list(zip(X.split(lengths), range(len(lengths)), strict=True))
    softmax, total, highest = own.softmax(X), own.sum(X), own.max(X)
    assert total.shape == highest.shape == (len(lengths), 3)
    for (x, i), weights in zip(parts, softmax.split(lengths), strict=True):
        torch.testing.assert_close(weights, x.softmax(0))
        torch.testing.assert_close(total[i], x.sum(0))
        assert torch.equal(highest[i], x.amax(0) if len(x) else torch.zeros(3))


def test_pooling_without_preference_is_the_mean():
    pooling = AttentionPooling(width=2, hidden=3, n_heads=2)
    nn.init.zeros_(pooling.attention.score.weight)
    X = torch.tensor([[1.0, 10.0], [3.0, 30.0], [1e6, 1e6]])
    expected = torch.tensor([[2.0, 20.0] * 2, [1e6] * 4])
    torch.testing.assert_close(pooling(X, segments(2, 1)), expected)


def test_pooling_weights_sum_to_one_over_the_tokens():
    pooling = AttentionPooling(width=5, hidden=7, n_heads=3)
    weights = pooling.weights(torch.randn(13, 5), segments(11, 0, 2))
    assert weights.shape == (13, 3)
    for own in weights.split([11, 2]):
        torch.testing.assert_close(own.sum(0), torch.ones(3))


def test_document_pooling_by_hand():
    """Attention without preference is the mean; beside it stands the maximum."""
    pooling = DocumentPooling(width=2, n_heads=1, hidden=3)
    nn.init.zeros_(pooling.pool.attention.score.weight)
    X = torch.tensor([[1.0, -4.0], [3.0, -2.0], [5.0, 7.0]])
    found = pooling(X, torch.tensor([2, 0, 1]))
    expected = torch.tensor([[2.0, -3.0, 3.0, -2.0], [0.0] * 4, [5.0, 7.0] * 2])
    torch.testing.assert_close(found, expected)


def test_batch_equals_single():
    pooling = DocumentPooling(width=5, n_heads=3, hidden=7)
    lengths = torch.tensor([11, 0, 1, 2])
    X = torch.randn(14, 5)
    together = pooling(X, lengths)
    assert together.shape == (4, 20)
    for i, own in enumerate(X.split(lengths.tolist())):
        alone = pooling(own, lengths[i : i + 1])
        torch.testing.assert_close(alone, together[i : i + 1])


def test_documents_without_tokens_give_zeros_and_no_nan():
    pooling = DocumentPooling(width=5, n_heads=3, hidden=7)
    X = torch.zeros(0, 5, requires_grad=True)
    found = pooling(X, torch.tensor([0, 0]))
    assert torch.equal(found, torch.zeros(2, 20))
    found.sum().backward()
    for parameter in pooling.parameters():
        assert parameter.grad is None or not parameter.grad.any()


def padded(pooling, X, lengths):
    """The same with all documents made equally long."""
    Xp = pad_sequence(X.split(lengths.tolist()), batch_first=True)  # (B, T, width)
    mask = torch.arange(Xp.shape[1]) < lengths[:, None]
    scores = pooling.pool.attention(Xp).transpose(1, 2)  # (B, H, T)
    attended = (masked_softmax(scores, mask[:, None, :]) @ Xp).flatten(1)
    lowest = torch.finfo(X.dtype).min
    highest = Xp.masked_fill(~mask[..., None], lowest).amax(1)
    return torch.cat([attended, highest * (lengths > 0)[:, None]], -1)


def test_values_and_gradients_are_those_of_padded_documents():
    pooling = DocumentPooling(width=5, n_heads=3, hidden=7).double()
    lengths = torch.tensor([11, 0, 1, 2, 0])
    X = torch.randn(14, 5, dtype=torch.float64).round(decimals=1)  # some maxima twice
    inputs = [X, *pooling.parameters()]
    for each in inputs:
        each.requires_grad_()
    weights = torch.randn(5, 20, dtype=torch.float64)
    results = [f(X, lengths) for f in (pooling, partial(padded, pooling))]
    torch.testing.assert_close(*results, atol=1e-12, rtol=0)
    found, expected = (
        torch.autograd.grad((weights * y).sum(), inputs) for y in results
    )
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-10, rtol=0)


def test_scores_that_differ_much():
    pooling = DocumentPooling(width=2, n_heads=1, hidden=1)
    with torch.no_grad():
        pooling.pool.attention.project.weight.copy_(torch.tensor([[1.0, 0.0]]))
        pooling.pool.attention.score.weight.fill_(1e5)
    X = torch.tensor([[1.0, 5.0], [-1.0, 7.0], [-2.0, 1.0]])
    found = pooling(X, torch.tensor([2, 1]))
    torch.testing.assert_close(found[:, :2], X[[0, 2]])


def test_memory_and_time_are_those_of_the_tokens():
    """Padded, these would be 4 million rows."""
    pooling = DocumentPooling(width=64, n_heads=4, hidden=16)
    lengths = torch.tensor([1] * 255 + [16_000])
    start = time.monotonic()
    with torch.no_grad(), torch.profiler.profile(profile_memory=True) as profile:
        pooling(torch.zeros(16_255, 64), lengths)
    assert time.monotonic() - start < 5.0
    largest = max(abs(event.cpu_memory_usage) for event in profile.events())
    assert largest < 50 * 2**20
