"""Vectors of words that are remembered, and forgotten with the weights."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy
import pytest
from spacy.tokens import Doc
from thinc.api import Adam

from spacy_attnner.models import character_cnn

NAME = "CharacterCNN"


def flat(model, docs):
    return numpy.concatenate(model.predict(docs))


def in_training(model, docs):
    """What never asks the memory."""
    return numpy.concatenate(model(docs, is_train=True)[0])


def train_once(model, docs, optimizer):
    Y, backprop = model.begin_update(docs)
    backprop([y + 1.0 for y in Y])
    model.finish_update(optimizer)


def assert_is_that_of_training(model, docs):
    found = flat(model, docs)  # first: to train forgets
    numpy.testing.assert_allclose(found, in_training(model, docs), atol=1e-6)
    return found


@pytest.fixture
def encoded(monkeypatch):
    """The words that were encoded, and not remembered, in their order."""
    words = []
    encode = character_cnn.CharacterCNN.encode

    def listen(module, texts, *args):
        words.extend(texts)
        return encode(module, texts, *args)

    monkeypatch.setattr(character_cnn.CharacterCNN, "encode", listen)
    return words


def test_a_word_is_encoded_once(blank, trained, encoded):
    model = trained(NAME)
    docs = [blank("rain and more rain"), blank(""), blank("no rain")]
    expected = in_training(model, docs)
    first = flat(model, docs)
    numpy.testing.assert_allclose(first, expected, atol=1e-6)
    assert sorted(encoded) == ["and", "more", "no", "rain"]
    again = model.predict([docs[2]])[0]
    numpy.testing.assert_array_equal(again, first[4:])
    assert len(encoded) == 4
    model.predict([blank("rain fell")])
    assert encoded[4:] == ["fell"]


def test_of_another_vocab_it_is_the_same(blank, trained, encoded):
    model, doc = trained(NAME), blank("ferries left")
    expected = model.predict([doc])[0]
    other = Doc(copy.deepcopy(blank.vocab), words=["left", "ferries"])
    numpy.testing.assert_array_equal(model.predict([other])[0], expected[::-1])
    assert len(encoded) == 2


def test_an_update_is_not_missed(trained, docs):
    model, optimizer = trained(NAME), Adam(0.05)
    before = flat(model, docs)
    train_once(model, docs, optimizer)
    after = assert_is_that_of_training(model, docs)
    assert not numpy.allclose(before, after, atol=1e-3)


def test_a_prediction_amid_an_update(trained, docs):
    model = trained(NAME)
    Y, backprop = model.begin_update(docs)
    before = flat(model, docs)
    backprop([y + 1.0 for y in Y])
    model.finish_update(Adam(0.05))
    after = flat(model, docs)
    numpy.testing.assert_allclose(after, in_training(model, docs), atol=1e-6)
    assert not numpy.allclose(before, after, atol=1e-3)


def test_averages_come_and_go(trained, docs):
    model, optimizer = trained(NAME), Adam(0.05, use_averages=True)
    for _ in range(3):
        train_once(model, docs, optimizer)
    now = flat(model, docs)
    with model.use_params(optimizer.averages):
        averaged = flat(model, docs)
        numpy.testing.assert_allclose(averaged, in_training(model, docs), atol=1e-6)
    assert not numpy.allclose(averaged, now, atol=1e-4)
    numpy.testing.assert_array_equal(flat(model, docs), now)


def test_an_update_inside_of_averages_that_say_nothing(trained, docs):
    model = trained(NAME)
    before = flat(model, docs)
    with model.use_params({}):
        train_once(model, docs, Adam(0.05))
    after = assert_is_that_of_training(model, docs)
    assert not numpy.allclose(before, after, atol=1e-3)


def test_loaded_and_drawn_weights_are_others(trained, docs, tmp_path):
    model, other = trained(NAME), trained(NAME)
    expected, own = flat(other, docs), flat(model, docs)
    assert not numpy.allclose(expected, own, atol=1e-3)
    model.to_disk(tmp_path / "model")
    model.from_bytes(other.to_bytes())
    numpy.testing.assert_array_equal(flat(model, docs), expected)
    model.from_disk(tmp_path / "model")
    numpy.testing.assert_array_equal(flat(model, docs), own)
    model.initialize(X=docs)
    drawn = assert_is_that_of_training(model, docs)
    assert not numpy.allclose(drawn, own, atol=1e-3)


@pytest.mark.parametrize("clone", [lambda model: model.copy(), copy.deepcopy])
def test_a_copy_has_weights_of_its_own(trained, docs, encoded, clone):
    model = trained(NAME)
    before = flat(model, docs)
    copied = clone(model)
    train_once(copied, docs, Adam(0.05))
    expected = in_training(copied, docs)
    assert not numpy.allclose(before, expected, atol=1e-3)
    for _ in range(2):  # in turns, and each with a memory of its own
        numpy.testing.assert_array_equal(flat(model, docs), before)
        numpy.testing.assert_allclose(flat(copied, docs), expected, atol=1e-6)
    assert len(encoded) == 2 * len(set(encoded))


@pytest.mark.parametrize("most", [1, 3, 4])
def test_more_words_than_are_remembered(blank, trained, most, monkeypatch):
    model = trained(NAME)
    texts = ["a b c", "d", "a b c d e f", "", "f e d", "c a", "g h"]
    docs = [blank(text) for text in texts]
    expected = [model.predict([doc])[0] for doc in docs]
    monkeypatch.setattr(character_cnn, "REMEMBERED", most)
    small = trained(NAME).from_bytes(model.to_bytes())
    for _ in range(2):
        for doc, Y in zip(docs, expected, strict=True):
            numpy.testing.assert_allclose(small.predict([doc])[0], Y, atol=1e-6)


def test_threads_get_what_one_gets(blank, trained, monkeypatch):
    monkeypatch.setattr(character_cnn, "REMEMBERED", 20)  # is full again and again
    model = trained(NAME)
    words = [f"word{i}" for i in range(60)]
    docs = [
        Doc(blank.vocab, words=words[i : i + 1 + i % 13]) for i in range(len(words))
    ]
    expected = [model.predict([doc])[0] for doc in docs]
    start = threading.Barrier(2)

    def predict(order):
        start.wait()
        return [(i, model.predict([docs[i]])[0]) for _ in range(5) for i in order]

    orders = range(len(docs)), range(len(docs))[::-1]
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(predict, orders):
            for i, Y in found:
                numpy.testing.assert_allclose(Y, expected[i], atol=1e-6)


def test_where_another_thread_is_busy_it_is_passed_over(trained, docs):
    model = trained(NAME)
    expected = flat(model, docs)
    (shim,) = (shim for node in model.walk() for shim in node.shims)
    memory = shim.notes["words"]
    with memory._lock:
        numpy.testing.assert_allclose(flat(model, docs), expected, atol=1e-6)


def test_what_failed_is_not_remembered(trained, docs, monkeypatch):
    model = trained(NAME)
    encode = character_cnn.CharacterCNN.encode

    def fail(*args):
        raise MemoryError

    monkeypatch.setattr(character_cnn.CharacterCNN, "encode", fail)
    with pytest.raises(MemoryError):
        model.predict(docs)
    monkeypatch.setattr(character_cnn.CharacterCNN, "encode", encode)
    assert_is_that_of_training(model, docs)
