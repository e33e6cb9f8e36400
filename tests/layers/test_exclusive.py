import torch
from hypothesis import given
from hypothesis import strategies as st
from spacy_attnner.layers.exclusive import exclusive_logits


@given(st.integers(0, 5), st.integers(1, 7), st.integers(0, 10**6))
def test_log_odds_of_a_softmax_with_none(n, n_labels, seed):
    generator = torch.Generator().manual_seed(seed)
    scores = 3 * torch.randn(n, n_labels, dtype=torch.float64, generator=generator)
    none = torch.zeros(n, 1, dtype=torch.float64)
    p = torch.cat([scores, none], 1).softmax(1)[:, :-1]
    torch.testing.assert_close(exclusive_logits(scores), (p / (1 - p)).log())


def test_at_most_one_label_is_more_likely_than_not():
    found = exclusive_logits(2 + torch.randn(1000, 4)).sigmoid()
    assert ((found > 0.5).sum(1) <= 1).all()
    assert (found.sum(1) < 1).all()


def test_sure_scores_stay_finite():
    found = exclusive_logits(torch.tensor([[900.0, -900.0], [-900.0, -900.0]]))
    expected = torch.tensor([[900.0, -1800.0], [-900.0, -900.0]])
    torch.testing.assert_close(found, expected)


def test_gradient():
    scores = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(exclusive_logits, scores)
    scores = torch.randn(3, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(exclusive_logits, scores)
