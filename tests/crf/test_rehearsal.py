"""The divergence of two CRFs against a sum over all paths, and its gradients."""

import itertools

import pytest
import torch

from spacy_attnner.crf.chain import biluo_chain
from spacy_attnner.crf.loss import path_divergence

N_TAGS = 5
LENGTHS = [3, 0, 1, 4]


def draw(seed):
    """Emissions, transitions, start and end."""
    rng = torch.Generator().manual_seed(seed)
    shapes = [(sum(LENGTHS), N_TAGS), (N_TAGS, N_TAGS), (N_TAGS,), (N_TAGS,)]
    return [torch.randn(s, generator=rng, dtype=torch.float64) for s in shapes]


def log_probabilities(scores, begin, length):
    emissions, *params = scores
    chain = biluo_chain(*params)
    totals = []
    for path in itertools.product(range(N_TAGS), repeat=length):
        total = chain.start[path[0]] + chain.end[path[-1]]
        total = total + sum(emissions[begin + t, tag] for t, tag in enumerate(path))
        steps = itertools.pairwise(path)
        totals.append(total + sum(chain.transitions[a, b] for a, b in steps))
    totals = torch.stack(totals)
    return totals[totals > -1e20].log_softmax(0)


def expected(p, q):
    total, begin = 0.0, 0
    for length in LENGTHS:
        if length:
            log_p = log_probabilities(p, begin, length)
            log_q = log_probabilities(q, begin, length)
            total = total + (log_q.exp() * (log_q - log_p)).sum()
        begin += length
    return total


def divergence(p, q):
    chains = [biluo_chain(*scores[1:]) for scores in (p, q)]
    return path_divergence(p[0], chains[0], q[0], chains[1], torch.tensor(LENGTHS))


def test_it_is_the_sum_over_all_paths():
    p, q = draw(1), draw(2)
    assert divergence(p, q).loss.item() == pytest.approx(expected(p, q).item())


def test_from_itself_there_is_none():
    found = divergence(draw(1), draw(1))
    assert found.loss.item() == pytest.approx(0.0, abs=1e-9)
    assert found.d_emissions.abs().max() < 1e-9


def test_gradients():
    p, q = [scores.requires_grad_() for scores in draw(3)], draw(4)
    gradients = torch.autograd.grad(expected(p, q), p)
    found = divergence([scores.detach() for scores in p], q)
    names = ("emissions", "transitions", "start", "end")
    for name, gradient in zip(names, gradients, strict=True):
        torch.testing.assert_close(getattr(found, f"d_{name}"), gradient, msg=name)
