"""The CRF against brute force: every sum over paths is also done path by path."""

import itertools
import math
import re
from dataclasses import dataclass, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from spacy_attnner.crf.chain import biluo_chain
from spacy_attnner.crf.loss import path_loss
from spacy_attnner.crf.marginals import span_marginals, token_marginals
from spacy_attnner.crf.recursions import viterbi

VALID = re.compile(r"(O |U(\d+) |B(\d+) (I\3 )*L\3 )*")


def tag_names(n_labels):
    return ["O", *(f"{kind}{i}" for i in range(n_labels) for kind in "BILU")]


def is_valid(path, names):
    return VALID.fullmatch("".join(names[tag] + " " for tag in path)) is not None


@dataclass
class Problem:
    """Unconstrained scores of a batch, all float64."""

    emissions: torch.Tensor
    transitions: torch.Tensor
    start: torch.Tensor
    end: torch.Tensor
    lengths: torch.Tensor

    @property
    def chain(self):
        return biluo_chain(self.transitions, self.start, self.end)

    @property
    def names(self):
        return tag_names((len(self.start) - 1) // 4)

    def sequences(self):
        return self.emissions.split(self.lengths.tolist())

    def score(self, emissions, path):
        total = self.start[path[0]] + self.end[path[-1]]
        total += sum(emissions[t, tag] for t, tag in enumerate(path))
        return total + sum(self.transitions[a, b] for a, b in itertools.pairwise(path))

    def paths(self, emissions, allowed=None):
        """Every valid path of one sequence, and their probabilities."""
        tags = range(len(self.names))
        valid = [
            path
            for path in itertools.product(tags, repeat=len(emissions))
            if is_valid(path, self.names)
        ]
        scores = torch.stack([self.score(emissions, path) for path in valid])
        return valid, scores.softmax(0)


def make_problem(lengths, n_labels, seed=0):
    rng = torch.Generator().manual_seed(seed)
    n_tags = 4 * n_labels + 1

    def draw(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=rng)

    return Problem(
        2 * draw(sum(lengths), n_tags),
        draw(n_tags, n_tags),
        draw(n_tags),
        draw(n_tags),
        torch.tensor(lengths, dtype=torch.int64),
    )


def one_hot(path, n_tags):
    return torch.nn.functional.one_hot(torch.tensor(path), n_tags).bool()


def agrees(path, allowed):
    return all(bool(allowed[t, tag]) for t, tag in enumerate(path))


@pytest.fixture(scope="module")
def problem():
    return make_problem([3], n_labels=2)


@pytest.fixture(scope="module")
def paths(problem):
    return problem.paths(problem.emissions)


def test_a_token_alone_is_a_softmax_over_o_and_u():
    zeros = torch.zeros(9, 9)
    chain = biluo_chain(zeros, torch.zeros(9), torch.zeros(9))
    emissions = torch.zeros(1, 9)
    emissions[0, 0], emissions[0, 4], emissions[0, 8] = math.log(2), math.log(3), 0.0
    emissions[0, 1] = 50.0  # a B that nothing could close
    lengths = torch.tensor([1])
    expected = torch.tensor([[2, 0, 0, 0, 3, 0, 0, 0, 1]], dtype=torch.float64) / 6
    torch.testing.assert_close(token_marginals(emissions, chain, lengths), expected)
    loss = path_loss(emissions, chain, lengths, one_hot([4], 9)).loss
    torch.testing.assert_close(loss, torch.tensor([math.log(2)], dtype=torch.float64))
    assert viterbi(emissions, chain, lengths).tolist() == [4]


def test_two_tokens_by_hand():
    """One label and zero scores: OO, OU, UO, UU and BL are alike."""
    chain = biluo_chain(torch.zeros(5, 5), torch.zeros(5), torch.zeros(5))
    emissions, lengths = torch.zeros(2, 5), torch.tensor([2])
    expected = torch.tensor([[2, 1, 0, 0, 2], [2, 0, 0, 1, 2]], dtype=torch.float64)
    found = token_marginals(emissions, chain, lengths)
    torch.testing.assert_close(found, expected / 5)
    loss = path_loss(emissions, chain, lengths, one_hot([1, 3], 5)).loss
    assert loss.item() == pytest.approx(math.log(5))


def test_full_annotation_costs_the_negative_log_likelihood(problem, paths):
    for path, probability in list(zip(*paths, strict=True))[::7]:
        result = path_loss(
            problem.emissions, problem.chain, problem.lengths, one_hot(path, 9)
        )
        assert result.loss.item() == pytest.approx(-math.log(probability))


@pytest.mark.parametrize("seed", range(5))
def test_partial_annotation_sums_out_what_is_open(problem, paths, seed):
    rng = torch.Generator().manual_seed(seed)
    allowed = torch.rand(3, 9, generator=rng) < 0.4
    allowed |= one_hot(paths[0][seed * 7], 9)
    expected = sum(p for path, p in zip(*paths, strict=True) if agrees(path, allowed))
    result = path_loss(problem.emissions, problem.chain, problem.lengths, allowed)
    assert result.loss.item() == pytest.approx(-math.log(expected))


def test_no_annotation_costs_nothing_and_teaches_nothing():
    problem = make_problem([5, 0, 3], n_labels=3)
    result = path_loss(
        problem.emissions,
        problem.chain,
        problem.lengths,
        torch.ones_like(problem.emissions, dtype=torch.bool),
    )
    for value in vars(result).values():
        torch.testing.assert_close(value, torch.zeros_like(value), atol=1e-9, rtol=0)


def test_token_marginals(problem, paths):
    expected = sum(p * one_hot(path, 9) for path, p in zip(*paths, strict=True))
    found = token_marginals(problem.emissions, problem.chain, problem.lengths)
    torch.testing.assert_close(found, expected)


def test_span_marginals(problem, paths):
    """Every segment of every tenth path, entity or not."""
    for tags in paths[0][::10]:
        spans = [(i, j) for i in range(3) for j in range(i, 3)]
        expected = [
            sum(
                p
                for path, p in zip(*paths, strict=True)
                if path[i : j + 1] == tags[i : j + 1]
            )
            for i, j in spans
        ]
        found = span_marginals(
            problem.emissions,
            problem.chain,
            problem.lengths,
            torch.tensor(tags),
            torch.tensor(spans),
        )
        torch.testing.assert_close(found, torch.stack(expected))


@pytest.mark.parametrize("seed", range(8))
def test_viterbi_finds_the_best_path(seed):
    problem = make_problem([4], n_labels=1, seed=seed)
    paths, probabilities = problem.paths(problem.emissions)
    best = paths[int(probabilities.argmax())]
    found = viterbi(problem.emissions, problem.chain, problem.lengths)
    assert tuple(found.tolist()) == best


@pytest.mark.parametrize("name", ["emissions", "transitions", "start", "end"])
def test_gradients_are_the_numeric_ones(name):
    problem = make_problem([3, 0, 1, 2], n_labels=2)
    rng = torch.Generator().manual_seed(1)
    allowed = torch.rand(6, 9, generator=rng) < 0.3
    allowed |= one_hot([1, 2, 3, 8, 0, 0], 9)
    weights = getattr(problem, name)

    def loss(values):
        changed = replace(problem, **{name: values})
        args = changed.emissions, changed.chain, changed.lengths, allowed
        return path_loss(*args).loss.sum()

    numeric = torch.zeros_like(weights)
    for i in range(weights.numel()):
        step = torch.zeros_like(weights)
        step.view(-1)[i] = 1e-5
        numeric.view(-1)[i] = (loss(weights + step) - loss(weights - step)) / 2e-5
    result = path_loss(problem.emissions, problem.chain, problem.lengths, allowed)
    found = getattr(result, f"d_{name}")
    torch.testing.assert_close(found, numeric, atol=1e-8, rtol=1e-6)


def test_forbidden_tags_have_probability_zero():
    problem = make_problem([6, 1, 4], n_labels=3)
    inside = [i for i, name in enumerate(problem.names) if name[0] in "IL"]
    opens = [i for i, name in enumerate(problem.names) if name[0] in "BI"]
    marginals = token_marginals(problem.emissions, problem.chain, problem.lengths)
    assert (marginals[[0, 6, 7]][:, inside] == 0).all()
    assert (marginals[[5, 6, 10]][:, opens] == 0).all()
    gold = one_hot([0] * 11, 13)
    result = path_loss(problem.emissions, problem.chain, problem.lengths, gold)
    closed = [i for i, name in enumerate(problem.names) if name[0] in "LUO"]
    assert (result.d_transitions[closed][:, inside] == 0).all()


def test_every_step_is_allowed_or_not_as_biluo_says():
    """A step is allowed if some valid path takes it."""
    names = tag_names(2)
    chain = biluo_chain(torch.zeros(9, 9), torch.zeros(9), torch.zeros(9))
    steps, firsts, lasts = set(), set(), set()
    for path in itertools.product(range(9), repeat=4):
        if is_valid(path, names):
            steps |= set(itertools.pairwise(path))
            firsts.add(path[0])
            lasts.add(path[-1])
    assert {
        tuple(step) for step in (chain.transitions == 0).nonzero().tolist()
    } == steps
    assert set((chain.start == 0).nonzero().flatten().tolist()) == firsts
    assert set((chain.end == 0).nonzero().flatten().tolist()) == lasts


def test_batch_equals_single():
    problem = make_problem([7, 0, 1, 13, 1, 3, 0], n_labels=3)
    chain, lengths = problem.chain, problem.lengths
    gold = one_hot(viterbi(-problem.emissions, chain, lengths).tolist(), 13)
    tags = viterbi(problem.emissions, chain, lengths)
    marginals = token_marginals(problem.emissions, chain, lengths)
    result = path_loss(problem.emissions, chain, lengths, gold)
    transitions = torch.zeros(13, 13, dtype=torch.float64)
    for i, (scores, own_gold, own_tags, own_marginals, d_scores) in enumerate(
        zip(
            *(
                flat.split(lengths.tolist())
                for flat in (
                    problem.emissions, gold, tags, marginals, result.d_emissions
                )
            ),
            strict=True,
        )
    ):  # fmt: skip
        alone = lengths[i : i + 1]
        assert viterbi(scores, chain, alone).tolist() == own_tags.tolist()
        torch.testing.assert_close(token_marginals(scores, chain, alone), own_marginals)
        single = path_loss(scores, chain, alone, own_gold)
        torch.testing.assert_close(single.loss, result.loss[i : i + 1])
        torch.testing.assert_close(single.d_emissions, d_scores)
        transitions += single.d_transitions
    torch.testing.assert_close(transitions, result.d_transitions)


@pytest.mark.parametrize("lengths", [[], [0], [0, 0, 0]])
def test_nothing_to_tag(lengths):
    problem = make_problem(lengths, n_labels=2)
    chain = problem.chain
    assert viterbi(problem.emissions, chain, problem.lengths).shape == (0,)
    assert token_marginals(problem.emissions, chain, problem.lengths).shape == (0, 9)
    allowed = torch.zeros(0, 9, dtype=torch.bool)
    result = path_loss(problem.emissions, chain, problem.lengths, allowed)
    assert result.loss.tolist() == [0.0] * len(lengths)
    assert not result.d_transitions.any()
    no_spans = torch.zeros(0, 2, dtype=torch.int64)
    tags = torch.zeros(0, dtype=torch.int64)
    found = span_marginals(problem.emissions, chain, problem.lengths, tags, no_spans)
    assert found.shape == (0,)


def test_many_labels():
    """405 tags, against a forward recursion that autograd differentiates."""
    problem = make_problem([5], n_labels=101)
    gold = viterbi(-problem.emissions, problem.chain, problem.lengths)
    assert is_valid(gold.tolist(), problem.names)
    emissions = problem.emissions.clone().requires_grad_()
    chain = problem.chain
    state = emissions[0] + chain.start
    for row in emissions[1:]:
        state = (state[:, None] + chain.transitions).logsumexp(0) + row
    log_z = (state + chain.end).logsumexp(0)
    expected = log_z - problem.score(emissions, gold.tolist())
    expected.backward()
    result = path_loss(
        problem.emissions, chain, problem.lengths, one_hot(gold.tolist(), 405)
    )
    torch.testing.assert_close(result.loss[0], expected.detach())
    torch.testing.assert_close(result.d_emissions, emissions.grad)


@given(
    emissions=st_numpy.arrays(
        "float32",
        st.tuples(st.integers(1, 12), st.just(9)),
        # few values, so that ties are common, and some that only constraints forbid
        elements=st.sampled_from([0.0, 1.0, -1.0, 0.25, 100.0, -100.0, 1e4]),
    ),
    cuts=st.sets(st.integers(1, 11)),
)
def test_viterbi_gives_valid_paths_and_marginals_are_probabilities(emissions, cuts):
    n_tokens = len(emissions)
    ends = [*sorted(cut for cut in cuts if cut < n_tokens), n_tokens]
    lengths = torch.tensor([b - a for a, b in zip([0, *ends], ends, strict=False)])
    scores = torch.from_numpy(emissions)
    chain = biluo_chain(torch.zeros(9, 9), torch.zeros(9), torch.zeros(9))
    tags = viterbi(scores, chain, lengths)
    for path in tags.split(lengths.tolist()):
        assert is_valid(path.tolist(), tag_names(2))
    marginals = token_marginals(scores, chain, lengths)
    torch.testing.assert_close(marginals.sum(1), torch.ones(n_tokens).double())
    spans = torch.arange(n_tokens)[:, None].expand(-1, 2)
    own = span_marginals(scores, chain, lengths, tags, spans)
    torch.testing.assert_close(own, marginals.gather(1, tags[:, None]).squeeze(1))


def test_float32_scores_of_a_long_sequence_stay_exact():
    problem = make_problem([5003], n_labels=1)
    scores = problem.emissions.float()
    marginals = token_marginals(scores, problem.chain, problem.lengths)
    torch.testing.assert_close(marginals.sum(1), torch.ones(5003).double())


def test_tags_that_are_no_biluo_tags():
    with pytest.raises(ValueError, match=r"7 tags are not 4 \* n_labels \+ 1"):
        biluo_chain(torch.zeros(7, 7), torch.zeros(7), torch.zeros(7))


def test_an_annotation_that_no_path_agrees_with():
    problem = make_problem([1, 2], n_labels=2)
    gold = one_hot([4, 1, 7], 9)  # U0 | B0 L1
    with pytest.raises(ValueError, match="sequence 1 admits no valid BILUO tag path"):
        path_loss(problem.emissions, problem.chain, problem.lengths, gold)
