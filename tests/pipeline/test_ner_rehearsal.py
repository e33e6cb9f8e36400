"""`nlp.rehearse`: learning something new without forgetting what was known."""

import numpy
import pytest
from spacy.training import Example


@pytest.fixture
def ner(make_task):
    return make_task("attn_ner")


def known_f1(ner, nlp):
    return nlp.evaluate(ner.examples(nlp))["ents_f"]


def rehearse(ner, nlp, sgd, losses=None):
    texts = [nlp.make_doc(sentence[0]) for sentence in ner.sentences]
    examples = [Example(doc, doc.copy()) for doc in texts]
    return nlp.rehearse(examples, sgd=sgd, losses=losses)


@pytest.mark.parametrize("new_label", [False, True])
def test_rehearsal_keeps_what_updates_lose(ner, new_label):
    scores = []
    for rehearsed in (False, True):
        nlp = ner.trained(steps=80)
        assert known_f1(ner, nlp) == 1.0
        sgd = nlp.resume_training()
        sgd.learn_rate = 0.01
        if new_label:
            nlp.get_pipe("attn_ner").add_label(ner.new_label)
            examples = [ner.example(nlp, ner.new_sentence)]
        else:
            examples = [ner.negative_example(nlp, ner.new_sentence)]
        for _ in range(40):
            nlp.update(examples, sgd=sgd)
            if rehearsed:
                rehearse(ner, nlp, sgd)
        scores.append(known_f1(ner, nlp))
        learnt = nlp(ner.new_sentence[0]).ents
        assert [ent.label_ for ent in learnt] == ([ner.new_label] * new_label)
    assert scores[1] > 0.95
    assert scores[1] > scores[0]


def test_before_training_is_resumed_nothing_happens(ner):
    nlp = ner.trained(steps=10)
    before = nlp.to_bytes()
    losses = rehearse(ner, nlp, nlp.create_optimizer())
    assert losses is None or losses["attn_ner"] == 0.0
    assert nlp.to_bytes() == before


def test_the_loss_begins_small_and_counts_the_way_back(ner):
    nlp = ner.trained(steps=40)
    sgd = nlp.resume_training()
    sgd.learn_rate = 0.01
    losses = {}
    rehearse(ner, nlp, sgd, losses)
    assert 0.0 <= losses["attn_ner"] < 0.05  # some words are hidden in training
    for _ in range(5):
        nlp.update([ner.negative_example(nlp, ner.sentences[0])], sgd=sgd)
    moved = {}
    rehearse(ner, nlp, sgd, moved)
    for _ in range(30):
        back = {}
        rehearse(ner, nlp, sgd, back)
    assert moved["attn_ner"] > 2 * losses["attn_ner"]
    assert back["attn_ner"] < 0.5 * moved["attn_ner"]


def test_the_teacher_stays_as_it_was(ner):
    nlp = ner.trained(steps=20)
    sgd = nlp.resume_training()
    pipe = nlp.get_pipe("attn_ner")
    docs = [nlp.make_doc(ner.sentences[0][0])]
    (before,) = pipe._rehearsal_model.predict(docs)
    nlp.update([ner.negative_example(nlp, ner.sentences[0])], sgd=sgd)
    (after,) = pipe._rehearsal_model.predict(docs)
    numpy.testing.assert_array_equal(before, after)
    (own,) = pipe.model.predict(docs)
    assert not numpy.allclose(own, before)


def test_nothing_to_read(ner):
    nlp = ner.trained(steps=2)
    sgd = nlp.resume_training()
    pipe = nlp.get_pipe("attn_ner")
    doc = nlp.make_doc("")
    assert pipe.rehearse([Example(doc, doc.copy())], sgd=sgd) == {"attn_ner": 0.0}
    assert pipe.rehearse([], sgd=sgd) == {"attn_ner": 0.0}
