"""Long sequences in blocks against the plain recursion."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_attnner.layers import blocks
from spacy_attnner.layers.crf import (
    crf_loss,
    log_partition,
    span_marginals,
    token_marginals,
)
from spacy_attnner.layers.viterbi import viterbi

from .test_crf import make_problem, one_hot

NEVER = 10**9
FUNCTIONS = [log_partition, token_marginals, viterbi]


@pytest.fixture
def plain(monkeypatch):
    """`plain(function, *args)`: what it gives where nothing is cut."""

    def run(function, *args):
        with monkeypatch.context() as patch:
            patch.setattr(blocks, "LONGEST", NEVER)
            patch.setattr(blocks, "LONGEST_BEST", NEVER)
            patch.setattr(blocks, "AT_ONCE", NEVER)
            return function(*args)

    return run


def make_small(patch):
    """Blocks so small that few tokens are many of them, a few at once."""
    sizes = {"LONGEST": 5, "LONGEST_BEST": 5, "BLOCK": 3, "WARM_UP": 2, "AT_ONCE": 99}
    for name, value in sizes.items():
        patch.setattr(blocks, name, value)


def path_score(problem, tags):
    """Score of one path of one sequence, constraints included."""
    chain = problem.chain
    steps = chain.transitions[tags[:-1], tags[1:]].sum()
    own = problem.emissions.gather(1, tags[:, None]).sum()
    return float(chain.start[tags[0]] + own + steps + chain.end[tags[-1]])


@pytest.mark.parametrize("lengths", [[513], [2003, 0, 7, 640, 1, 512, 1500]])
@pytest.mark.parametrize("scale", [0.0, 0.03, 1.0, 3.0])
def test_the_plain_recursion(plain, lengths, scale):
    problem = make_problem(lengths, n_labels=3)
    problem.emissions *= scale
    args = problem.emissions, problem.chain, problem.lengths
    for function in (log_partition, token_marginals):
        found, expected = function(*args), plain(function, *args)
        torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-13)
    tags, expected = viterbi(*args), plain(viterbi, *args)
    own = tags.split(lengths), expected.split(lengths), problem.sequences()
    for found, best, emissions in zip(*own, strict=True):
        if len(emissions):
            problem.emissions = emissions
            scores = path_score(problem, found), path_score(problem, best)
            assert scores[0] == pytest.approx(scores[1], abs=1e-9)
    assert torch.equal(tags, expected)


def test_loss_and_gradients(plain):
    problem = make_problem([1200, 3, 700], n_labels=2)
    tags = viterbi(-problem.emissions, problem.chain, problem.lengths)
    allowed = one_hot(tags.tolist(), 9)
    allowed[::7] = True
    args = problem.emissions, problem.chain, problem.lengths, allowed
    found, expected = vars(crf_loss(*args)), vars(plain(crf_loss, *args))
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-9, rtol=1e-9)


def test_spans_that_cross_blocks(plain):
    problem = make_problem([1300], n_labels=1)
    problem.emissions[200:1100, 2] += 9.0  # one long entity
    args = problem.emissions, problem.chain, problem.lengths
    tags = viterbi(*args)
    spans = torch.tensor([[0, 1299], [250, 270], [254, 900], [1290, 1299]])
    found = span_marginals(*args, tags, spans)
    assert found[2] > 0.5
    expected = plain(span_marginals, *args, tags, spans)
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=5),
    scale=st.sampled_from([0.1, 1.0, 30.0]),
    seed=st.integers(0, 999),
)
@settings(deadline=None)
def test_wrong_guesses(lengths, scale, seed):
    """Blocks so short that what came before them is not forgotten."""
    problem = make_problem(lengths, n_labels=2, seed=seed)
    problem.emissions *= scale
    args = problem.emissions, problem.chain, problem.lengths
    expected = [function(*args) for function in FUNCTIONS]
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch)
        found = [function(*args) for function in FUNCTIONS]
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-12)


@given(
    labels=st.lists(st.integers(0, 2), min_size=6, max_size=60),
    seed=st.integers(0, 999),
)
@settings(deadline=None)
def test_an_annotation_in_blocks(labels, seed):
    """Where most tokens admit one tag, guesses are often impossible states."""
    problem = make_problem([len(labels)], n_labels=2, seed=seed)
    args = problem.emissions, problem.chain, problem.lengths
    allowed = one_hot(viterbi(-problem.emissions, *args[1:]).tolist(), 9)
    allowed[torch.tensor(labels) == 0] = True
    expected = crf_loss(*args, allowed)
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch)
        found = crf_loss(*args, allowed)
    torch.testing.assert_close(vars(found), vars(expected), atol=1e-9, rtol=1e-12)


def test_an_annotation_that_no_path_agrees_with(monkeypatch):
    make_small(monkeypatch)
    problem = make_problem([4, 31], n_labels=2)
    gold = one_hot([0] * 35, 9)
    gold[13] = one_hot([2], 9)  # an I alone
    with pytest.raises(ValueError, match="sequence 1 admits no valid BILUO tag path"):
        crf_loss(problem.emissions, problem.chain, problem.lengths, gold)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_is_never_forgotten_costs_no_more_than_a_few_runs(
    monkeypatch, plain, function
):
    """Inside one of two entities from the first token to the last: which is open?"""
    problem = make_problem([10_000], n_labels=2)
    problem.emissions[:, [2, 6]] += 140.0
    args = problem.emissions, problem.chain, problem.lengths
    runs = []
    run = blocks._run

    def counted(scores, these, chosen, *others):
        runs.append(len(chosen))
        run(scores, these, chosen, *others)

    monkeypatch.setattr(blocks, "_run", counted)
    found = function(*args)
    n_blocks = len(blocks.cut_blocks(problem.lengths, best=True).lengths)
    n_scans = 1 if function is viterbi else 2  # forward, and backward
    assert n_scans * 2 * n_blocks < sum(runs) < n_scans * 6 * n_blocks
    torch.testing.assert_close(found, plain(function, *args), atol=1e-6, rtol=1e-12)


def test_a_sequence_for_itself_is_the_same_in_a_batch():
    problem = make_problem([700, 90, 2000], n_labels=3)
    args = problem.emissions, problem.chain, problem.lengths
    for function in (token_marginals, viterbi):
        together = function(*args)
        alone = [
            function(emissions, problem.chain, problem.lengths[i : i + 1])
            for i, emissions in enumerate(problem.sequences())
        ]
        torch.testing.assert_close(torch.cat(alone), together, atol=1e-12, rtol=0)


@given(st.lists(st.integers(0, 2000), max_size=5), st.booleans())
def test_blocks_cover_every_token_once(lengths, reverse):
    cut = blocks.cut_blocks(torch.tensor(lengths, dtype=torch.int64), reverse=reverse)
    tokens = [
        first + cut.step * i
        for first, n in zip(cut.first.tolist(), cut.lengths.tolist(), strict=True)
        for i in range(n)
    ]
    assert tokens == list(range(sum(lengths)))[:: cut.step]
    assert (~cut.linked).sum() == sum(n > 0 for n in lengths)
    longest = int(cut.lengths.max()) if len(tokens) else 0
    assert longest <= blocks.LONGEST
    if max(lengths, default=0) > blocks.LONGEST:
        assert cut.lengths[cut.linked].max() <= blocks.BLOCK
