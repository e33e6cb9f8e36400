"""Comprehensiveness and sufficiency, by hand and of pipelines."""

import numpy
import pytest
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_attnner.explain import faithfulness
from spacy_attnner.explain.faithfulness import (
    RANDOM,
    Faithfulness,
    evaluate_explanations,
    interval,
)
from spacy_attnner.explain.methods import METHODS
from tests.explain.conftest import KINDS

WORDS = ["ferries", "in", "fog", "wait", "for", "a", "pilot", "who", "is", "late"]


class Sum:
    """A question whose probability is a weighted sum of what is left of the words."""

    def __init__(self, weights):
        self.doc = Doc(Vocab(), words=WORDS)
        self.weights = numpy.array(weights)
        self.probability = float(self.weights.sum())

    def probabilities(self, scales):
        return scales @ self.weights


def test_what_falls_without_words_and_with_them_alone():
    weights = numpy.array([0.0, 0.1, 0.3, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.4])
    order = numpy.argsort(-weights, kind="stable")
    without, alone = faithfulness._fall(Sum(weights), [order, order[::-1]])
    # the first 1, 1, 2 and 5 of ten words
    expected = numpy.mean([0.4, 0.4, 0.7, 1.0])
    assert without[0] == pytest.approx(expected)
    assert alone[0] == pytest.approx(1.0 - expected)
    assert without[1] == pytest.approx(0.0)
    assert alone[1] == pytest.approx(1.0)


def test_the_mean_and_its_interval():
    mean, low, high = interval([0.0, 1.0] * 50)
    assert mean == 0.5
    assert low == pytest.approx(0.4, abs=0.03)
    assert high == pytest.approx(0.6, abs=0.03)
    assert interval([]) == (0.0, 0.0, 0.0)
    assert interval([0.3]) == pytest.approx((0.3, 0.3, 0.3))


def test_rows_compare_with_random_orders():
    result = Faithfulness(
        "category",
        {"attention": [0.4, 0.6], RANDOM: [0.1, 0.1]},
        {"attention": [0.1, 0.1], RANDOM: [0.4, 0.4]},
    )
    row, chance = result.rows()
    assert row["times_random"] == pytest.approx(5.0)
    assert chance["times_random"] == pytest.approx(1.0)
    assert row["sufficiency"] == pytest.approx(0.1)
    nothing = Faithfulness("category", {RANDOM: [0.0]}, {RANDOM: [0.0]}).rows()
    assert nothing[0]["times_random"] is None


@pytest.mark.parametrize("kind", list(KINDS))
def test_of_a_pipeline(asked, kind):
    nlp, doc, target = asked(kind, "own")
    if kind == "entity":
        doc.ents = [target]
    docs = [doc, nlp(""), nlp("Rain .")]
    result = evaluate_explanations(nlp, docs, kind)
    assert 0 < result.n <= len(docs)
    expected = [m for m in METHODS if kind != "entity" or "attention" not in m]
    assert list(result.comprehensiveness) == [*expected, RANDOM]
    values = [*result.comprehensiveness.values(), *result.sufficiency.values()]
    assert all(len(each) == result.n for each in values)
    assert numpy.isfinite(values).all()
    assert len(result.errors) == result.n
    again = evaluate_explanations(nlp, docs, kind)
    assert again.rows() == result.rows()


def test_kinds_that_there_are_not(asked):
    nlp, doc, _ = asked("entity", "own")
    with pytest.raises(ValueError, match="no kind 'word'; there are category"):
        evaluate_explanations(nlp, [doc], "word")
    with pytest.raises(ValueError, match="no component of this package that gives"):
        evaluate_explanations(nlp, [doc], "relation")
