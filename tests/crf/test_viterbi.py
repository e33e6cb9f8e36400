"""Viterbi: ties, bounds, and what it costs."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_attnner import native
from spacy_attnner.crf.chain import biluo_chain
from spacy_attnner.crf.k_best import k_best
from spacy_attnner.crf.marginals import token_marginals
from spacy_attnner.crf.recursions import table_of, viterbi

from .test_crf import make_problem

# sums of these depend on the order in which they are added up
TENTHS = st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.7, -0.1])


def zero_chain(n_tags):
    return biluo_chain(*(torch.zeros(n_tags, n_tags), *torch.zeros(2, n_tags)))


@given(st.data(), st.integers(0, 2))
@settings(deadline=None, max_examples=60)
def test_ties_give_one_path_in_a_batch_alone_and_compiled_or_not(data, n_labels):
    lengths = data.draw(st.lists(st.integers(0, 30), min_size=1, max_size=4))
    n_tags = 4 * n_labels + 1
    n_scores = sum(lengths) * n_tags
    values = data.draw(st.lists(TENTHS, min_size=n_scores, max_size=n_scores))
    emissions = torch.tensor(values, dtype=torch.float64).view(-1, n_tags)
    steps = data.draw(st.lists(TENTHS, min_size=n_tags**2, max_size=n_tags**2))
    chain = biluo_chain(
        torch.tensor(steps).view(n_tags, n_tags), *torch.zeros(2, n_tags)
    )
    together = viterbi(emissions, chain, torch.tensor(lengths))
    for own, found in zip(
        emissions.split(lengths), together.split(lengths), strict=True
    ):
        n = torch.tensor([len(own)])
        assert torch.equal(viterbi(own, chain, n), found)
        shifted = viterbi(own + 1000.3, chain, n)  # rounded otherwise
        assert torch.equal(shifted, found)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "_find", lambda name: (None, "chosen"))
        assert torch.equal(viterbi(emissions, chain, torch.tensor(lengths)), together)


def test_where_nothing_is_known_nothing_is_found():
    for n_tokens in (1, 7, 1000):
        tags = viterbi(
            torch.zeros(n_tokens, 13), zero_chain(13), torch.tensor([n_tokens])
        )
        assert not tags.any()


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_a_tag_beyond_the_bound_counts_as_for_probabilities(scale):
    """O O is 200 below B L by the scores, and above it where each tag is bounded."""
    emissions = torch.zeros(2, 5, dtype=torch.float64)
    emissions[:, 4] = -1000.0  # U
    emissions[0, 0] = -200.0 * scale
    emissions[1, 3] = -150.0
    transitions = torch.zeros(5, 5)
    transitions[1, 3] = -10.0
    chain, lengths = biluo_chain(transitions, *torch.zeros(2, 5)), torch.tensor([2])
    best = token_marginals(emissions, chain, lengths).argmax(1).tolist()
    assert best == viterbi(emissions, chain, lengths).tolist()
    assert best == k_best(emissions, chain, lengths, 1)[0].flatten().tolist() == [0, 0]


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("n_labels", [0, 1, 3])
def test_steps_are_those_that_are_allowed(n_labels, backward):
    n_tags = 4 * n_labels + 1
    chain = make_problem([1], n_labels).chain
    table = table_of(chain, backward=backward)
    by_tag = torch.randn(5, n_tags, dtype=torch.float64)
    state = by_tag[:, table.order]
    steps = chain.transitions.T if backward else chain.transitions
    every = by_tag[:, :, None] + steps
    best, total = every.amax(1)[:, table.order], every.logsumexp(1)[:, table.order]
    torch.testing.assert_close(table.bests(state), best, atol=1e-12, rtol=0)
    found = table.sums(state, table.step.exp())
    torch.testing.assert_close(found, total, atol=1e-12, rtol=0)
    many = state.repeat(4000, 1)
    torch.testing.assert_close(table.bests(many)[-5:], best, atol=1e-12, rtol=0)


def test_cost_is_that_of_the_legal_steps():
    """Not a row for each of (tokens, tags, tags), which would be 560 MB here."""
    problem = make_problem([1000], n_labels=66)
    args = problem.emissions, problem.chain, problem.lengths
    with torch.profiler.profile(profile_memory=True) as profile:
        tags = viterbi(*args)
    largest = max(event.cpu_memory_usage for event in profile.events())
    assert largest < 4 * problem.emissions.nbytes
    steps = list(itertools.pairwise(tags.tolist()))
    assert all(problem.chain.transitions[a, b] > -1e6 for a, b in steps)


def test_the_last_token_decides():
    """An entity from the first token to the last, of which the last one says which."""
    emissions = torch.zeros(200, 9)
    emissions[:, [2, 6]] = 20.0  # I of two labels
    chain, lengths = zero_chain(9), torch.tensor([200])
    for label in (0, 1):
        emissions[-1] = 0.0
        emissions[-1, 3 + 4 * label] = 20.0
        tags = viterbi(emissions, chain, lengths)
        assert tags.tolist() == [4 * label + i for i in [1, *[2] * 198, 3]]
