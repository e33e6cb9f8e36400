import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_attnner.layers.windows import cut_windows


@st.composite
def cuts(draw):
    lengths = draw(st.lists(st.integers(0, 61), max_size=7))
    margin = draw(st.integers(0, 5))
    window = 2 * margin + draw(st.integers(1, 7))
    return lengths, window, margin


def cut(lengths, window, margin):
    return cut_windows(torch.tensor(lengths, dtype=torch.int64), window, margin)


def test_windows_by_hand():
    """Seven tokens, windows of five with a margin of one: a stride of three."""
    windows = cut([7, 2], window=5, margin=1)
    assert windows.lengths.tolist() == [5, 4, 2]
    assert windows.tokens.tolist() == [0, 1, 2, 3, 4, 3, 4, 5, 6, 7, 8]
    # tokens 0-3 belong to the first window, 4-6 to the second
    assert windows.owner.tolist() == [0, 1, 2, 3, 6, 7, 8, 9, 10]


@given(cuts())
def test_every_token_is_owned_once(case):
    lengths, window, margin = case
    windows = cut(lengths, window, margin)
    assert windows.tokens[windows.owner].tolist() == list(range(sum(lengths)))


@given(cuts())
def test_an_owner_sees_the_margin_on_both_sides(case):
    lengths, window, margin = case
    windows = cut(lengths, window, margin)
    sequence = [i for i, n in enumerate(lengths) for _ in range(n)]
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    window_of = [
        number for number, n in enumerate(windows.lengths.tolist()) for _ in range(n)
    ]
    rows = [rows.tolist() for rows in windows.tokens.split(windows.lengths.tolist())]
    for token, row in enumerate(windows.owner.tolist()):
        first = starts[sequence[token]]
        last = first + lengths[sequence[token]] - 1
        seen = rows[window_of[row]]
        assert seen == list(range(seen[0], seen[-1] + 1))
        assert first <= seen[0] <= max(first, token - margin)
        assert min(last, token + margin) <= seen[-1] <= last


@given(cuts())
def test_cost_is_linear(case):
    lengths, window, margin = case
    windows = cut(lengths, window, margin)
    stride = window - 2 * margin
    assert (windows.lengths <= window).all()
    bound = sum(n if n <= window else window * (1 + n / stride) for n in lengths)
    assert len(windows.tokens) <= bound


@given(cuts())
def test_a_sequence_is_cut_the_same_in_any_batch(case):
    lengths, window, margin = case
    together = cut(lengths, window, margin)
    counts = [len(cut([n], window, margin).lengths) for n in lengths]
    for i, (n, own) in enumerate(
        zip(lengths, together.lengths.split(counts), strict=True)
    ):
        alone = cut([n], window, margin)
        assert own.tolist() == alone.lengths.tolist()
        at = slice(sum(lengths[:i]), sum(lengths[: i + 1]))
        first_row = int(together.lengths[: sum(counts[:i])].sum())
        assert (together.owner[at] - first_row).tolist() == alone.owner.tolist()


@pytest.mark.parametrize(("window", "margin"), [(4, 2), (3, 5), (5, -1), (0, 0)])
def test_margins_that_leave_no_core(window, margin):
    with pytest.raises(ValueError, match=f"window {window} leaves no core .* {margin}"):
        cut([7], window, margin)
