"""Scores of relations that count how sure their entities are."""

import pytest
from spacy.training import Example

from spacy_attnner.confidence import confidences
from spacy_attnner.confidence import set_confidences as set_pairs
from spacy_attnner.models.candidate_pairs import make_candidate_pairs
from spacy_attnner.relations import get_relations
from spacy_attnner.scoring import score_relations_given_entities

SURE = {"PER": 0.9, "ORG": 0.5, "LOC": 0.75}  # of the entities of a type


pytestmark = pytest.mark.parametrize("task", ["attn_rel"], indirect=True)


@pytest.fixture
def rel(task):
    return task


@pytest.fixture
def nlp(trained, monkeypatch):
    """The shared pipeline, with settings of its own for as long as a test."""
    pipe = trained.get_pipe("attn_rel")
    monkeypatch.setattr(pipe, "cfg", {**pipe.cfg, "threshold": 0.0})
    return trained


def set_confidences(doc, sure=SURE, key="attn_ner"):
    set_pairs(doc, [(ent, sure[ent.label_]) for ent in doc.ents], key)
    return doc


def scores(doc):
    return {(r.head.text, r.tail.text, r.label): r.score for r in get_relations(doc)}


def product(doc, relation):
    types = {ent.text: ent.label_ for ent in doc.ents}
    head, tail, _ = relation
    return SURE[types[head]] * SURE[types[tail]]


def test_all_three_probabilities_are_multiplied(nlp, rel):
    given = scores(nlp(rel.doc(nlp, rel.sentences[0])))
    doc = nlp(set_confidences(rel.doc(nlp, rel.sentences[0])))
    assert len(given) == 9  # pairs of known types, labels
    assert scores(doc) == {
        relation: pytest.approx(score * product(doc, relation), abs=2e-6)
        for relation, score in given.items()
    }


def test_without_the_setting_entities_are_certain(nlp, rel):
    given = scores(nlp(rel.doc(nlp, rel.sentences[0])))
    pipe = nlp.get_pipe("attn_rel")
    pipe.entity_confidence = False
    assert scores(nlp(set_confidences(rel.doc(nlp, rel.sentences[0])))) == given


def test_some_entities_without_a_confidence(nlp, rel):
    given = scores(nlp(rel.doc(nlp, rel.sentences[0])))
    doc = rel.doc(nlp, rel.sentences[0])
    person = [ent for ent in doc.ents if ent.label_ == "PER"]
    set_pairs(doc, [(person[0], 0.25)], "rules")
    for relation, score in scores(nlp(doc)).items():
        of_person = relation[0] == person[0].text
        expected = given[relation] * (0.25 if of_person else 1.0)
        assert score == pytest.approx(expected, abs=2e-6)


def test_arguments_of_a_layer_count_with_its_scores(nlp, rel, monkeypatch):
    """Not with those of `doc.ents`, which are the same spans here."""
    pipe = nlp.get_pipe("attn_rel")
    layer = make_candidate_pairs(spans_key="layer")
    monkeypatch.setattr(pipe, "get_candidates", layer)
    given = scores(nlp(rel.doc(nlp, rel.sentences[0])))
    assert given == {}
    doc = rel.doc(nlp, rel.sentences[0])
    set_pairs(doc, [(ent, 0.5) for ent in doc.ents], "layer", layer=True)
    alone = scores(nlp(doc.copy()))
    assert alone
    assert scores(nlp(set_confidences(doc))) == alone


def test_the_threshold_is_one_of_the_product(nlp, rel):
    nlp.get_pipe("attn_rel").threshold = 0.5
    doc = rel.doc(nlp, rel.sentences[0])
    assert len(scores(nlp(doc))) == 2
    unsure = dict.fromkeys(SURE, 0.7)  # 0.49 of two of them
    assert scores(nlp(set_confidences(doc, unsure))) == {}


def test_given_entities_are_certain(nlp, rel):
    """Predicted confidences say nothing of the entities of the annotation."""
    pipe = nlp.get_pipe("attn_rel")
    pipe.threshold = 0.5
    references = [rel.example(nlp, each).reference for each in rel.sentences]

    def scored(prepare):
        predicted = [rel.doc(nlp, sentence) for sentence in rel.sentences]
        pairs = zip(predicted, references, strict=True)
        examples = [Example(prepare(doc), reference) for doc, reference in pairs]
        return score_relations_given_entities(examples, pipe._annotate)

    unsure = dict.fromkeys(SURE, 0.1)
    assert scored(lambda doc: set_confidences(doc, unsure)) == scored(lambda doc: doc)


def test_thresholds_are_fitted_to_the_same_scores(nlp, rel):
    pipe = nlp.get_pipe("attn_rel")
    examples = rel.examples(nlp)
    certain = pipe.fit_thresholds(examples)
    for example in examples:
        set_confidences(example.predicted, dict.fromkeys(SURE, 0.5))
    unsure = pipe.fit_thresholds(examples)
    assert certain.keys() == unsure.keys()
    assert all(unsure[label] < 0.3 < certain[label] for label in certain)


def test_confidences_of_spans(nlp, rel):
    doc = set_confidences(rel.doc(nlp, rel.sentences[0]))
    set_confidences(doc, dict.fromkeys(SURE, 0.1), key="later")
    set_confidences(doc)  # the last one to set them counts
    person = doc.ents[0]
    spans = [person, doc[person.start : person.end], doc[0:1]]
    found = confidences(doc, spans)
    assert found == [span._.confidence for span in spans] == [0.9, 0.9, None]
