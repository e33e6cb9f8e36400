"""Hashed attributes: once per distinct one in prediction, each token in training."""

import numpy
import pytest
import spacy

from spacy_attnner.models.word_embed import build_word_embed

TEXTS = ["Rain and more rain.", "", "Rain", "NO RAIN"]


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:1], [""]])
def test_prediction_is_what_training_sees(texts):
    nlp = spacy.blank("en")
    docs = [nlp.make_doc(text) for text in texts]
    model = build_word_embed(
        vector_width=0, word_width=5, word_rows=31, word_dropout=0.0, shape_width=3
    )
    model.initialize(X=docs)
    predicted = model.predict(docs)
    trained, _ = model.begin_update(docs)
    for X, Y, doc in zip(predicted, trained, docs, strict=True):
        assert X.shape == (len(doc), 8)
        assert numpy.array_equal(X, Y)


def test_every_place_of_a_word_adds_to_its_gradient():
    nlp = spacy.blank("en")
    docs = [nlp.make_doc(text) for text in ("rain", "rain rain rain")]
    model = build_word_embed(
        vector_width=0, word_width=5, word_rows=31, word_dropout=0.0, shape_width=0
    )
    gradients = []
    for doc in docs:
        model.initialize(X=[doc])
        (Y,), backprop = model.begin_update([doc])
        backprop([numpy.ones_like(Y)])
        (table,) = (node for node in model.walk() if node.has_param("E"))
        gradients.append(table.get_grad("E").copy())
        table.set_grad("E", numpy.zeros_like(gradients[-1]))
    assert gradients[0].any()
    assert numpy.allclose(3 * gradients[0], gradients[1])
