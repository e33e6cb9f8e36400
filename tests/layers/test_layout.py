from operator import itemgetter

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from spacy_attnner.layers.layout import (
    cut_windows,
    numbers,
    positions,
    runs,
    upload,
)

LENGTHS = st.lists(st.integers(0, 7), max_size=11)


@st.composite
def cuts(draw):
    lengths = draw(st.lists(st.integers(1, 61), max_size=7))
    margin = draw(st.integers(0, 5))
    window = 2 * margin + draw(st.integers(1, 7))
    return lengths, window, margin


def ints(values):
    return numpy.array(values, dtype="int64")


def cut(lengths, window, margin):
    return cut_windows(ints(lengths), window, margin)


def rows_of(windows):
    """The flat rows of each window, and those of them that it owns."""
    columns = windows.starts, windows.lengths, windows.first, windows.end
    for start, n, first, end in zip(*map(numpy.ndarray.tolist, columns), strict=True):
        rows = list(range(start, start + n))
        yield rows, rows[first:end]


# positions, numbers, upload, runs


@given(LENGTHS)
def test_positions_count_every_sequence_from_zero(lengths):
    found = positions(ints(lengths)).tolist()
    assert found == [position for n in lengths for position in range(n)]
    expected = [i for i, n in enumerate(lengths) for _ in range(n)]
    assert numbers(ints(lengths)).tolist() == expected


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_upload_keeps_shapes(device):
    arrays = ints([[1, 2], [3, 4], [5, 6]]), [7], ints([]).reshape(0, 3)
    found = upload(torch.device(device), *arrays)
    assert [tuple(x.shape) for x in found] == [(3, 2), (1,), (0, 3)]
    assert {x.dtype for x in found} == {torch.int64}
    assert {x.device.type for x in found} == {device}
    if device == "cpu":
        assert [x.tolist() for x in found] == [[[1, 2], [3, 4], [5, 6]], [7], []]


def test_runs_by_hand():
    found = list(runs([2, 0, 3, 9, 1, 1], 5))
    rows = [slice(0, 5), slice(5, 14), slice(14, 16)]
    assert found == list(
        zip(rows, [slice(0, 3), slice(3, 4), slice(4, 6)], strict=True)
    )
    assert not list(runs([], 5))


@given(LENGTHS, st.integers(1, 9))
def test_runs_take_every_sequence_once_and_few_rows(lengths, most):
    row = number = 0
    for rows, own in runs(lengths, most):
        assert (rows.start, own.start) == (row, number)
        assert rows.stop - row == sum(lengths[own])
        assert rows.stop - row <= most or own.stop - number == 1
        row, number = rows.stop, own.stop
    assert (row, number) == (sum(lengths), len(lengths))


# windows


def test_windows_by_hand():
    """Seven tokens, windows of five with a margin of one: a stride of three."""
    found = list(rows_of(cut([7, 2], window=5, margin=1)))
    # tokens 0-3 belong to the first window, 4-6 to the second
    assert found == [
        ([0, 1, 2, 3, 4], [0, 1, 2, 3]),
        ([3, 4, 5, 6], [4, 5, 6]),
        ([7, 8], [7, 8]),
    ]


@given(cuts())
def test_every_token_is_owned_once(case):
    owned = [row for _, own in rows_of(cut(*case)) for row in own]
    assert owned == list(range(sum(case[0])))


@given(cuts())
def test_an_owner_sees_the_margin_on_both_sides(case):
    lengths, _, margin = case
    sequence = [i for i, n in enumerate(lengths) for _ in range(n)]
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    for seen, own in rows_of(cut(*case)):
        for token in own:
            first = starts[sequence[token]]
            last = first + lengths[sequence[token]] - 1
            assert first <= seen[0] <= max(first, token - margin)
            assert min(last, token + margin) <= seen[-1] <= last


@given(cuts())
def test_cost_is_linear(case):
    lengths, window, margin = case
    found = cut(*case).lengths
    stride = window - 2 * margin
    assert (found <= window).all()
    bound = sum(n if n <= window else window * (1 + n / stride) for n in lengths)
    assert found.sum() <= bound


@given(cuts())
def test_a_sequence_is_cut_the_same_in_any_batch(case):
    lengths, *sizes = case
    together = list(rows_of(cut(*case)))
    alone, row = [], 0
    for n in lengths:
        for rows, own in rows_of(cut([n], *sizes)):
            alone.append(([row + i for i in rows], [row + i for i in own]))
        row += n
    assert together == alone


@pytest.mark.parametrize(("window", "margin"), [(4, 2), (3, 5), (5, -1), (0, 0)])
def test_margins_that_leave_no_core(window, margin):
    with pytest.raises(ValueError, match=f"window {window} leaves no core .* {margin}"):
        cut([7], window, margin)


# packed windows


def test_packing_by_hand():
    """Two, three and one token: the second sequence leads."""
    (packed,) = cut([2, 3, 1], window=5, margin=1).pieces(3)
    assert packed.sizes.tolist() == [3, 2, 1]
    assert packed.order.tolist() == [1, 0, 2]
    assert packed.rows.tolist() == [2, 0, 5, 3, 1, 4]
    assert packed.windows.tolist() == [1, 0, 2, 1, 0, 1]
    assert packed.padded.tolist() == [0, 3, 6, 1, 4, 2]
    assert packed.owned.tolist() == list(range(6))


@given(st.lists(st.integers(1, 7), min_size=1, max_size=11))
def test_packing_is_that_of_torch(lengths):
    (packed,) = cut(lengths, window=7, margin=0).pieces(len(lengths))
    X = torch.arange(sum(lengths)).split(lengths)
    theirs = pack_padded_sequence(
        pad_sequence([X[i] for i in packed.order], batch_first=True),
        torch.tensor(lengths)[packed.order],
        batch_first=True,
    )
    assert packed.sizes.tolist() == theirs.batch_sizes.tolist()
    assert packed.rows.tolist() == theirs.data.tolist()


@given(cuts(), st.integers(1, 5))
def test_pieces_own_every_token_once(case, size):
    windows = cut(*case)
    pieces = list(windows.pieces(size))
    expected = list(rows_of(windows))
    owned, longest = [], windows.lengths.max(initial=0)
    for piece in pieces:
        assert 0 < len(piece.order) <= size
        assert longest >= piece.lengths[0]
        longest = piece.lengths[-1]
        owned += piece.rows[piece.owned].tolist()
        of = zip(piece.windows.tolist(), piece.rows.tolist(), strict=True)
        for number, own in _grouped(of).items():
            assert own == expected[number][0]  # in order of time
        n_cells = len(piece.order) * len(piece.sizes)
        assert len(set(piece.padded.tolist())) == len(piece.rows) <= n_cells
        assert (piece.padded < n_cells).all()
    assert sorted(owned) == list(range(sum(case[0])))


def _grouped(pairs):
    found = {}
    for key, value in sorted(pairs, key=itemgetter(0)):  # stable
        found.setdefault(key, []).append(value)
    return found
