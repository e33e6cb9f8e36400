"""The compiled recurrence of LSTMs against PyTorch's."""

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from spacy_attnner.layers import recurrence as recurrences
from spacy_attnner.layers import sequence_encoder as encoders
from spacy_attnner.layers.recurrence import arranged, bilstm, panels, recurrence
from spacy_attnner.layers.sequence_encoder import SequenceEncoder
from spacy_attnner.native import extension_state

needs_extension = pytest.mark.skipif(
    recurrence() is None, reason=extension_state(recurrences.RECURRENCE)
)
pytestmark = needs_extension


def make_lstm(width, input_width=3, scale=1.0):
    lstm = nn.LSTM(input_width, width, bidirectional=True)
    for parameter in lstm.parameters():
        parameter.data.uniform_(-scale, scale)
    return lstm


@torch.no_grad()
def both(lstm, Xs):
    """Compiled and PyTorch's states of packed sequences."""
    packed = pack_sequence(sorted(Xs, key=len, reverse=True))
    sizes = packed.batch_sizes.numpy()
    found = bilstm(recurrence(), packed.data, sizes, arranged(lstm, recurrence()))
    order = numpy.random.default_rng(0).permutation(len(packed.data))
    inputs = torch.empty_like(packed.data)
    inputs[order] = packed.data
    by_row = bilstm(recurrence(), inputs, sizes, arranged(lstm, recurrence()), order)
    torch.testing.assert_close(by_row, found, equal_nan=True)
    return found, lstm(packed)[0].data


@settings(max_examples=60)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
    st.integers(1, 41),
    st.integers(1, 9),
    st.sampled_from([0.1, 1.0, 30.0]),  # the last one's gates reach beyond 100
    st.integers(0, 99),
)
def test_it_is_pytorchs_lstm(lengths, width, input_width, size, seed):
    torch.manual_seed(seed)
    lstm = make_lstm(width, input_width, 1.0 / width**0.5)
    found, expected = both(lstm, [size * torch.randn(n, input_width) for n in lengths])
    torch.testing.assert_close(found, expected, rtol=0.0, atol=2e-6)


@pytest.mark.parametrize("value", [100.0, -100.0, 1e30, torch.inf, -torch.inf])
def test_extreme_gates(value):
    X = torch.randn(7, 3)
    X[2, 1] = value
    found, expected = both(make_lstm(19), [X, torch.randn(5, 3)])
    assert found.isfinite().all()
    torch.testing.assert_close(found, expected, rtol=0.0, atol=2e-6)


def test_what_is_no_number_stays_none():
    X, Y = torch.randn(6, 3), torch.randn(9, 3)
    X[2, 1] = torch.nan
    found, expected = both(make_lstm(19), [X, Y])
    assert found.isnan().any()
    assert found.isfinite().any()
    torch.testing.assert_close(found, expected, rtol=0.0, atol=2e-6, equal_nan=True)


