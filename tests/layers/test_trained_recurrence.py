"""BiLSTMs in training against PyTorch's, values and gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from spacy_attnner.layers.sequence_encoder import SequenceEncoder
from spacy_attnner.layers.trained_recurrence import trained_bilstm


def make_lstm(width, input_width, dtype=torch.float32):
    lstm = nn.LSTM(input_width, width, bidirectional=True, dtype=dtype)
    for parameter in lstm.parameters():
        parameter.data.uniform_(-1.0, 1.0)
    return lstm


def packed(lengths, input_width, dtype=torch.float32):
    ordered = sorted(lengths, reverse=True)
    found = pack_sequence([torch.randn(n, input_width, dtype=dtype) for n in ordered])
    return found.data.requires_grad_(), found.batch_sizes


def gradients(Y, dY, lstm, X):
    return torch.autograd.grad(Y, [X, *lstm.parameters()], dY)


@settings(max_examples=40)
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=7),
    st.integers(1, 13),
    st.integers(1, 5),
    st.integers(0, 99),
)
def test_it_is_pytorchs_lstm(lengths, width, input_width, seed):
    torch.manual_seed(seed)
    lstm = make_lstm(width, input_width, torch.float64)
    X, sizes = packed(lengths, input_width, torch.float64)
    found = trained_bilstm(lstm, X, sizes.numpy())
    expected = lstm(PackedSequence(X, sizes))[0].data
    torch.testing.assert_close(found, expected)
    dY = torch.randn_like(found)
    pairs = zip(
        gradients(found, dY, lstm, X), gradients(expected, dY, lstm, X), strict=True
    )
    for own, other in pairs:
        torch.testing.assert_close(own, other)


def test_numeric_gradient():
    lstm = make_lstm(3, 2, torch.float64)
    X, sizes = packed([4, 2, 2, 1], 2, torch.float64)
    assert torch.autograd.gradcheck(lambda X: trained_bilstm(lstm, X, sizes.numpy()), X)


@pytest.mark.parametrize("depth", [1, 2])
def test_an_encoder_trains_as_it_predicts(depth):
    sizes = {"input_width": 5, "width": 8, "n_heads": 0, "window": 9, "margin": 2}
    encoder = SequenceEncoder(depth=depth, **sizes)
    X = torch.randn(31, 5)
    lengths = torch.tensor([20, 1, 10]).numpy()
    trained = encoder.train()(X, lengths)
    torch.testing.assert_close(trained, encoder.eval()(X, lengths))
    trained.sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())
