"""`attn_rel`: which pairs it looks at, and what it misses."""

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_attnner.relations import (
    Relation,
    get_relations,
    has_relations,
    set_relations,
)

WORDS = ["Mira", "Okafor", "works", "for", "Kestrel", "Lines", "in", "Bergen", "."]


@pytest.fixture
def rel(make_task):
    return make_task("attn_rel")


def all_pairs(settings=None):
    return {
        "get_candidates": {"@misc": "spacy-attnner.CandidatePairs.v1"}
        | (settings or {})
    }


def texts(candidates):
    spans = candidates.spans
    return {(spans[h].text, spans[t].text) for h, t in candidates.pairs.tolist()}


def test_only_types_that_relations_joined_in_training(rel, make_task):
    nlp = rel.blank()
    nlp.initialize(lambda: rel.examples(nlp))
    pipe = nlp.get_pipe("attn_rel")
    doc = rel.doc(nlp, rel.sentences[0])
    assert pipe.cfg["types"] == [["ORG", "LOC"], ["PER", "LOC"], ["PER", "ORG"]]
    assert texts(pipe.candidates(doc)) == {
        ("Mira Okafor", "Kestrel Lines"),
        ("Mira Okafor", "Bergen"),
        ("Kestrel Lines", "Bergen"),
    }
    free = make_task("attn_rel", {"known_types_only": False}).blank()
    assert len(free.get_pipe("attn_rel").candidates(doc)) == 6


def test_known_types_are_saved(rel):
    nlp = rel.trained(steps=1)
    loaded = spacy.blank("en", config=nlp.config).from_bytes(nlp.to_bytes())
    types = nlp.get_pipe("attn_rel").cfg["types"]
    assert loaded.get_pipe("attn_rel").cfg["types"] == types


def test_types_that_a_later_update_joins_are_learnt(rel):
    nlp = rel.blank()
    sgd = nlp.initialize(lambda: rel.examples(nlp))
    pipe = nlp.get_pipe("attn_rel")
    assert ["PER", "PER"] not in pipe.cfg["types"]
    pipe.add_label(rel.new_label)
    nlp.update([rel.example(nlp, rel.new_sentence)], sgd=sgd)
    assert ["PER", "PER"] in pipe.cfg["types"]


@pytest.mark.parametrize(
    ("settings", "n_pairs"),
    [({}, 6), ({"max_length": 1}, 2), ({"max_length": 2}, 4), ({"max_length": 5}, 6)],
)
def test_max_length(make_task, settings, n_pairs):
    """Two tokens lie between Okafor and Kestrel, one between Lines and Bergen."""
    task = make_task("attn_rel", {**all_pairs(settings), "known_types_only": False})
    nlp = task.blank()
    doc = task.doc(nlp, task.sentences[0])
    assert len(nlp.get_pipe("attn_rel").candidates(doc)) == n_pairs


def test_same_sentence(make_task):
    settings = all_pairs({"same_sentence": True}) | {"known_types_only": False}
    nlp = make_task("attn_rel", settings).blank()
    doc = Doc(nlp.vocab, words=WORDS, sent_starts=[i in (0, 4) for i in range(9)])
    doc.ents = [Span(doc, 0, 2, "PER"), Span(doc, 4, 6, "ORG"), Span(doc, 7, 8, "LOC")]
    found = texts(nlp.get_pipe("attn_rel").candidates(doc))
    assert found == {("Kestrel Lines", "Bergen"), ("Bergen", "Kestrel Lines")}


def test_arguments_of_a_span_group_may_overlap(make_task):
    """Trained on overlapping arguments, which `doc.ents` could not hold."""
    task = make_task("attn_rel", all_pairs({"spans_key": "mine"}))
    nlp = task.blank()

    def make_doc(*, gold):
        doc = Doc(nlp.vocab, words=WORDS)
        spans = [
            Span(doc, 0, 1, "GIVEN"),
            Span(doc, 0, 2, "PER"),
            Span(doc, 4, 6, "ORG"),
            Span(doc, 4, 6, "PLACE"),
        ]
        doc.spans["mine"] = [*spans, spans[1]]  # twice the same
        if gold:
            relations = [(0, 1, "Part_Of"), (1, 2, "Works_For"), (1, 3, "Works_At")]
            set_relations(
                doc, [Relation(spans[h], spans[t], r) for h, t, r in relations]
            )
        return doc

    examples = [Example(make_doc(gold=False), make_doc(gold=True))]
    sgd = nlp.initialize(lambda: examples)
    task.train(nlp, examples, 60, sgd)
    found = {
        (r.head.text, r.head.label_, r.label, r.tail.text, r.tail.label_)
        for r in get_relations(nlp(make_doc(gold=False)))
    }
    assert found == {
        ("Mira", "GIVEN", "Part_Of", "Mira Okafor", "PER"),
        ("Mira Okafor", "PER", "Works_For", "Kestrel Lines", "ORG"),
        ("Mira Okafor", "PER", "Works_At", "Kestrel Lines", "PLACE"),
    }


