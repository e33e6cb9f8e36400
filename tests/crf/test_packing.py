import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_attnner.crf.packing import pack, token_positions

LENGTHS = st.lists(st.integers(0, 7), max_size=11)


def test_packing_by_hand():
    """Two, none, three and one token: the third sequence leads."""
    packing = pack(torch.tensor([2, 0, 3, 1]))
    assert packing.sizes == [3, 2, 1]
    assert packing.forward.tolist() == [1, 4, 0, 3, 5, 2]
    assert packing.reverse.tolist() == [4, 1, 5, 3, 0, 2]


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
