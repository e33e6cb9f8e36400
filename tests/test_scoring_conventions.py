"""What counts as a right relation: published conventions, and another scorer's rule.

All sentences are invented.
"""

from collections import Counter

import pytest
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_attnner.relations import Relation, set_relations
from spacy_attnner.scoring import score_relations

VOCAB = Vocab()
#         0      1     2    3      4       5         6       7     8
TEXT = "Ann    Lee   ,   who   runs    Halden    Bank    in   Oslo "
#         9   10      11   12       13
TEXT += " ,   lives   in   Bergen   ."
WORDS = TEXT.split()
ANN, BANK = (0, 2, "PER"), (5, 7, "ORG")
OSLO, BERGEN = (8, 9, "LOC"), (12, 13, "LOC")
GOLD = [
    (ANN, "Work_For", BANK),
    (BANK, "Based_In", OSLO),
    (ANN, "Live_In", BERGEN),
]


def make_doc(triples):
    doc = Doc(VOCAB, words=WORDS)
    relations = [
        Relation(Span(doc, *head), Span(doc, *tail), label)
        for head, label, tail in triples
    ]
    set_relations(doc, relations)
    return doc


def score(predicted, gold):
    return score_relations([Example(make_doc(predicted), make_doc(gold))])


def rounded(scores, prefix):
    return tuple(round(scores[f"{prefix}_{letter}"], 4) for letter in "prf")


# Bekoulis et al. 2018; Eberts & Ulges 2020 with and without "NEC"


def test_strict_and_boundaries():
    """The example of a sentence in which each kind of error occurs once."""
    predicted = [
        # right in every setting
        (ANN, "Work_For", BANK),
        # an argument has the wrong type: wrong if strict, right by boundaries
        ((5, 7, "LOC"), "Based_In", OSLO),
        # an argument lacks a word: "relaxed" alone would count it as right
        ((1, 2, "PER"), "Live_In", BERGEN),
        # the other way round: wrong in every setting
        (BERGEN, "Live_In", ANN),
    ]
    scores = score(predicted, GOLD)
    # strict: 1 of 4 predicted and of 3 gold ones; F = 2/(4 + 3)
    assert rounded(scores, "rel") == (0.25, 0.3333, 0.2857)
    # boundaries: 2 of 4 and of 3; F = 4/(4 + 3)
    assert rounded(scores, "rel_boundaries") == (0.5, 0.6667, 0.5714)
    # macro: Work_For 1, Based_In 0 (strict) or 1 (boundaries), Live_In 0
    assert rounded(scores, "rel_macro") == (0.3333, 0.3333, 0.3333)
    assert rounded(scores, "rel_boundaries_macro") == (0.6667, 0.6667, 0.6667)
    assert scores["rel_f_per_type"]["Based_In"] == {"p": 0.0, "r": 0.0, "f": 0.0}
    right = {"p": 1.0, "r": 1.0, "f": 1.0}
    assert scores["rel_boundaries_f_per_type"]["Based_In"] == right


@pytest.mark.parametrize(
    ("wrong", "strict", "boundaries"),
    [
        # each replaces the first of the three gold relations, so that strictly
        # 2 of 3 are right
        (((0, 2, "ORG"), "Work_For", BANK), 2 / 3, 1.0),  # type of the head
        ((ANN, "Work_For", (5, 7, "PER")), 2 / 3, 1.0),  # type of the tail
        (((0, 1, "PER"), "Work_For", BANK), 2 / 3, 2 / 3),  # end of the head
        (((1, 2, "PER"), "Work_For", BANK), 2 / 3, 2 / 3),  # start of the head
        ((ANN, "Work_For", (5, 6, "ORG")), 2 / 3, 2 / 3),  # end of the tail
        ((ANN, "Work_For", (4, 7, "ORG")), 2 / 3, 2 / 3),  # start of the tail
        ((ANN, "Live_In", BANK), 2 / 3, 2 / 3),  # label
        ((BANK, "Work_For", ANN), 2 / 3, 2 / 3),  # direction
        ((ANN, "Work_For", OSLO), 2 / 3, 2 / 3),  # another entity
    ],
)
def test_one_error_each(wrong, strict, boundaries):
    scores = score([wrong, *GOLD[1:]], GOLD)
    for prefix, expected in (("rel", strict), ("rel_boundaries", boundaries)):
        assert rounded(scores, prefix) == (round(expected, 4),) * 3


def test_micro_counts_relations_and_macro_labels():
    gold = [*GOLD, (BANK, "Live_In", BERGEN), (OSLO, "Live_In", BERGEN)]
    predicted = [GOLD[0], *gold[2:], (ANN, "Owns", BANK)]
    scores = score(predicted, gold)
    # Work_For 1/1 of 1, Based_In 0/0 of 1, Live_In 3/3 of 3, Owns 0/1 of 0:
    # micro P = 4/5, R = 4/5; macro P, R, F = (1 + 0 + 1 + 0) / 4
    assert rounded(scores, "rel") == (0.8, 0.8, 0.8)
    assert rounded(scores, "rel_macro") == (0.5, 0.5, 0.5)


def test_macro_f_is_the_mean_of_f():
    """Not the F of the mean precision and recall."""
    predicted = [*GOLD[:2], (BANK, "Work_For", OSLO)]
    gold = [*GOLD[:2], (ANN, "Live_In", OSLO)]
    # Work_For: P 1/2, R 1, F 2/3; Based_In: 1, 1, 1; Live_In: 0, 0, 0. The means are
    # P = 1/2, R = 2/3 and F = (2/3 + 1) / 3 = 0.5556, while 2PR / (P + R) = 0.5714
    assert rounded(score(predicted, gold), "rel_macro") == (0.5, 0.6667, 0.5556)


