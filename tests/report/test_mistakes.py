"""The most frequent mistakes, and examples in context."""

import pytest

from spacy_attnner.report.comparison import (
    Frequent,
    compare,
    find_mistakes,
    most_frequent,
    pair_comparison,
    pick_examples,
)

GOLD = [(0, 2, "PER"), (3, 5, "ORG")]
PREDICTED = [(0, 1, "PER"), (3, 5, "PER"), (6, 7, "LOC")]
BOUNDARY = Frequent("boundary", "Mira Okafor", "PER", "Mira", "PER", 2)
TYPE = Frequent("type", "Kestrel Lines", "ORG", "Kestrel Lines", "PER", 1)
SPURIOUS = Frequent("spurious", None, None, "Bergen", "LOC", 1)


@pytest.fixture
def mistakes_of():
    def mistakes_of(example, document=0):
        comparison = compare(example)
        assert comparison is not None
        return find_mistakes(comparison, pair_comparison(comparison), document)

    return mistakes_of


def test_most_frequent(make_example, mistakes_of):
    mistakes = mistakes_of(make_example(GOLD, PREDICTED))
    mistakes += mistakes_of(make_example(GOLD, [PREDICTED[0], GOLD[1]]))
    assert most_frequent(mistakes, 9) == [BOUNDARY, TYPE, SPURIOUS]
    assert most_frequent(mistakes, 1) == [BOUNDARY]
    assert most_frequent(mistakes, 0) == []


def test_context(make_example, mistakes_of):
    example = make_example(GOLD, PREDICTED, [0.5, 0.75, 0.25])
    boundary, other, spurious = mistakes_of(example, 7)
    assert (boundary.left, boundary.text) == ("", "Mira Okafor")
    assert boundary.right == "left Kestrel Lines for Bergen ."
    assert (other.left, other.text, other.right) == (
        "Mira Okafor left",
        "Kestrel Lines",
        "for Bergen .",
    )
    assert [m.confidence for m in (boundary, other, spurious)] == [0.5, 0.75, 0.25]
    assert {m.document for m in (boundary, other, spurious)} == {7}


def test_context_is_cut(make_example, mistakes_of):
    words = [f"w{i}" for i in range(30)]
    (missed,) = mistakes_of(make_example([(15, 16, "A")], [], words=words))
    assert missed.left == " ".join(words[7:15])
    assert missed.right == " ".join(words[16:24])
    assert missed.predicted_text is missed.predicted_label is missed.confidence is None


def test_the_surest_mistakes_come_first(make_example, mistakes_of):
    spans = [(i, i + 1, "A") for i in range(3)]
    mistakes = mistakes_of(make_example([], spans, [0.2, 0.9, 0.4]))
    examples = pick_examples(mistakes, 2)
    assert [m.confidence for m in examples["spurious"]] == [0.9, 0.4]
    assert examples["missed"] == []
    unscored = mistakes_of(make_example(spans, []))
    assert pick_examples(unscored, 2)["missed"] == unscored[:2]


def test_missed_ones_come_from_all_documents(make_example, mistakes_of):
    missed = [
        mistake
        for document in range(20)
        for mistake in mistakes_of(make_example([(0, 1, "A")], []), document)
    ]
    shown = pick_examples(missed, 4)["missed"]
    assert [mistake.document for mistake in shown] == [0, 5, 10, 15]


def test_control_characters(make_example, mistakes_of):
    words = ["a\x1b[31m", "\n", "b\u202e"]
    (missed,) = mistakes_of(make_example([(0, 3, "A")], [], words=words))
    assert missed.text == "a�[31m b�"


def test_joiners_stay(make_example, mistakes_of):
    words = ["می\u200cخواهم", "👩\u200d👧"]
    (missed,) = mistakes_of(make_example([(0, 2, "A")], [], words=words))
    assert missed.text == " ".join(words)
