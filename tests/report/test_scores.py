"""Scores are those of seqeval, of scikit-learn and of spaCy's scorer."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import classification_report as seqeval_report
from sklearn.metrics import classification_report as sklearn_report
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_attnner.report.comparison import compare
from spacy_attnner.report.scores import (
    Score,
    score_entities,
    score_labels,
    score_tags,
    tag_pairs,
)

VOCAB = Vocab()
LABELS = ("LOC", "ORG", "X-Y")
EXACT: dict[str, Any] = {"rel": 1e-12, "abs": 1e-12}


@st.composite
def spans(draw, n_tokens: int):
    """Entities that do not overlap, often side by side."""
    found, at = [], draw(st.integers(0, 2))
    while at < n_tokens:
        length = draw(st.integers(1, 3))
        if draw(st.booleans()):
            end = min(n_tokens, at + length)
            found.append((at, end, draw(st.sampled_from(LABELS))))
        at += length
    return found


@st.composite
def documents(draw):
    """Gold and predicted entities over the same tokens."""
    n_tokens = draw(st.integers(1, 11))
    return n_tokens, draw(spans(n_tokens)), draw(spans(n_tokens))


@st.composite
def examples(draw):
    """Other tokens in the prediction, and tokens whose annotation is missing."""
    text = "abcdefghi"

    def words() -> list[str]:
        cuts = sorted(draw(st.sets(st.integers(1, len(text) - 1))))
        edges = [0, *cuts, len(text)]
        return [text[a:b] for a, b in pairwise(edges)]

    reference, predicted = words(), words()
    missing = draw(st.sets(st.integers(0, len(reference) - 1), max_size=2))
    gold = draw(spans(len(reference)))
    free = [s for s in gold if not missing.intersection(range(s[0], s[1]))]
    return Example(
        make_doc(predicted, draw(spans(len(predicted)))),
        make_doc(reference, free, missing),
    )


def make_doc(words, entities, missing=()):
    doc = Doc(VOCAB, words=words, spaces=[False] * len(words))
    doc.set_ents(
        [Span(doc, *span) for span in entities],
        missing=[doc[i : i + 1] for i in sorted(missing)],
        default="outside",
    )
    return doc


def make_comparisons(docs):
    made = []
    for n_tokens, gold, predicted in docs:
        words = ["ferry"] * n_tokens
        comparison = compare(Example(make_doc(words, predicted), make_doc(words, gold)))
        assert comparison is not None
        made.append(comparison)
    return made


def tags_of(n_tokens, entities):
    tags = ["O"] * n_tokens
    for start, end, label in entities:
        tags[start:end] = [f"B-{label}"] + [f"I-{label}"] * (end - start - 1)
    return tags


def as_tuple(row):
    return row["precision"], row["recall"], row["f1-score"], row["support"]


def check(score: Score, row: Any) -> None:
    found = (score.precision, score.recall, score.f1, score.support)
    assert found == pytest.approx(as_tuple(row), **EXACT)


@given(st.lists(documents(), min_size=1, max_size=4))
def test_entities_as_seqeval(docs):
    scores = score_entities(make_comparisons(docs))
    if not any(gold or predicted for _, gold, predicted in docs):
        assert scores.per_label == {}
        assert scores.micro == scores.macro == scores.weighted == Score(0, 0, 0, 0)
        return
    expected: Any = seqeval_report(
        [tags_of(n, gold) for n, gold, _ in docs],
        [tags_of(n, predicted) for n, _, predicted in docs],
        output_dict=True,
        zero_division=0,
    )
    check(scores.micro, expected.pop("micro avg"))
    check(scores.macro, expected.pop("macro avg"))
    check(scores.weighted, expected.pop("weighted avg"))
    assert list(scores.per_label) == sorted(expected)
    for label, score in scores.per_label.items():
        check(score, expected[label])


@given(st.lists(documents(), min_size=1, max_size=4))
def test_tags_as_scikit_learn(docs):
    scores = score_tags(make_comparisons(docs))
    expected: Any = sklearn_report(
        [tag for n, gold, _ in docs for tag in tags_of(n, gold)],
        [tag for n, _, predicted in docs for tag in tags_of(n, predicted)],
        output_dict=True,
        zero_division=0,
    )
    accuracy = expected.pop("accuracy")
    micro = scores.micro
    found = (micro.precision, micro.recall, micro.f1)
    assert found == pytest.approx([accuracy] * 3, **EXACT)
    assert micro.support == sum(n for n, *_ in docs)
    check(scores.macro, expected.pop("macro avg"))
    check(scores.weighted, expected.pop("weighted avg"))
    assert set(scores.per_label) == set(expected)
    for label, score in scores.per_label.items():
        check(score, expected[label])


@given(st.lists(examples(), min_size=1, max_size=3))
def test_entities_as_spacys_scorer(made):
    expected = get_ner_prf(made)
    comparisons = [each for each in map(compare, made) if each is not None]
    scores = score_entities(comparisons)
    if expected["ents_f"] is None:
        assert scores.micro == Score(0, 0, 0, 0)
        return
    found = (scores.micro.precision, scores.micro.recall, scores.micro.f1)
    keys = ("ents_p", "ents_r", "ents_f")
    assert found == pytest.approx([expected[key] for key in keys], **EXACT)
    for label, score in scores.per_label.items():
        values = expected["ents_per_type"][label]
        found = {"p": score.precision, "r": score.recall, "f": score.f1}
        assert found == pytest.approx(values, **EXACT)


@given(examples())
def test_a_tag_for_every_annotated_token(example):
    comparison = compare(example)
    if comparison is None:
        return
    pairs = tag_pairs(comparison)
    annotated = [token for token in example.reference if token.ent_iob]
    gold = [
        f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else "O"
        for token in annotated
    ]
    assert [gold_tag for gold_tag, _ in pairs] == gold


def test_ignored_predictions_keep_their_tags_where_something_is_annotated():
    words = ["ferry"] * 5
    example = Example(
        make_doc(words, [(0, 1, "A"), (1, 3, "A")]),
        make_doc(words, [(0, 1, "A")], missing=[2]),
    )
    comparison = compare(example)
    assert comparison is not None
    pairs = [("B-A", "B-A"), ("O", "B-A"), ("O", "O"), ("O", "O")]
    assert tag_pairs(comparison) == pairs


def test_tags_stand_in_the_order_of_their_types():
    docs = [(5, [(0, 2, "B"), (2, 4, "A")], [(0, 1, "C")])]
    table = score_tags(make_comparisons(docs))
    assert list(table.per_label) == ["B-A", "I-A", "B-B", "I-B", "B-C", "O"]


def test_counts_by_hand():
    scores = score_labels("AB", {"A": 3}, {"A": 4, "B": 1}, {"A": 6, "B": 2})
    assert scores.per_label["A"] == Score(0.75, 0.5, pytest.approx(0.6), 6)
    assert scores.per_label["B"] == Score(0.0, 0.0, 0.0, 2)
    assert scores.micro == Score(0.6, 0.375, pytest.approx(6 / 13), 8)
    assert scores.macro == Score(0.375, 0.25, pytest.approx(0.3), 8)
    assert scores.weighted.recall == pytest.approx(0.375)
