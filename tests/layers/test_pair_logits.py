import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_attnner.layers.pair_logits import candidate_logits, exclusive_logits

# labels of a pair


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


def test_sure_labels_stay_finite():
    found = exclusive_logits(torch.tensor([[900.0, -900.0], [-900.0, -900.0]]))
    expected = torch.tensor([[900.0, -1800.0], [-900.0, -900.0]])
    torch.testing.assert_close(found, expected)


def test_gradients_of_exclusive_labels():
    scores = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(exclusive_logits, scores)
    scores = torch.randn(3, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(exclusive_logits, scores)


# candidates of an entity


def test_softmax_over_the_candidates_of_a_tail_by_hand():
    """p = exp(a) / (1 + sum of exp(a) in the group)."""
    scores = torch.tensor([[1.0], [2.0], [0.5]])
    found = candidate_logits(scores, torch.tensor([0, 0, 1]), 2).sigmoid()
    e = scores.exp().flatten()
    both = 1 + e[0] + e[1]
    expected = torch.stack([e[0] / both, e[1] / both, e[2] / (1 + e[2])])
    torch.testing.assert_close(found.flatten(), expected)


def test_labels_are_apart():
    scores = torch.randn(5, 3)
    groups = torch.tensor([0, 1, 0, 1, 1])
    together = candidate_logits(scores, groups, 2)
    for i in range(3):
        alone = candidate_logits(scores[:, i : i + 1], groups, 2)
        torch.testing.assert_close(together[:, i : i + 1], alone)


@given(st.lists(st.floats(-60, 60, width=32), min_size=1, max_size=7))
def test_probabilities_of_a_group_add_up_to_less_than_one(values):
    scores = torch.tensor(values)[:, None]
    found = candidate_logits(scores, torch.zeros(len(values), dtype=torch.int64), 1)
    assert bool(found.isfinite().all())
    assert float(found.double().sigmoid().sum()) <= 1 + 1e-6


def test_no_pair():
    nothing = torch.zeros(0, dtype=torch.int64)
    assert candidate_logits(torch.zeros(0, 2), nothing, 0).shape == (0, 2)


def expected_logits(scores, groups):
    """Term by term, in float64."""
    result = torch.empty_like(scores)
    for i, group in enumerate(groups.tolist()):
        others = (groups == group) & (torch.arange(len(groups)) != i)
        zero = scores.new_zeros((1, scores.shape[1]))  # no relation
        rest = torch.cat([zero, scores[others]]).logsumexp(0)
        result[i] = scores[i] - rest
    return result


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, -3.5, 2.25, 40.0, 80.0, -90.0]), st.integers(0, 2)
        ),
        min_size=1,
        max_size=9,
    )
)
def test_the_mass_of_a_pair_is_not_subtracted_from_itself(pairs):
    values, groups = zip(*pairs, strict=True)
    scores = torch.tensor(values, dtype=torch.float64)[:, None]
    scores = torch.cat([scores, scores.flip(0)], 1)
    groups = torch.tensor(groups)
    found = candidate_logits(scores, groups, 3)
    torch.testing.assert_close(found.double(), expected_logits(scores, groups))


def test_gradients_of_sure_pairs_are_the_numeric_ones():
    scores = torch.tensor([[55.0, 1.0], [3.0, 1.0], [-2.0, 60.0], [60.0, 0.0]])
    scores = scores.double().requires_grad_()
    groups = torch.tensor([0, 0, 0, 1])
    weights = torch.randn(4, 2, dtype=torch.float64)
    (found,) = torch.autograd.grad(
        (candidate_logits(scores, groups, 2) * weights).sum(), scores
    )
    (expected,) = torch.autograd.grad(
        (expected_logits(scores, groups) * weights).sum(), scores
    )
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)
