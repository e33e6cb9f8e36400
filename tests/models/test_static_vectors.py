"""Static vectors: which row a word finds, and what happens without the right table."""

import pickle

import numpy
import pytest
import spacy
from spacy.tokens import Doc
from spacy.vectors import Vectors

from spacy_attnner.models.batch import Batch
from spacy_attnner.models.static_vectors import static_vectors
from spacy_attnner.models.word_layers import tok2vec_of_words
from spacy_attnner.vectors import AttrVectors

WORDS = {"harbour": 0, "tromsø": 1, "ferry": 2}
WIDTH = 3
DATA = numpy.arange(1.0, 10.0, dtype="float32").reshape(3, WIDTH)


def make_table(kind, strings, data=DATA, name="invented"):
    if kind == "AttrVectors":
        table = AttrVectors(strings=strings, attr="LOWER")
        table.name = name
    else:
        table = Vectors(strings=strings, name=name, attr=kind)
    table.resize((len(WORDS), data.shape[1]))
    for word, row in WORDS.items():
        table.add(strings.add(word), vector=data[row])
    return table


def make_nlp(kind="ORTH"):
    if kind != "AttrVectors":
        return spacy.blank("en")
    config = {"nlp": {"vectors": {"@vectors": "spacy-attnner.Vectors.v1"}}}
    return spacy.blank("en", config=config)


@pytest.fixture
def nlp():
    return make_nlp()


@pytest.fixture
def give():
    """`give(kind)`: a pipeline, its vocab with the table of invented vectors."""

    def set_vectors(kind="LOWER", **settings):
        nlp = make_nlp(kind)
        nlp.vocab.vectors = make_table(kind, nlp.vocab.strings, **settings)
        return nlp

    return set_vectors


def words_of(*docs):
    return Batch(docs).tokens


def make_layer(*docs, width=WIDTH):
    layer = static_vectors(width)
    layer.initialize(X=words_of(*docs))
    layer.set_param("W", numpy.eye(width, WIDTH, dtype="float32"))
    return layer


@pytest.mark.parametrize("kind", ["LOWER", "ORTH", "AttrVectors"])
def test_capitalised_words_find_the_lower_case_row(kind, give):
    nlp = give(kind)
    doc = nlp("HARBOUR Tromsø ferry Ferry")
    found = make_layer(doc).predict(words_of(doc))
    numpy.testing.assert_array_equal(found, DATA[[0, 1, 2, 2]])


@pytest.mark.parametrize("kind", ["LOWER", "ORTH", "AttrVectors"])
def test_they_still_do_after_the_pipeline_was_saved(kind, give, tmp_path):
    nlp = give(kind)
    layer = make_layer(nlp("ferry"))
    nlp.to_disk(tmp_path)
    from_bytes = make_nlp(kind).from_bytes(nlp.to_bytes())
    for loaded in (spacy.load(tmp_path), from_bytes):
        doc = loaded("HARBOUR Tromsø ferry Ferry")
        found = layer.predict(words_of(doc))
        numpy.testing.assert_array_equal(found, DATA[[0, 1, 2, 2]])


def test_a_row_for_the_word_as_it_stands_is_preferred(give):
    nlp = give("ORTH")
    nlp.vocab.vectors.resize((4, WIDTH))
    nlp.vocab.vectors.add("Ferry", vector=numpy.array([7.0, 5.0, 3.0]))
    doc = nlp("Ferry ferry")
    found = make_layer(doc).predict(words_of(doc))
    numpy.testing.assert_array_equal(found, [[7.0, 5.0, 3.0], DATA[2]])


@pytest.mark.parametrize("kind", ["LOWER", "ORTH"])
def test_unknown_words_are_zero(kind, give):
    doc = give(kind)("zyxt Ferry 17 \n")
    found = make_layer(doc).predict(words_of(doc))
    numpy.testing.assert_array_equal(found[1], DATA[2])
    assert not found[[0, 2, 3]].any()


def test_subword_vectors_know_every_word(nlp):
    """floret: a vector is the mean of the rows that a word's pieces hash to."""
    nlp.vocab.vectors = Vectors(
        strings=nlp.vocab.strings,
        name="floret",
        data=numpy.random.normal(size=(11, WIDTH)).astype("float32"),
        mode="floret",
        hash_count=2,
        minn=2,
        maxn=3,
    )
    doc = nlp("ferry zyxt ferry")
    found = make_layer(doc).predict(words_of(doc))
    expected = nlp.vocab.vectors.get_batch([token.orth for token in doc])
    numpy.testing.assert_allclose(found, expected)
    assert found.any(1).all()


def test_documents_without_tokens(give):
    nlp = give()
    layer = make_layer(nlp("ferry"), width=5)
    assert layer.predict(words_of(nlp(""))).shape == (0, 5)
    found = layer.predict(words_of(nlp(""), nlp("ferry"), nlp("")))
    numpy.testing.assert_array_equal(found[:, :WIDTH], DATA[[2]])


