import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence

from spacy_attnner.layers.packing import pack, token_positions
from spacy_attnner.layers.padding import pad, padding_mask, unpad

LENGTHS = st.lists(st.integers(0, 7), max_size=11)


def test_packing_by_hand():
    """Two, none, three and one token: the third sequence leads."""
    packing = pack(torch.tensor([2, 0, 3, 1]))
    assert packing.sizes == [3, 2, 1]
    assert packing.forward.tolist() == [1, 4, 0, 3, 5, 2]
    assert packing.reverse.tolist() == [4, 1, 5, 3, 0, 2]


@given(LENGTHS.filter(any))
def test_packing_is_that_of_torch(lengths):
    sizes = torch.tensor(lengths)
    X = torch.arange(float(sum(lengths)))[:, None]
    packing = pack(sizes)
    alive = sizes > 0
    theirs = pack_padded_sequence(
        pad(X, sizes)[alive], sizes[alive], batch_first=True, enforce_sorted=False
    )
    assert packing.sizes == theirs.batch_sizes.tolist()
    # torch may order sequences of one length otherwise: compare step by step
    rows = torch.empty_like(X)
    rows[packing.forward] = X
    for ours, expected in zip(
        rows.split(packing.sizes), theirs.data.split(packing.sizes), strict=True
    ):
        assert sorted(ours.flatten().tolist()) == sorted(expected.flatten().tolist())


@given(LENGTHS)
def test_a_packed_row_is_taken_once_and_reversed_rows_are_mirrored(lengths):
    packing = pack(torch.tensor(lengths, dtype=torch.int64))
    everything = list(range(sum(lengths)))
    assert sorted(packing.forward.tolist()) == everything
    for forward, reverse in zip(
        packing.forward.split(lengths), packing.reverse.split(lengths), strict=True
    ):
        assert forward.flip(0).tolist() == reverse.tolist()


@given(LENGTHS)
def test_positions_count_every_sequence_from_zero(lengths):
    found = token_positions(torch.tensor(lengths, dtype=torch.int64)).tolist()
    assert found == [position for n in lengths for position in range(n)]


def test_padding_by_hand():
    X = torch.tensor([[1.0], [2.0], [3.0]])
    lengths = torch.tensor([1, 0, 2])
    assert pad(X, lengths)[..., 0].tolist() == [[1, 0], [0, 0], [2, 3]]
    assert padding_mask(lengths).tolist() == [[True, False], [False] * 2, [True] * 2]


@given(LENGTHS)
def test_unpad_inverts_pad(lengths):
    sizes = torch.tensor(lengths, dtype=torch.int64)
    X = torch.randn(sum(lengths), 5)
    padded = pad(X, sizes)
    assert padded.shape == (len(lengths), max(lengths, default=0), 5)
    assert torch.equal(unpad(padded, sizes), X)
    assert not padded[~padding_mask(sizes)].any()
