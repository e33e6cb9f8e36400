"""The relation scorer on hand-made cases. All sentences are invented."""

import pytest
from spacy import registry
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_attnner.relations import Relation, set_relations
from spacy_attnner.scoring import score_relations

VOCAB = Vocab()
WORDS = ["Mira", "Okafor", "left", "Kestrel", "Lines", "for", "Bergen", "."]
PER, ORG, LOC = (0, 2, "PER"), (3, 5, "ORG"), (6, 7, "LOC")
GOLD = [(PER, "Left", ORG), (PER, "Went_To", LOC)]
NONE: list = []


def make_doc(triples, words=WORDS, spaces=None):
    doc = Doc(VOCAB, words=words, spaces=spaces)
    if triples is not None:
        relations = [
            Relation(Span(doc, *head), Span(doc, *tail), label)
            for head, label, tail in triples
        ]
        set_relations(doc, relations)
    return doc


def score(predicted, gold):
    return score_relations([Example(make_doc(predicted), make_doc(gold))])


@pytest.mark.parametrize(
    ("predicted", "strict", "boundaries"),
    [
        (GOLD, (1.0, 1.0), (1.0, 1.0)),
        (GOLD[:1], (1.0, 0.5), (1.0, 0.5)),
        (NONE, (0.0, 0.0), (0.0, 0.0)),
        # one right, and one each of what can be wrong
        ([GOLD[0], (LOC, "Went_To", PER)], (0.5, 0.5), (0.5, 0.5)),  # direction
        ([GOLD[0], (PER, "Left", LOC)], (0.5, 0.5), (0.5, 0.5)),  # label
        ([GOLD[0], ((1, 2, "PER"), "Went_To", LOC)], (0.5, 0.5), (0.5, 0.5)),  # span
        ([GOLD[0], (PER, "Went_To", (6, 7, "ORG"))], (0.5, 0.5), (1.0, 1.0)),  # type
        ([*GOLD, (ORG, "Left", PER), (ORG, "In", LOC)], (0.5, 1.0), (0.5, 1.0)),
        # found under its own and under another type: right once, too much once
        ([GOLD[0], ((0, 2, "ORG"), "Left", ORG)], (0.5, 0.5), (0.5, 0.5)),
    ],
)
def test_precision_and_recall(predicted, strict, boundaries):
    scores = score(predicted, GOLD)
    assert (scores["rel_p"], scores["rel_r"]) == pytest.approx(strict)
    found = scores["rel_boundaries_p"], scores["rel_boundaries_r"]
    assert found == pytest.approx(boundaries)


def test_a_pair_under_two_types_counts_twice():
    both = [GOLD[0], ((0, 2, "ORG"), "Left", ORG)]
    scores = score([*both, GOLD[1]], both)
    assert scores["rel_p"] == scores["rel_boundaries_p"] == pytest.approx(2 / 3)
    assert scores["rel_r"] == scores["rel_boundaries_r"] == 1.0


def test_f_is_the_harmonic_mean():
    scores = score(GOLD[:1], GOLD)
    assert scores["rel_f"] == pytest.approx(2 / 3)
    assert scores["rel_boundaries_f"] == pytest.approx(2 / 3)


def test_scores_of_every_label():
    predicted = [GOLD[0], (ORG, "Left", PER), (ORG, "In", LOC)]
    scores = score(predicted, GOLD)
    assert scores["rel_f_per_type"] == {
        "In": {"p": 0.0, "r": 0.0, "f": 0.0},
        "Left": {"p": 0.5, "r": 1.0, "f": pytest.approx(2 / 3)},
        "Went_To": {"p": 0.0, "r": 0.0, "f": 0.0},
    }
    assert list(scores["rel_f_per_type"]) == ["In", "Left", "Went_To"]
    assert scores["rel_macro_f"] == pytest.approx(2 / 9)


def test_several_documents_are_counted_together():
    examples = [
        Example(make_doc(GOLD), make_doc(GOLD)),
        Example(make_doc(NONE), make_doc(GOLD[:1])),
        Example(make_doc(GOLD[:1]), make_doc(NONE)),
    ]
    scores = score_relations(examples)
    assert scores["rel_p"] == scores["rel_r"] == pytest.approx(2 / 3)


def test_documents_that_are_not_annotated_are_left_out():
    examples = [
        Example(make_doc(GOLD), make_doc(GOLD)),
        Example(make_doc(GOLD), make_doc(None)),
    ]
    scores = score_relations(iter(examples))
    assert scores["rel_p"] == scores["rel_r"] == scores["rel_f"] == 1.0


@pytest.mark.parametrize("gold", [None, "no documents"])
def test_nothing_annotated_is_no_score(gold):
    annotated = score(GOLD, GOLD)
    scores = score(GOLD, None) if gold is None else score_relations([])
    assert scores == dict.fromkeys(annotated)


def test_nothing_to_find_and_nothing_found():
    scores = score(NONE, NONE)
    assert scores["rel_f"] == scores["rel_macro_f"] == 0.0
    assert scores["rel_f_per_type"] == {}


def test_no_prediction_at_all_is_a_miss():
    assert score(None, GOLD)["rel_r"] == 0.0


def test_other_tokens():
    """Spans are compared by their characters."""
    words = ["Mira Okafor", "left", "Kes", "trel", "Lines", "for", "Bergen", "."]
    spaces = [True, True, False, True, True, True, True, True]
    person, company = (0, 1, "PER"), (2, 5, "ORG")
    predicted = make_doc([(person, "Left", company)], words, spaces)
    reference = make_doc(GOLD[:1])
    assert predicted.text == reference.text
    assert score_relations([Example(predicted, reference)])["rel_f"] == 1.0


def test_duplicates_count_once_each():
    """Relations of one document are distinct; those of two are counted twice."""
    example = Example(make_doc(GOLD[:1]), make_doc(GOLD))
    assert score_relations([example, example])["rel_r"] == 0.5


def test_the_registered_scorer():
    scorer = registry.scorers.get("spacy-attnner.relation_scorer.v1")()
    example = Example(make_doc(GOLD), make_doc(GOLD))
    assert scorer([example])["rel_f"] == 1.0
