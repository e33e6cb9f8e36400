"""Sums of n-grams: which n-grams a word has, and their gradients."""

import numpy
import pytest
import spacy
from thinc.api import fix_random_seed

from spacy_attnner.models.subwords import END, START, beginnings_and_ends, ngrams
from spacy_attnner.models.word_embed import build_word_embed

WORDS = ["rain", "", "a", "rain", "Regen\u0308bogen" * 9, "雨", "\x00", "😀"]


def spelt(word, sizes):
    """All n-grams, in the order of their sizes."""
    whole = f"{START}{word}{END}"
    return [whole[i : i + size] for size in sizes for i in range(len(whole) - size + 1)]


PARTS = {
    "subwords": {"subword_width": 5, "subword_rows": 97, "subword_sizes": (2, 3)},
    "affixes": {"affix_width": 5, "affix_rows": 97, "affix_sizes": (2, -1)},
}
parts = pytest.mark.parametrize("settings", PARTS.values(), ids=PARTS)


def model(**settings):
    made = build_word_embed(vector_width=0, shape_width=0, **settings)
    nlp = spacy.blank("xx")
    doc = spacy.tokens.Doc(nlp.vocab, words=["rain", "a", "rain", "rains"])
    made.initialize(X=[doc])
    return made, doc


@pytest.mark.parametrize("sizes", [(3,), (1, 2), (2, 5), (40,)])
def test_every_ngram_has_one_hash(sizes):
    words = [word for word in WORDS if len(word) < 20]
    hashes, counts = ngrams(words, sizes)
    expected = [spelt(word, sizes) for word in words]
    assert counts.tolist() == [len(each) for each in expected]
    every = [piece for each in expected for piece in each]
    pairs = set(zip(every, hashes.tolist(), strict=True))
    assert len(pairs) == len(set(hashes.tolist())) == len(set(every))


def test_words_do_not_depend_on_each_other():
    hashes, counts = ngrams(WORDS, (3, 4))
    alone = [ngrams([word], (3, 4))[0] for word in WORDS]
    assert counts.tolist() == [len(each) for each in alone]
    assert numpy.array_equal(hashes, numpy.concatenate(alone))
    assert ngrams([], (3,))[0].shape == (0,)


def test_beginnings_are_not_ends():
    first, last = (set(ngrams([word], (2,))[0].tolist()) for word in ("ab", "ba"))
    assert not first & last


@pytest.mark.parametrize("size", [1, 3, -1, -4])
def test_words_are_told_apart_by_their_affixes(size):
    found = beginnings_and_ends(WORDS, [5, size])[:, 1].tolist()
    expected = [word[:size] if size > 0 else word[size:] for word in WORDS]
    assert len(set(zip(expected, found, strict=True))) == len(set(found))
    assert len(set(found)) == len(set(expected))
    alone = [beginnings_and_ends([word], [size]).item() for word in WORDS]
    assert found == alone


def test_a_beginning_is_not_an_end():
    assert len(set(beginnings_and_ends(["aa"], [1, 2, -1, -2]).ravel().tolist())) == 4


@parts
def test_gradient(settings):
    made, doc = model(**settings)
    (table,) = (node for node in made.walk() if node.has_param("E"))
    fix_random_seed(1)
    dY = numpy.random.uniform(-1, 1, (4, made.get_dim("nO"))).astype("float32")
    _, backprop = made.begin_update([doc])
    backprop([dY])
    found = table.get_grad("E").copy()
    E = table.get_param("E").copy()
    expected = numpy.zeros_like(E)
    for place in numpy.ndindex(*E.shape):
        values = []
        for step in (0.5, -0.5):  # exact, as the layer is linear
            changed = E.copy()
            changed[place] += step
            table.set_param("E", changed)
            values.append(float((made.predict([doc])[0] * dY).sum()))
        expected[place] = values[0] - values[1]
    numpy.testing.assert_allclose(found, expected, atol=1e-4)


@parts
def test_prediction_is_what_training_sees(settings):
    made, doc = model(**settings)
    empty = spacy.tokens.Doc(doc.vocab)
    for docs in ([doc, empty], [empty], [empty, doc, doc]):
        for X, Y in zip(made.predict(docs), made.begin_update(docs)[0], strict=True):
            numpy.testing.assert_array_equal(X, Y)


@pytest.mark.parametrize("sizes", [(), (0,), (3, -1)])
def test_sizes_below_one(sizes):
    with pytest.raises(ValueError, match="subword_sizes"):
        model(subword_width=5, subword_sizes=sizes)


@pytest.mark.parametrize("sizes", [(), (3, 0)])
def test_affixes_of_no_characters(sizes):
    with pytest.raises(ValueError, match="affix_sizes"):
        model(affix_width=5, affix_sizes=sizes)
