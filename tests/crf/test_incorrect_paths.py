"""-log(1 - p) of paths known to be wrong, against brute force and numeric gradients."""

import math
from dataclasses import replace

import pytest
import torch

from spacy_attnner.crf.chain import LARGEST_GAP
from spacy_attnner.crf.loss import path_loss

from .test_crf import agrees, make_problem


def span_mask(problem, tags, first):
    """Paths that have these tags from a flat token on."""
    mask = torch.ones_like(problem.emissions, dtype=torch.bool)
    for i, tag in enumerate(tags, first):
        mask[i] = False
        mask[i, tag] = True
    return mask


def run(problem, incorrect, allowed=None):
    if allowed is None:
        allowed = torch.ones_like(problem.emissions, dtype=torch.bool)
    args = problem.emissions, problem.chain, problem.lengths
    return path_loss(*args, allowed, incorrect)


@pytest.mark.parametrize(("tags", "first"), [([4], 1), ([5, 7], 0), ([1, 2, 3], 0)])
def test_the_cost_is_that_of_the_span(tags, first):
    problem = make_problem([3], n_labels=2)
    mask = span_mask(problem, tags, first)
    paths, probabilities = problem.paths(problem.emissions)
    p = sum(
        q for path, q in zip(paths, probabilities, strict=True) if agrees(path, mask)
    )
    assert 0.0 < p < 1.0
    assert run(problem, [mask]).loss.item() == pytest.approx(-math.log(1 - p))
    twice = run(problem, [mask, mask]).loss.item()
    assert twice == pytest.approx(-2 * math.log(1 - p))


def test_an_open_mask_says_nothing():
    problem = make_problem([3, 0, 2], n_labels=2)
    result = run(problem, [torch.ones_like(problem.emissions, dtype=torch.bool)])
    for value in vars(result).values():
        torch.testing.assert_close(value, torch.zeros_like(value), atol=1e-9, rtol=0)
    mask = span_mask(problem, [4], 3)
    loss = run(problem, [mask]).loss
    assert loss[0] == loss[1] == 0.0
    assert loss[2] > 0.01


@pytest.mark.parametrize("name", ["emissions", "transitions", "start", "end"])
def test_gradients_are_the_numeric_ones(name):
    problem = make_problem([3, 0, 1, 2], n_labels=2)
    allowed = torch.ones_like(problem.emissions, dtype=torch.bool)
    allowed[0] = False
    allowed[0, [0, 1]] = True
    first = span_mask(problem, [1, 3], 0) & span_mask(problem, [8], 3)
    incorrect = [first, span_mask(problem, [1, 2, 3], 0), span_mask(problem, [5, 7], 4)]
    weights = getattr(problem, name)

    def loss(values):
        return run(replace(problem, **{name: values}), incorrect, allowed).loss.sum()

    numeric = torch.zeros_like(weights)
    for i in range(weights.numel()):
        step = torch.zeros_like(weights)
        step.view(-1)[i] = 1e-5
        numeric.view(-1)[i] = (loss(weights + step) - loss(weights - step)) / 2e-5
    result = run(problem, incorrect, allowed)
    found = getattr(result, f"d_{name}")
    torch.testing.assert_close(found, numeric, atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("score", [5.0, 15.0, 25.0, 60.0, 140.0, 1e4])
def test_a_certain_span_teaches_the_more_the_surer_it_is(score):
    """A lone U of one label: p = sigmoid(score), and its gradient is p."""
    problem = make_problem([1], n_labels=1)
    for scores in (problem.emissions, problem.transitions, problem.start, problem.end):
        scores.zero_()
    problem.emissions[0, 4] = score
    result = run(problem, [span_mask(problem, [4], 0)])
    cost = min(score, LARGEST_GAP)
    assert result.loss.item() == pytest.approx(math.log1p(math.exp(cost)), rel=1e-12)
    expected = 1 / (1 + math.exp(-cost))
    gradient = [-result.d_emissions[0, 0].item(), result.d_emissions[0, 4].item()]
    assert gradient == pytest.approx([expected] * 2, rel=1e-12)


@pytest.mark.parametrize("sure", [0.0, 25.0, 120.0])
@pytest.mark.parametrize("n_tokens", [5, 600, 2000])
def test_the_cost_of_a_span_does_not_depend_on_what_is_around_it(sure, n_tokens):
    """Transitions bind no tokens: those outside of the span are independent."""
    problem = make_problem([n_tokens], n_labels=1)
    for scores in (problem.transitions, problem.start, problem.end):
        scores.zero_()
    problem.emissions[:, [1, 2, 3]] = -1000.0  # the bound leaves e^-100 of them
    problem.emissions[:, 0] += 50
    problem.emissions[:, 4] += 50
    problem.emissions[3, 4] += sure
    result = run(problem, [span_mask(problem, [4], 3)])
    odds = float(problem.emissions[3, 4] - problem.emissions[3, 0])
    expected = math.log1p(math.exp(odds))
    assert result.loss.item() == pytest.approx(expected, abs=1e-8)
    p = 1 / (1 + math.exp(-odds))
    assert result.d_emissions[3, 4].item() == pytest.approx(p, rel=1e-9)
    assert result.d_emissions[3].sum().item() == pytest.approx(0.0, abs=1e-9)
    others = torch.arange(n_tokens) != 3
    assert result.d_emissions[others].abs().max() < 1e-9


def test_a_long_span_against_large_scores():
    """Every token of it 140 nats above any other tag: still finite, still a slope."""
    problem = make_problem([30], n_labels=1)
    tags = [1, *[2] * 18, 3]
    problem.emissions[torch.arange(20) + 5, torch.tensor(tags)] += 140.0
    result = run(problem, [span_mask(problem, tags, 5)])
    assert 100.0 < result.loss.item() < 20 * LARGEST_GAP
    for value in vars(result).values():
        assert value.isfinite().all()
    own = result.d_emissions[torch.arange(20) + 5, torch.tensor(tags)]
    assert (own > -1e-9).all()
    assert own.sum().item() == pytest.approx(1.0)  # one token of it gives way


def test_only_incorrect_paths():
    problem = make_problem([2, 1], n_labels=1)
    mask = torch.ones_like(problem.emissions, dtype=torch.bool)
    mask[2, 1:4] = False  # a lone token is O or U
    with pytest.raises(ValueError, match="all tag paths of sequence 1 are incorrect"):
        run(problem, [mask])