def run_gates(i, f, g, o):
    """One state of each of some units that stand alone."""
    n = len(o)
    columns = [numpy.broadcast_to(numpy.float32(x), n) for x in (i, f, g, o)]
    gates = numpy.concatenate(columns * 2)
    states = numpy.empty((2, n), dtype="float32")
    weights = numpy.zeros((2, -(-n // 4), n, 16), dtype="float32")
    row, sizes = numpy.zeros(1, dtype="int64"), numpy.ones(1, dtype="int64")
    recurrence().bilstm(gates, row, weights, sizes, states)
    numpy.testing.assert_array_equal(states[0], states[1])
    return states[0]


def test_functions_of_gates_are_exact_to_a_few_bits():
    size = numpy.geomspace(1e-30, 200.0, 301)
    x = numpy.concatenate([-size, size]).astype("float32")
    ones = numpy.full_like(x, 100.0)
    tanh = numpy.tanh(numpy.tanh(x.astype("float64")))
    numpy.testing.assert_allclose(run_gates(100.0, 0.0, x, ones), tanh, rtol=5e-7)
    with numpy.errstate(over="ignore"):
        sigmoid = numpy.tanh(1.0) / (1.0 + numpy.exp(-x.astype("float64")))
    found = run_gates(100.0, 0.0, 100.0, x)
    numpy.testing.assert_allclose(found, sigmoid, rtol=5e-7, atol=1e-38)
    assert (found[x < -89.0] == 0.0).all()
    assert len(set(found[x > 20.0])) == 1


def wrong(**changes):
    shapes = {"gates": (4, 24), "weights": (2, 1, 3, 16), "states": (5, 6)}
    arrays = {name: numpy.zeros(shape, "float32") for name, shape in shapes.items()}
    arrays["sizes"] = numpy.array([2, 2, 1])
    arrays["rows"] = numpy.array([0, 1, 2, 3, 0])
    arrays |= changes
    return [arrays[name] for name in ("gates", "rows", "weights", "sizes", "states")]


@pytest.mark.parametrize(
    "changes",
    [
        {"gates": numpy.zeros((5, 25), "float32")},
        {"gates": numpy.zeros((5, 24), "float64")},
        {"rows": numpy.array([0, 1, 2, 3])},
        {"rows": numpy.array([0, 1, 2, 3, 4])},
        {"rows": numpy.array([0, 1, 2, 3, -1])},
        {"rows": numpy.array([0, 1, 2, 3, 0], dtype="int32")},
        {"weights": numpy.zeros((2, 1, 3, 15), "float32")},
        {"states": numpy.zeros((6, 6), "float32")},
        {"sizes": numpy.array([1, 2, 2])},
        {"sizes": numpy.array([6, -1])},
        {"sizes": numpy.array([], dtype="int64")},
        {"sizes": numpy.array([2, 2, 1], dtype="int32")},
    ],
)
def test_sizes_that_do_not_agree(changes):
    recurrence().bilstm(*wrong())
    with pytest.raises(ValueError, match="sizes of gates"):
        recurrence().bilstm(*wrong(**changes))


@pytest.mark.parametrize("shape", [(0, 4, 3), (1, 3, 17), (12, 50, 40), (9, 1, 1)])
def test_a_product(shape):
    rows, width, columns = shape
    X, W = torch.randn(rows, width), torch.randn(columns, width)
    Y = torch.randn(rows, columns)
    expected = Y + nn.functional.linear(X, W)
    recurrence().add_product(X.numpy(), panels(W).numpy(), Y.numpy())
    torch.testing.assert_close(Y, expected, rtol=0.0, atol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"X": numpy.zeros((3, 4), "float32")},
        {"X": numpy.zeros((2, 4))},
        {"W": numpy.zeros((1, 4, 15), "float32")},
        {"X": numpy.zeros(8, "float32")},
        {"Y": numpy.zeros((2, 17), "float32")},
    ],
)
def test_sizes_of_a_product(changes):
    right = {"X": (2, 4), "W": (1, 4, 16), "Y": (2, 5)}
    arrays = {name: numpy.zeros(shape, "float32") for name, shape in right.items()}
    recurrence().add_product(*arrays.values())
    with pytest.raises(ValueError, match="sizes of X"):
        recurrence().add_product(*(arrays | changes).values())
    with pytest.raises(TypeError, match="3 arguments are wanted"):
        recurrence().add_product(arrays["X"])


@pytest.mark.parametrize("lengths", [[1], [13], [40], [3, 0, 12, 1], [61, 2, 11]])
@pytest.mark.parametrize("changes", [{}, {"depth": 3}, {"n_heads": 0, "width": 6}])
def test_an_encoder_gives_the_same_with_and_without(lengths, changes, monkeypatch):
    sizes = {"input_width": 5, "width": 14, "depth": 1, "n_heads": 7, **changes}
    encoder = SequenceEncoder(**sizes, window=13, margin=3).eval()
    X, notes = torch.randn(sum(lengths), 5), {}
    with torch.no_grad():
        found = encoder(X, lengths, notes)
        assert len(notes) == sizes["depth"]
        numbers = numpy.random.default_rng(0).permutation(2 * len(X))[: len(X)]
        words = torch.randn(2 * len(X), 5)
        words[numbers] = X
        by_word = encoder(words, lengths, notes, numbers)
        monkeypatch.setattr(encoders, "recurrence_for", lambda n: None)
        expected = encoder(X, lengths, notes)
        by_word_of_pytorch = encoder(words, lengths, notes, numbers)
    for each in (found, by_word, by_word_of_pytorch):
        torch.testing.assert_close(each, expected, rtol=0.0, atol=2e-6)


def test_many_windows_are_left_to_pytorch_where_it_has_threads(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    encoder = SequenceEncoder(
        input_width=5, width=6, depth=1, n_heads=0, window=13, margin=3
    ).eval()
    notes = {}
    encoder(torch.randn(34, 5), [2] * 17, notes)
    assert not notes
