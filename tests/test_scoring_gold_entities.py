"""Relations scored between the gold entities. All sentences are invented."""

import numpy
import pytest
from spacy import registry
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_attnner.relations import Relation, get_relations, set_relations
from spacy_attnner.scoring import BATCH_SIZE, score_relations_given_entities

VOCAB = Vocab()
WORDS = ["Mira", "Okafor", "left", "Kestrel", "Lines", "for", "Bergen", "."]
SPACES = [True, True, True, True, True, True, False, False]
PER, ORG, LOC = (0, 2, "PER"), (3, 5, "ORG"), (6, 7, "LOC")
GOLD = [(PER, "Left", ORG), (PER, "Went_To", LOC)]
KEYS = {
    *("rel_gold_ents_p", "rel_gold_ents_r", "rel_gold_ents_f"),
    *("rel_gold_ents_macro_p", "rel_gold_ents_macro_r", "rel_gold_ents_macro_f"),
    "rel_gold_ents_f_per_type",
}


def make_doc(ents, triples, words=WORDS, spaces=SPACES):
    """None: not annotated."""
    doc = Doc(VOCAB, words=words, spaces=spaces)
    if ents is not None:
        doc.set_ents([Span(doc, *ent) for ent in ents], default="outside")
    if triples is not None:
        relations = [
            Relation(Span(doc, *head), Span(doc, *tail), label)
            for head, label, tail in triples
        ]
        set_relations(doc, relations)
    return doc


@pytest.fixture
def example():
    """Predicted: an entity too short, one of another type, and a wrong relation."""
    ents = [(1, 2, "PER"), (3, 5, "LOC")]
    predicted = make_doc(ents, [(ents[0], "Left", ents[1])])
    predicted.tensor = numpy.arange(16, dtype="float32").reshape(8, 2)
    for token in predicted:
        token.is_sent_start = token.i in (0, 5)
    predicted.cats = {"travel": 0.5}
    predicted.spans["mine"] = [predicted[0:3]]
    return Example(predicted, make_doc([PER, ORG, LOC], GOLD))


def leaves(docs):
    """A component for which whoever is first leaves whatever follows."""
    for doc in docs:
        first, *others = doc.ents or [None]
        set_relations(doc, [Relation(first, other, "Left") for other in others])


def rounded(scores, prefix="rel_gold_ents"):
    return tuple(round(scores[f"{prefix}_{letter}"], 4) for letter in "prf")


def test_scores_are_those_of_relations_between_gold_entities(example):
    scores = score_relations_given_entities([example], leaves)
    # Left(PER, ORG) is right, Left(PER, LOC) is not, Went_To is missed: 1 of 2 of each
    assert rounded(scores) == (0.5, 0.5, 0.5)
    # Left: P 1/2, R 1, F 2/3; Went_To: 0, 0, 0
    assert rounded(scores, "rel_gold_ents_macro") == (0.25, 0.5, 0.3333)
    assert list(scores["rel_gold_ents_f_per_type"]) == ["Left", "Went_To"]
    assert scores.keys() == KEYS


def test_copies_keep_everything_but_entities_and_relations(example):
    predicted = example.predicted
    seen = []

    def look(docs):
        (doc,) = docs
        seen.append(doc)
        assert doc is not predicted
        assert [ent.text for ent in doc.ents] == [
            *("Mira Okafor", "Kestrel Lines", "Bergen")
        ]
        assert doc.has_annotation("ENT_IOB", require_complete=True)
        assert "relations" not in doc.spans
        assert numpy.array_equal(doc.tensor, predicted.tensor)
        assert [token.is_sent_start for token in doc] == [
            token.is_sent_start for token in predicted
        ]
        assert doc.cats == predicted.cats
        assert [span.text for span in doc.spans["mine"]] == ["Mira Okafor left"]
        assert doc.text == predicted.text

    before = predicted.to_bytes()
    assert rounded(score_relations_given_entities([example], look)) == (0.0, 0.0, 0.0)
    assert len(seen) == 1
    assert example.predicted is predicted
    assert predicted.to_bytes() == before
    assert len(get_relations(predicted)) == 1


def test_what_was_predicted_before_does_not_count(example):
    """A pass that finds nothing finds nothing."""
    gold = make_doc([PER, ORG, LOC], GOLD)
    perfect = Example(make_doc([PER, ORG, LOC], GOLD), gold)
    scores = score_relations_given_entities([perfect], lambda docs: None)
    assert rounded(scores) == (0.0, 0.0, 0.0)


def test_entities_are_aligned_to_predicted_tokens():
    words = ["Mira Okafor", "left", "Kes", "trel", "Lines", "for", "Bergen", "."]
    spaces = [True, True, False, True, True, True, False, False]
    predicted = make_doc([], None, words, spaces)
    example = Example(predicted, make_doc([PER, ORG], GOLD[:1]))
    assert predicted.text == example.reference.text
    scores = score_relations_given_entities([example], leaves)
    assert rounded(scores) == (1.0, 1.0, 1.0)


