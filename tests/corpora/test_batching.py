"""`EvenBatches.v1`: every batch has its share of what examples annotate."""

import random
from itertools import chain

import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Example
from spacy.training.batchers import minibatch_by_words

from spacy_attnner.corpora.batching import create_even_batches

NLP = spacy.blank("en")


def example(n_words, *, cats=False):
    words = ["word"] * n_words
    reference = Doc(NLP.vocab, words, ents=["O"] * n_words if not cats else None)
    reference.cats = {"A": 1.0} if cats else {}
    return Example(Doc(NLP.vocab, words), reference)


def mixture():
    """Long documents with entities, short ones with a category; as many words."""
    examples = [example(100) for _ in range(90)]
    examples += [example(n, cats=True) for n in (5, 10, 15) for _ in range(300)]
    random.Random(0).shuffle(examples)
    return examples


def n_words(example):
    return len(example.predicted)


def n_with_category(batch):
    return sum(bool(each.reference.cats) for each in batch)


def test_every_batch_has_its_share():
    batches = list(create_even_batches(400)(mixture()))
    found = [n_with_category(batch) for batch in batches[:-1]]
    assert min(found) >= 12
    assert max(found) <= 32
    usual = list(minibatch_by_words(mixture(), 400, get_length=n_words))
    assert min(map(n_with_category, usual[:-1])) < 8


def test_nothing_is_lost_or_doubled():
    examples = mixture()
    found = [
        each for batch in create_even_batches(400)(iter(examples)) for each in batch
    ]
    assert sorted(map(id, found)) == sorted(map(id, examples))


def test_batches_are_of_the_size():
    for batch in create_even_batches(400)(mixture()):
        assert sum(map(n_words, batch)) <= 480


def test_what_annotates_the_same_keeps_its_order():
    examples = [example(n) for n in (7, 3, 9)]
    (batch,) = create_even_batches(100)(examples)
    assert batch == examples


@pytest.mark.parametrize("examples", [[], [example(0)], [example(900)]])
def test_odd_examples(examples):
    found = list(chain.from_iterable(create_even_batches(400)(examples)))
    assert found == examples
