import numpy
from spacy.tokens import Doc
from thinc.api import Model

WORDS = ["Ferry", "to", "Bergen", ",", "FERRY", "to", "Oslo"]


def test_the_other_places_of_a_word_reach_a_token(blank, trained):
    model = trained("DocumentContext")
    alone = Doc(blank.vocab, words=["Lind", "left", "early"])
    with_more = Doc(blank.vocab, words=["Lind", "left", "early"] + WORDS * 4)
    again = Doc(blank.vocab, words=["Lind", "left", "early"] + WORDS * 3 + ["LIND"] * 7)
    Y = [model.predict([doc])[0][0] for doc in (alone, with_more, again)]
    assert not numpy.allclose(Y[0], Y[1], atol=1e-3)
    assert not numpy.allclose(Y[1], Y[2], atol=1e-3)


def test_a_width_of_its_own(blank, build, configs):
    model = build(configs["DocumentContext"], width=14)  # the encoder's
    assert (
        next(layer.name for layer in model.layers)
        == build(configs["AttentionEncoder"]).name
    )
    model = build(configs["DocumentContext"], width=10)
    docs = [Doc(blank.vocab, words=WORDS)]
    model.initialize(X=docs)
    assert model.predict(docs)[0].shape == (7, 10)


def test_sentences_are_encoded_by_themselves(blank, trained):
    starts = [True, False, False, True, False, False, False]
    whole = Doc(blank.vocab, words=WORDS, sent_starts=starts)
    parts = [Doc(blank.vocab, words=WORDS[:3]), Doc(blank.vocab, words=WORDS[3:])]
    model = trained("AttentionEncoder", sentences=True)
    expected = numpy.concatenate(model.predict(parts))
    numpy.testing.assert_allclose(model.predict([whole])[0], expected, atol=1e-6)
    blind = trained("AttentionEncoder")
    expected = numpy.concatenate(blind.predict(parts))
    assert not numpy.allclose(blind.predict([whole])[0], expected, atol=1e-3)


def test_an_array_that_somebody_keeps_is_not_overwritten(blank, build, configs):
    """As a listener's, which other components read as well."""
    doc = Doc(blank.vocab, words=WORDS)
    kept = numpy.ones((len(doc), 10), dtype="float32")
    keeper = Model("keeper", lambda model, X, is_train: ([kept], None), dims={"nO": 10})
    model = build(configs["DocumentContext"], tok2vec=keeper)
    model.initialize(X=[doc])
    assert not numpy.array_equal(model.predict([doc])[0], kept)
    assert (kept == 1.0).all()


def test_a_prediction_is_that_of_training_without_dropout(blank, trained):
    model = trained("DocumentContext")
    docs = [Doc(blank.vocab, words=WORDS * 9), Doc(blank.vocab, words=WORDS)]
    for batch in (docs, docs[:1]):
        expected, _ = model(batch, is_train=True)
        for found, Y in zip(model.predict(batch), expected, strict=True):
            numpy.testing.assert_allclose(found, Y, atol=1e-5)
