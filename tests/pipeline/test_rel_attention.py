"""What a pair attends to, and thresholds of single labels in a pipeline."""

import numpy
import pytest
import spacy

from spacy_attnner.relations import get_relations


@pytest.fixture
def rel(make_task):
    return make_task("attn_rel")


def test_attention_of_a_relation(rel):
    nlp = rel.trained(steps=40)
    doc = rel.doc(nlp, rel.sentences[0])
    nlp.get_pipe("attn_rel")(doc)
    found = get_relations(doc)
    assert found
    pairs = [(relation.head, relation.tail) for relation in found]
    weights = nlp.get_pipe("attn_rel").attention(doc, pairs)
    assert len(weights) == len(pairs)
    for of_pair in weights:
        assert of_pair.shape == (2, len(doc))
        numpy.testing.assert_allclose(of_pair.sum(1), 1.0, rtol=1e-5)


def test_attention_reads_the_context_alone(make_task):
    model = {"context": 0}
    nlp = make_task("attn_rel", {"model": model}).trained(steps=1)
    doc = nlp.make_doc("then Mira went to Bergen by night")
    head, tail = doc[1:2], doc[4:5]
    (weights,) = nlp.get_pipe("attn_rel").attention(doc, [(head, tail)])
    assert not weights[:, [0, 5, 6]].any()
    assert (weights[:, 1:5] > 0).all()


def test_a_model_without_attention(make_task):
    nlp = make_task("attn_rel", {"model": {"attention": False}}).trained(steps=1)
    doc = nlp.make_doc("Mira Bergen")
    with pytest.raises(ValueError, match="no attention over words"):
        nlp.get_pipe("attn_rel").attention(doc, [(doc[:1], doc[1:])])


def test_fitted_thresholds_are_stored_and_used(rel):
    nlp = rel.trained(steps=3)  # too few to reach 0.5
    examples = rel.examples(nlp)
    pipe = nlp.get_pipe("attn_rel")
    before = nlp.evaluate(rel.examples(nlp))["rel_f"]
    found = pipe.fit_thresholds(examples)
    assert set(found) == set(pipe.labels)
    after = nlp.evaluate(rel.examples(nlp))["rel_f"]
    assert after > before
    loaded = spacy.blank("en", config=nlp.config).from_bytes(nlp.to_bytes())
    assert loaded.get_pipe("attn_rel").thresholds == pytest.approx(found)
    assert loaded.evaluate(rel.examples(loaded))["rel_f"] == after


def test_thresholds_need_relations(rel):
    nlp = rel.trained(steps=1)
    examples = rel.examples(nlp)
    for example in examples:
        del example.reference.spans["relations"]
    with pytest.raises(ValueError, match="no relation is annotated"):
        nlp.get_pipe("attn_rel").fit_thresholds(examples)
