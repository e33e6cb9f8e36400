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
    found = candidate_logits(scores, groups)
    torch.testing.assert_close(found.double(), expected_logits(scores, groups))


def test_gradients_of_sure_pairs_are_the_numeric_ones():
    scores = torch.tensor([[55.0, 1.0], [3.0, 1.0], [-2.0, 60.0], [60.0, 0.0]])
    scores = scores.double().requires_grad_()
    groups = torch.tensor([0, 0, 0, 1])
    weights = torch.randn(4, 2, dtype=torch.float64)
    (found,) = torch.autograd.grad(
        (candidate_logits(scores, groups) * weights).sum(), scores
    )
    (expected,) = torch.autograd.grad(
        (expected_logits(scores, groups) * weights).sum(), scores
    )
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)