def test_an_entity_that_stands_on_no_tokens_is_a_miss():
    """ "left Kestrel" is one token, so that "Kestrel Lines" cannot be given."""
    words = ["Mira", "Okafor", "left Kestrel", "Lines", "for", "Bergen", "."]
    spaces = [True, True, True, True, True, False, False]
    predicted = make_doc([], None, words, spaces)
    example = Example(predicted, make_doc([PER, ORG, LOC], GOLD))
    scores = score_relations_given_entities([example], leaves)
    # found: Left(PER, LOC); gold: Left(PER, ORG) and Went_To(PER, LOC)
    assert rounded(scores) == (0.0, 0.0, 0.0)


def test_gold_relations_whose_arguments_are_no_entities_are_misses():
    example = Example(make_doc([], None), make_doc([PER, ORG], GOLD))
    scores = score_relations_given_entities([example], leaves)
    # Left(PER, ORG) is found; Bergen is no entity: 1 of 1 predicted, 1 of 2 gold ones
    assert rounded(scores) == (1.0, 0.5, 0.6667)


def test_arguments_of_a_span_group():
    """They may overlap; `doc.ents` stay those that were predicted."""
    given = (0, 1, "PER")
    reference = make_doc(None, [(given, "Left", PER), (given, "Left", ORG)])
    reference.spans["args"] = [Span(reference, *each) for each in (given, PER, ORG)]
    predicted = make_doc([LOC], [])
    predicted.spans["args"] = [predicted[2:3]]

    def relate(docs):
        for doc in docs:
            assert [ent.text for ent in doc.ents] == ["Bergen"]
            first, *others = doc.spans["args"]
            set_relations(doc, [Relation(first, other, "Left") for other in others])

    example = Example(predicted, reference)
    scores = score_relations_given_entities([example], relate, spans_key="args")
    assert rounded(scores) == (1.0, 1.0, 1.0)
    assert [span.text for span in predicted.spans["args"]] == ["left"]
    none = score_relations_given_entities([example], relate, spans_key="others")
    assert none == dict.fromkeys(KEYS)


def test_documents_that_are_not_annotated_are_left_out(example):
    asked = []

    def count(docs):
        asked.extend(docs)
        leaves(docs)

    without = [
        Example(make_doc([PER], []), make_doc([PER, ORG, LOC], None)),
        Example(make_doc([PER], []), make_doc(None, GOLD)),
    ]
    scores = score_relations_given_entities([*without, example, *without], count)
    assert rounded(scores) == (0.5, 0.5, 0.5)
    assert len(asked) == 1
    assert score_relations_given_entities(without, count) == dict.fromkeys(KEYS)
    assert score_relations_given_entities([], count) == dict.fromkeys(KEYS)


def test_documents_are_copied_a_batch_at_a_time(example):
    sizes = []

    def count(docs):
        sizes.append(len(docs))
        leaves(docs)

    examples = [example] * (2 * BATCH_SIZE + 3)
    scores = score_relations_given_entities(iter(examples), count)
    assert sizes == [BATCH_SIZE, BATCH_SIZE, 3]
    assert rounded(scores) == (0.5, 0.5, 0.5)


def test_empty_documents():
    empty = Example(make_doc([], [], [], []), make_doc([], [], [], []))
    assert rounded(score_relations_given_entities([empty], leaves)) == (0.0, 0.0, 0.0)


def test_tokens_that_a_later_component_merged(example):
    """A span group no longer stands on tokens, which `doc.copy()` does not allow."""
    doc = example.predicted
    doc.spans["mine"] = [doc[5:6]]
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[5:7])
    with pytest.raises(ValueError, match="E1052"):
        doc.copy()
    again = Example(doc, example.reference)
    scores = score_relations_given_entities([again], leaves)
    # "for Bergen" is no entity: Left(PER, ORG) is 1 of 1 predicted, 1 of 2 gold ones
    assert rounded(scores) == (1.0, 0.5, 0.6667)


# The registered scorer


def scorer(**settings):
    return registry.scorers.get("spacy-attnner.relation_scorer.v1")(**settings)


def test_the_scorer_reports_it_when_it_is_given_a_prediction(example):
    scores = scorer()([example], predict=leaves, threshold=0.5, labels=())
    assert rounded(scores) == (0.5, 0.5, 0.5)
    assert rounded(scores, "rel") == (0.0, 0.0, 0.0)
    assert scores.keys() >= KEYS


@pytest.mark.parametrize("settings", [{}, {"gold_entities": False}])
def test_keys_are_the_same_without(example, settings):
    predict = {"predict": leaves} if settings else {}
    scores = scorer(**settings)([example], **predict)
    assert {key: scores[key] for key in KEYS} == dict.fromkeys(KEYS)
    assert scores["rel_f"] == 0.0


def test_the_scorer_passes_the_span_group_on(example):
    scores = scorer(spans_key="args")([example], predict=leaves)
    assert scores["rel_gold_ents_f"] is None
    assert scores["rel_f"] == 0.0


def test_the_scorer_takes_any_iterable(example):
    scores = scorer()(iter([example, example]), predict=leaves)
    assert scores["rel_gold_ents_f"] == 0.5
    assert scores["rel_f"] == 0.0
