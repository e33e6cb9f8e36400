"""A batch of documents: its columns, words, sentences; whitespace and empty ones."""

import pytest
from spacy.attrs import IS_SPACE, LENGTH, LOWER, ORTH, SENT_START, SHAPE
from spacy.tokens import Doc

from spacy_attnner.models.batch import COLUMNS, Batch

WORDS = ["Ferry", "to", "Bergen", ",", "FERRY", "to", "Oslo"]


def test_words_are_numbered_by_document_and_lower_case_form(blank):
    docs = [
        Doc(blank.vocab, words=WORDS),
        Doc(blank.vocab),
        Doc(blank.vocab, words=["ferry", "to"]),
    ]
    found = Batch(docs).word_numbers
    assert len(found) == 9
    first, second = found[:7].tolist(), found[7:].tolist()
    assert first[0] == first[4]
    assert first[1] == first[5]
    assert len(set(first)) == 5
    assert set(first).isdisjoint(second)
    assert sorted(set(found.tolist())) == list(range(7))


def test_nothing_to_number(blank):
    for docs in ([], [Doc(blank.vocab)], [Doc(blank.vocab)] * 2):
        assert Batch(docs).word_numbers.tolist() == []


def test_sentence_lengths(blank):
    starts = [True, False, False, True, True, False, False]
    docs = [
        Doc(blank.vocab, words=WORDS, sent_starts=starts),
        Doc(blank.vocab),
        Doc(blank.vocab, words=WORDS),
    ]
    assert Batch(docs).sentence_lengths.tolist() == [3, 1, 3, 7]
    assert Batch(docs).sentence_counts.tolist() == [3, 0, 1]
    for nothing in ([], docs[1:2]):
        batch = Batch(nothing)
        assert batch.sentence_lengths.tolist() == []
        assert batch.sentence_counts.tolist() == [0] * len(nothing)


@pytest.fixture
def spaced(blank):
    """Whitespace at a document's start and between sentences; one of nothing else."""
    words = [" ", "Rain", "fell", ".", "\n\n", "Ferries", "\n", "left"]
    starts = [True, False, False, False, True, True, False, False]
    return [
        Doc(blank.vocab, words=words, sent_starts=starts),
        Doc(blank.vocab),
        Doc(blank.vocab, words=["\n", " "]),
        Doc(blank.vocab, words=["rain", "  "]),
    ]


def test_columns_are_those_of_the_documents(docs, spaced, blank):
    for own in (docs, docs[:1], docs[1:2], spaced, []):
        batch = Batch(own)
        assert batch.lengths == [len(doc) for doc in own]
        for attr in (*COLUMNS, LENGTH):
            expected = [value for doc in own for value in doc.to_array(attr).tolist()]
            assert batch.column(attr).tolist() == expected
            assert batch.column(attr).dtype == "uint64"


def test_words_are_what_is_no_whitespace(spaced, docs):
    batch = Batch(spaced)
    assert batch.words.tolist() == [1, 2, 3, 5, 7, 10]
    assert batch.document_lengths.tolist() == [5, 0, 0, 1]
    assert len(set(batch.word_numbers.tolist())) == 6  # rain stands in two documents
    whole = Batch(docs[:2])
    assert whole.words is None
    assert whole.document_lengths.tolist() == [len(docs[0]), 0]
    for nothing in ([], spaced[1:2], spaced[1:3]):
        assert Batch(nothing).document_lengths.tolist() == [0] * len(nothing)


def test_sentences_of_whitespace_are_none(spaced):
    batch = Batch(spaced)
    assert batch.sentence_lengths.tolist() == [3, 2, 1]
    assert batch.sentence_counts.tolist() == [2, 0, 0, 1]


def test_a_batch_is_that_already(docs):
    batch = Batch(docs)
    assert Batch.of(batch) is batch
    assert Batch.of(docs) == batch
    assert list(Batch.of(iter(docs))) == docs


def test_distinct_words(spaced):
    batch = Batch(spaced)
    distinct, own = batch.distinct
    strings = distinct.strings()
    assert sorted(strings) == sorted({token.text for doc in spaced for token in doc})
    assert [strings[i] for i in own.tolist()] == batch.tokens.strings()
    assert len(batch.tokens) == 12
    again, nothing = distinct.distinct()
    assert (again, nothing) == (distinct, None)
    for attr in (ORTH, LOWER, SHAPE, IS_SPACE, SENT_START):
        expected = batch.column(attr)
        assert batch.tokens.column(attr).tolist() == expected.tolist()
        if attr != SENT_START:  # the only one that is not the word's own
            assert distinct.column(attr)[own].tolist() == expected.tolist()