def test_the_gradient_of_the_projection(give):
    doc = give()("Ferry unknown harbour")
    layer = make_layer(doc, width=2)
    _, backprop = layer.begin_update(words_of(doc))
    d_Y = numpy.array([[1, 0], [0, 5], [2, 3]], dtype="float32")
    assert backprop(d_Y) == []
    expected = numpy.outer(d_Y[0], DATA[2]) + numpy.outer(d_Y[2], DATA[0])
    numpy.testing.assert_allclose(layer.get_grad("W"), expected)


def test_no_vectors(nlp, build, configs):
    model = build(configs["WordEmbed"], vector_width=5)
    message = "uses static vectors and the vocab has none: set initialize.vectors"
    with pytest.raises(ValueError, match=message):
        model.initialize(X=[nlp("ferry")])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": DATA[[1, 2, 0]]}, r"invented \(3 x 3, by LOWER\), the vocab has"),
        (
            {"data": numpy.ones((3, 5), dtype="float32")},
            r"has invented \(3 x 5, by LOW",
        ),
    ],
)
def test_another_table(changes, message, give, build, configs):
    nlp = give()
    model = build(configs["WordEmbed"], vector_width=5)
    model.initialize(X=[nlp("ferry")])
    loaded = build(configs["WordEmbed"], vector_width=5)
    loaded.from_bytes(model.to_bytes())
    assert loaded.predict([nlp("ferry")])[0].shape == (1, 15)
    with pytest.raises(ValueError, match=message):
        loaded.predict([give(**changes)("ferry")])


@pytest.mark.parametrize("kind", ["LOWER", "ORTH", "AttrVectors"])
def test_the_same_table_in_another_state(kind, give):
    """Grown, as by merging tokens, renamed, moved, pickled: all the same table."""
    nlp = give(kind, name="first")
    layer = make_layer(nlp("ferry"))
    expected = layer.predict(words_of(nlp("Ferry harbour")))
    for renamed in ("first", "second"):
        nlp.vocab.vectors.name = renamed
        doc = nlp("Tromsø ferry harbour")
        with doc.retokenize() as retokenizer:
            retokenizer.merge(doc[0:2])
        nlp.vocab.set_vector(f"{renamed} word", numpy.ones(WIDTH, dtype="float32"))
        words = words_of(nlp("Ferry harbour"))
        assert layer.predict(words).tolist() == expected.tolist()
        loaded = make_layer(give(kind)("ferry")).from_bytes(layer.to_bytes())
        assert loaded.predict(words).tolist() == expected.tolist()
    other = pickle.loads(pickle.dumps(nlp.vocab))
    doc = Doc(other, words=["Ferry", "harbour"])
    assert layer.predict(words_of(doc)).tolist() == expected.tolist()


def test_a_table_that_is_looked_up_otherwise(give):
    layer = make_layer(give("ORTH")("ferry"))
    with pytest.raises(ValueError, match=r"by ORTH\), the vocab has .* by LOWER"):
        layer.predict(words_of(give("AttrVectors")("ferry")))


def test_a_table_of_subwords_is_known_again(nlp):
    def table(seed):
        data = numpy.random.default_rng(seed).normal(size=(11, WIDTH)).astype("float32")
        settings = {"mode": "floret", "hash_count": 2, "minn": 2, "maxn": 3}
        return Vectors(strings=nlp.vocab.strings, data=data, name="floret", **settings)

    nlp.vocab.vectors = table(0)
    layer = make_layer(nlp("ferry"))
    assert layer.predict(words_of(nlp("zyxt"))).any()
    nlp.vocab.vectors = table(1)
    with pytest.raises(ValueError, match=r"trained with the vectors floret \(11 x 3"):
        layer.predict(words_of(nlp("ferry")))


def test_no_table_any_more(give):
    layer = make_layer(give()("ferry"))
    with pytest.raises(
        ValueError, match="load it with the vectors that it was trained with"
    ):
        layer.predict(words_of(spacy.blank("en")("ferry")))


def test_prediction_projects_every_word_and_training_every_token_alike(give):
    nlp = give("AttrVectors")
    docs = [nlp("Ferry, harbour: ferry!"), nlp(""), nlp("A ferry to Tromsø")]
    layer = static_vectors(5)
    model = tok2vec_of_words(layer)
    model.initialize(X=docs)
    Y, backprop = model(docs, True)
    for found, expected in zip(model.predict(docs), Y, strict=True):
        assert numpy.allclose(found, expected, atol=1e-6)
    assert Y[0].any()
    backprop([numpy.ones_like(y) for y in Y])
    # each place of a word counts: ferry three times, the others once
    expected = DATA[0] + DATA[1] + 3 * DATA[2]
    assert numpy.allclose(layer.get_grad("W"), numpy.tile(expected, (5, 1)))
