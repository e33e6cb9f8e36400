import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_attnner.layers.inner_product import candidate_logits


def test_softmax_over_the_candidates_of_a_tail_by_hand():
    """p = exp(a) / (1 + sum of exp(a) in the group)."""
    scores = torch.tensor([[1.0], [2.0], [0.5]])
    found = candidate_logits(scores, torch.tensor([0, 0, 1])).sigmoid()
    e = scores.exp().flatten()
    both = 1 + e[0] + e[1]
    expected = torch.stack([e[0] / both, e[1] / both, e[2] / (1 + e[2])])
    torch.testing.assert_close(found.flatten(), expected)


def test_labels_are_apart():
    scores = torch.randn(5, 3)
    groups = torch.tensor([0, 1, 0, 1, 1])
    together = candidate_logits(scores, groups)
    for i in range(3):
        alone = candidate_logits(scores[:, i : i + 1], groups)
        torch.testing.assert_close(together[:, i : i + 1], alone)


@given(st.lists(st.floats(-60, 60, width=32), min_size=1, max_size=7))
def test_probabilities_of_a_group_add_up_to_less_than_one(values):
    scores = torch.tensor(values)[:, None]
    found = candidate_logits(scores, torch.zeros(len(values), dtype=torch.int64))
    assert bool(found.isfinite().all())
    assert float(found.double().sigmoid().sum()) <= 1 + 1e-6


def test_no_pair():
    nothing = candidate_logits(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64))
    assert nothing.shape == (0, 2)
