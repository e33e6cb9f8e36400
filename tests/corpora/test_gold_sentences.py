import random

import numpy
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.training import Example

from spacy_attnner.corpora.training_data import create_gold_sentences, draw_runs

WORDS = ["Rain", "fell", ".", "Ann", "stayed", ".", "No", "one", "came", "."]
STARTS = [0, 3, 6]


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


def make_example(nlp, predicted_words=WORDS, with_starts=True):
    starts = [i in STARTS for i in range(len(WORDS))] if with_starts else None
    reference = Doc(nlp.vocab, words=WORDS, sent_starts=starts)
    return Example(Doc(nlp.vocab, words=predicted_words), reference)


def starts_of(example):
    return [token.i for token in example.predicted if token.is_sent_start]


def test_all_starts_are_shown(nlp):
    (example,) = create_gold_sentences()(nlp, make_example(nlp))
    assert starts_of(example) == STARTS
    assert [len(sent) for sent in example.predicted.sents] == [3, 3, 4]


def test_other_tokens(nlp):
    words = ["Rain", "fell.", "Ann", "stay", "ed", ".", "No", "one", "came", "."]
    reference = Doc(
        nlp.vocab,
        words=WORDS,
        spaces=[True, False, True, True, False, True, True, True, False, False],
        sent_starts=[i in STARTS for i in range(len(WORDS))],
    )
    predicted = Doc(
        nlp.vocab,
        words=words,
        spaces=[True, True, True, False, False, True, True, True, False, False],
    )
    (example,) = create_gold_sentences()(nlp, Example(predicted, reference))
    assert [example.predicted[i].text for i in starts_of(example)] == [
        "Rain",
        "Ann",
        "No",
    ]


def test_without_annotation_nothing_is_set(nlp):
    (example,) = create_gold_sentences()(nlp, make_example(nlp, with_starts=False))
    assert not example.predicted.has_annotation("SENT_START")


def test_runs_for_the_share_that_is_left(nlp):
    random.seed(0)
    augment = create_gold_sentences(share=0.5, max_tokens=7)
    found = [starts_of(next(augment(nlp, make_example(nlp)))) for _ in range(200)]
    assert 100 <= found.count(STARTS) < 200
    assert {tuple(starts) for starts in found} == {(0, 3, 6), (0, 6), (0, 3)}


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=20),
    st.integers(1, 40),
    st.integers(0, 99),
)
def test_runs_keep_some_starts_and_the_limit(lengths, max_tokens, seed):
    random.seed(seed)
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    kept = draw_runs(numpy.array(starts), sum(lengths), max_tokens).tolist()
    assert kept[0] == 0
    assert set(kept) <= set(starts)
    assert kept == sorted(kept)
    for start, end in zip(kept, [*kept[1:], sum(lengths)], strict=True):
        sentences = sum(start <= other < end for other in starts)
        assert sentences == 1 or end - start <= max_tokens


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"share": 1.5}, "share 1.5 is not in"),
        ({"max_tokens": 0}, "max_tokens 0 is less than 1"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        create_gold_sentences(**settings)