# The scorer of spaCy's tutorial component
#
# Its `doc._.rel` has a score for every label of every pair that the component looked
# at, named by the first tokens of both entities. The gold one has 1.0 or 0.0 for every
# pair of gold entities. It goes through the pairs of the prediction, and looks up each
# of them in the gold annotation.


def every_pair(entities, triples):
    """The tutorial's annotation of a document with these entities."""
    related = {(head[0], tail[0], label) for head, label, tail in triples}
    labels = ("Work_For", "Based_In", "Live_In")
    starts = [entity[0] for entity in entities]
    return {
        (h, t): {label: float((h, t, label) in related) for label in labels}
        for h in starts
        for t in starts
        if h != t
    }


def tutorial_scores(*documents, threshold=0.5):
    """Precision, recall and F by the tutorial's rule, of (predicted, gold) pairs."""
    outcomes = Counter(
        (score >= threshold, gold[pair][label] == 1.0)
        for predicted, gold in documents
        for pair, labels in predicted.items()
        for label, score in labels.items()
    )
    correct = outcomes[True, True]
    precision = correct / ((correct + outcomes[True, False]) or 1)
    recall = correct / ((correct + outcomes[False, True]) or 1)
    f = 2 * precision * recall / ((precision + recall) or 1)
    return tuple(round(value, 4) for value in (precision, recall, f))


ENTITIES = [ANN, BANK, OSLO, BERGEN]


def test_where_both_scorers_agree():
    """All pairs of the gold entities were looked at."""
    predicted = [*GOLD[:2], (OSLO, "Live_In", BERGEN)]
    theirs = tutorial_scores(
        (every_pair(ENTITIES, predicted), every_pair(ENTITIES, GOLD))
    )
    # 2 of 3 predicted and of 3 gold ones
    assert theirs == rounded(score(predicted, GOLD), "rel") == (0.6667,) * 3


@pytest.mark.parametrize(
    ("found", "predicted", "theirs", "correct"),
    [
        # Bergen was not found, so that no pair has it: its relation goes uncounted.
        # Right: 2 of 2 predicted, 2 of 3 gold ones; F = 4/5
        ([ANN, BANK, OSLO], GOLD[:2], (1.0, 1.0, 1.0), (1.0, 0.6667, 0.8)),
        # A single entity was found, hence no pair. Right: 0 of 3 gold ones, which
        # other documents would make visible: see below
        ([ANN], [], (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        # Two entities end elsewhere; pairs are told by where they begin. Right: 1 of
        # 3 predicted and of 3 gold ones
        (
            [(0, 1, "PER"), (5, 7, "ORG"), (8, 9, "LOC"), (12, 14, "LOC")],
            [
                ((0, 1, "PER"), "Work_For", BANK),
                GOLD[1],
                ((0, 1, "PER"), "Live_In", (12, 14, "LOC")),
            ],
            (1.0, 1.0, 1.0),
            (0.3333, 0.3333, 0.3333),
        ),
        # An entity has another type, which is not looked at. Right: 1 of 3, for Halden
        # Bank is in two of the relations
        (
            [ANN, (5, 7, "LOC"), OSLO, BERGEN],
            [
                (ANN, "Work_For", (5, 7, "LOC")),
                ((5, 7, "LOC"), "Based_In", OSLO),
                GOLD[2],
            ],
            (1.0, 1.0, 1.0),
            (0.3333, 0.3333, 0.3333),
        ),
    ],
    ids=["entity not found", "one entity found", "entity ends elsewhere", "type"],
)
def test_where_the_tutorial_is_wrong(found, predicted, theirs, correct):
    document = every_pair(found, predicted), every_pair(ENTITIES, GOLD)
    assert tutorial_scores(document) == theirs
    assert rounded(score(predicted, GOLD), "rel") == correct


def test_pairs_that_were_too_far_apart_are_misses():
    """A limit on distance must not raise recall: Ann and Bergen are 10 words apart."""
    looked_at = {
        pair: labels
        for pair, labels in every_pair(ENTITIES, GOLD[:2]).items()
        if abs(pair[0] - pair[1]) <= 9
    }
    assert tutorial_scores((looked_at, every_pair(ENTITIES, GOLD))) == (1.0, 1.0, 1.0)
    # 2 of 2 predicted, 2 of 3 gold ones
    assert rounded(score(GOLD[:2], GOLD), "rel") == (1.0, 0.6667, 0.8)


def test_entities_that_are_not_gold_break_the_tutorial():
    """ "lives", taken for an entity, is in no gold pair."""
    lives = (10, 11, "LOC")
    predicted = [*GOLD, (ANN, "Live_In", lives)]
    pairs = every_pair([*ENTITIES, lives], predicted)
    with pytest.raises(KeyError):
        tutorial_scores((pairs, every_pair(ENTITIES, GOLD)))
    # 3 of 4 predicted, 3 of 3 gold ones; F = 6/7
    assert rounded(score(predicted, GOLD), "rel") == (0.75, 1.0, 0.8571)


def test_a_document_in_which_no_pair_was_found():
    """It weighs nothing in the tutorial; here its three relations are misses."""
    pairs = every_pair(ENTITIES, GOLD)
    nothing_found = every_pair([ANN], [])
    assert tutorial_scores((pairs, pairs), (nothing_found, pairs)) == (1.0,) * 3
    examples = [Example(make_doc(GOLD), make_doc(GOLD))]
    examples.append(Example(make_doc([]), make_doc(GOLD)))
    # 3 of 3 predicted, 3 of 6 gold ones; F = 6/9
    assert rounded(score_relations(examples), "rel") == (1.0, 0.5, 0.6667)