def test_a_pair_that_is_never_a_candidate_is_a_miss(make_task):
    """It costs no loss, for it cannot be learnt, but it counts against recall."""
    task = make_task("attn_rel", all_pairs({"max_length": 4}))
    far = (
        "Tom Lind , who says that he likes rain , lives in Stavanger .",
        [(0, 2, "PER"), (12, 13, "LOC")],
        [(0, 1, "Lives_In")],
        [],
    )
    nlp = task.trained()
    examples = task.examples(nlp)
    assert nlp.evaluate(examples)["rel_r"] == 1.0
    n_gold = sum(len(get_relations(example.reference)) for example in examples)
    scores = nlp.evaluate([*examples, task.example(nlp, far)])
    assert scores["rel_p"] == 1.0
    assert scores["rel_r"] == pytest.approx(n_gold / (n_gold + 1))
    far_example = task.example(nlp, far)
    losses = nlp.update([far_example], sgd=nlp.create_optimizer())
    assert losses["attn_rel"] == 0.0


def test_entities_that_were_not_predicted_are_misses(rel):
    nlp = rel.trained()
    example = rel.example(nlp, rel.sentences[0])
    example.predicted.ents = [Span(example.predicted, 0, 2, "PER")]
    scores = nlp.evaluate([example])
    assert (scores["rel_p"], scores["rel_r"]) == (0.0, 0.0)


def test_other_tokens_than_the_reference(rel):
    """Gold pairs are found by their characters, whatever the tokens."""
    nlp = rel.blank()
    examples = rel.examples(nlp)
    sgd = nlp.initialize(lambda: examples)
    text, entities, relations, _ = rel.sentences[0]
    reference = Doc(
        nlp.vocab,
        words=[
            "Mira Okafor",
            "works",
            "for",
            "Kestrel",
            "Li",
            "nes",
            "in",
            "Bergen",
            ".",
        ],
        spaces=[True, True, True, True, False, True, True, True, False],
    )
    assert reference.text == text
    bounds = [(0, 1, "PER"), (3, 6, "ORG"), (7, 8, "LOC")]
    spans = [Span(reference, *bound) for bound in bounds]
    reference.ents = spans
    gold = [Relation(spans[h], spans[t], label) for h, t, label in relations]
    set_relations(reference, gold)
    other = [Example(rel.doc(nlp, rel.sentences[0]), reference), *examples[1:]]
    rel.train(nlp, other, 90, sgd)
    for sentence in rel.sentences:
        doc = nlp(rel.doc(nlp, sentence))
        assert rel.answers(doc) == rel.gold(nlp, sentence)
    assert nlp.evaluate(other)["rel_f"] == 1.0
    assert len(entities) == 3


def test_a_document_without_entities_gets_empty_annotation(rel):
    nlp = rel.trained(steps=1)
    for doc in nlp.pipe(["", "Rain .", "\n"]):
        assert has_relations(doc)
        assert doc._.relations == []
        assert doc._.rel == {}


def test_relations_are_replaced(rel):
    nlp = rel.trained()
    doc = rel.doc(nlp, rel.sentences[1])
    wrong = [Relation(doc.ents[1], doc.ents[0], "Wrong")]
    set_relations(doc, wrong)
    assert [relation.label for relation in nlp(doc)._.relations] == ["Lives_In"]


def test_threshold(rel):
    nlp = rel.trained(steps=8)
    pipe = nlp.get_pipe("attn_rel")
    pipe.threshold = 0.0
    doc = rel.doc(nlp, rel.sentences[0])
    scores = sorted(rel.found(nlp(doc)).values())
    assert len(scores) == 3 * 3  # pairs, labels
    for threshold in (scores[0], scores[4], 1.0):
        pipe.threshold = threshold
        found = rel.found(nlp(rel.doc(nlp, rel.sentences[0])))
        assert len(found) == pytest.approx(sum(s >= threshold for s in scores), abs=1)
        assert all(score >= threshold - 1e-6 for score in found.values())


@pytest.mark.parametrize("threshold", [-0.1, 1.5])
def test_impossible_threshold(make_task, threshold):
    with pytest.raises(ValueError, match=rf"threshold {threshold} of 'attn_rel'"):
        make_task("attn_rel", {"threshold": threshold}).blank()


def test_several_labels_for_one_pair(rel):
    nlp = rel.blank()

    def example():
        made = rel.example(nlp, rel.sentences[1])
        head, tail = made.reference.ents
        both = [Relation(head, tail, "Lives_In"), Relation(head, tail, "Born_In")]
        set_relations(made.reference, both)
        return made

    sgd = nlp.initialize(lambda: [example()])
    rel.train(nlp, [example()], 40, sgd)
    doc = nlp(rel.doc(nlp, rel.sentences[1]))
    assert {relation.label for relation in doc._.relations} == {"Born_In", "Lives_In"}


def test_many_entities(rel):
    """Pairs that stand far apart are not looked at, so cost stays linear."""
    nlp = rel.trained()
    text, entities, _, _ = rel.sentences[0]
    doc = nlp.make_doc(" ".join([text] * 101))
    doc.ents = [
        Span(doc, start + 9 * i, end + 9 * i, label)
        for i in range(101)
        for start, end, label in entities
    ]
    pairs = nlp.get_pipe("attn_rel").candidates(doc)
    assert len(pairs) < 303 * 50
    found = nlp(doc)._.relations
    assert len(found) > 100
    assert max(abs(r.head.start - r.tail.start) for r in found) <= 64 + 2
