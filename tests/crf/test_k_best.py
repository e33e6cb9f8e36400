"""k-best Viterbi against sorting all paths."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_attnner.crf.chain import FORBIDDEN
from spacy_attnner.crf.k_best import combine_k_best, k_best
from spacy_attnner.crf.marginals import log_partition
from spacy_attnner.crf.recursions import viterbi

from .test_crf import is_valid, make_problem, tag_names


def run(problem, k):
    return k_best(problem.emissions, problem.chain, problem.lengths, k)


@given(
    lengths=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    n_labels=st.integers(1, 2),
    k=st.integers(1, 7),
    seed=st.integers(0, 99),
)
def test_all_paths_sorted(lengths, n_labels, k, seed):
    lengths = [min(n, 3) if n_labels == 2 else n for n in lengths]
    problem = make_problem(lengths, n_labels, seed)
    tags, scores = run(problem, k)
    assert tags.shape == (sum(lengths), k)
    assert scores.shape == (len(lengths), k)
    log_z = log_partition(problem.emissions, problem.chain, problem.lengths)
    for emissions, own, own_scores, z in zip(
        problem.sequences(), tags.split(lengths), scores, log_z, strict=True
    ):
        if not len(emissions):
            assert own_scores.tolist() == [0.0] + [FORBIDDEN] * (k - 1)
            assert z == 0.0
            continue
        paths, probabilities = problem.paths(emissions)
        order = probabilities.argsort(descending=True)[:k]
        expected = [paths[i] for i in order.tolist()]
        assert [tuple(path) for path in own.T.tolist()][: len(expected)] == expected
        found = (own_scores - z).exp()
        torch.testing.assert_close(found[: len(expected)], probabilities[order])
        assert (own_scores[len(expected) :] < FORBIDDEN / 10).all()


def test_the_best_is_the_best():
    problem = make_problem([31, 0, 7, 1, 19], n_labels=3)
    tags, scores = run(problem, 5)
    best = viterbi(problem.emissions, problem.chain, problem.lengths)
    assert tags[:, 0].tolist() == best.tolist()
    assert (scores.diff(dim=1) <= 0).all()
    for rank in range(5):
        for path in tags[:, rank].split(problem.lengths.tolist()):
            assert is_valid(path.tolist(), tag_names(3)) or not len(path)
    assert len({tuple(path) for path in tags[:31].T.tolist()}) == 5


def test_ties_are_distinct_paths():
    """Two words and one label, zero scores: OO, OU, UO, UU, BL and no other."""
    problem = make_problem([2], n_labels=1)
    for scores in (problem.emissions, problem.transitions, problem.start, problem.end):
        scores.zero_()
    tags, scores = run(problem, 6)
    paths = {tuple(path) for path in tags[:, :5].T.tolist()}
    assert paths == {(0, 0), (0, 4), (4, 0), (4, 4), (1, 3)}
    assert scores[0, :5].tolist() == [0.0] * 5
    assert scores[0, 5] < FORBIDDEN / 10
    assert tags[:, 5].tolist() == [0, 0]


@pytest.mark.parametrize("lengths", [[], [0], [0, 0]])
def test_nothing_to_tag(lengths):
    tags, scores = run(make_problem(lengths, n_labels=1), 3)
    assert tags.shape == (0, 3)
    assert scores[:, 0].tolist() == [0.0] * len(lengths)


@given(
    groups=st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=3),
    k=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_combinations_of_sequences(groups, k, seed):
    """Of all combinations of all paths of a group, the k best."""
    problem = make_problem([n for group in groups for n in group], 1, seed)
    counts = torch.tensor([len(group) for group in groups])
    tags, scores = combine_k_best(*run(problem, k), problem.lengths, counts)
    assert scores.shape == (len(groups), k)
    sequences = iter(problem.sequences())
    ends = torch.tensor([sum(group) for group in groups])
    for group, own, totals in zip(
        groups, tags.split(ends.tolist()), scores, strict=True
    ):
        emissions = [e for e in itertools.islice(sequences, len(group)) if len(e)]
        paths = [problem.paths(e)[0] for e in emissions]
        sums = {
            sum(combination, ()): float(sum(map(problem.score, emissions, combination)))
            for combination in itertools.product(*paths)
        }
        best = sorted(sums.values(), reverse=True)[:k]
        assert totals[: len(best)].tolist() == pytest.approx(best)
        assert (totals[len(best) :] < FORBIDDEN / 10).all()
        assert not own[:, len(best) :].any()
        found = [tuple(path) for path in own.T.tolist()[: len(best)]]
        assert [sums[path] for path in found] == pytest.approx(best)
        assert len(set(found)) == len(best)


@pytest.mark.parametrize("k", [0, -2])
def test_impossible_k(k):
    with pytest.raises(ValueError, match=f"k {k} is less than 1"):
        run(make_problem([2], n_labels=1), k)
