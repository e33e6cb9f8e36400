import pytest

from spacy_attnner.corpora.complaints import CorpusError
from spacy_attnner.corpora.trees import parse_tree

from .reading_as import read_as

read_sst_trees = read_as("sst_trees")

TREES = """(3 (2 A) (4 (4 delight) (2 -LRB-twice-RRB-)))

(2 (2 ``) (2 hm))
(1 (0 dull) (2 and\\/or))
(4 (4 delight) (2 .))
"""


@pytest.fixture
def trees(write):
    return write(TREES)


def told(docs):
    return [
        ([token.text for token in doc], max(doc.cats, key=doc.cats.__getitem__))
        for doc in docs
    ]


def test_whole_sentences_that_are_not_neutral(trees, vocab):
    docs = list(read_sst_trees(trees, vocab))
    assert told(docs) == [
        (["A", "delight", "-LRB-twice-RRB-"], "POSITIVE"),
        (["dull", "and/or"], "NEGATIVE"),
        (["delight", "."], "POSITIVE"),
    ]
    assert docs[0].cats == {"NEGATIVE": 0.0, "POSITIVE": 1.0}


def test_every_phrase_once(trees, vocab):
    assert told(read_sst_trees(trees, vocab, phrases=True)) == [
        (["A", "delight", "-LRB-twice-RRB-"], "POSITIVE"),
        (["delight", "-LRB-twice-RRB-"], "POSITIVE"),
        (["delight"], "POSITIVE"),
        (["dull", "and/or"], "NEGATIVE"),
        (["dull"], "NEGATIVE"),
        (["delight", "."], "POSITIVE"),
    ]


def test_five_classes(trees, vocab):
    docs = list(read_sst_trees(trees, vocab, fine=True))
    assert [label for _, label in told(docs)] == [
        *("POSITIVE", "NEUTRAL", "NEGATIVE", "VERY_POSITIVE")
    ]
    assert len(docs[0].cats) == 5
    assert docs[1].text.split() == ['"', "hm"]


def test_a_tree_s_phrases_come_whole_before_their_parts():
    line = "(3 (2 -LRB-) (3 (3 fun) (2 -RRB-)))"
    found = [(node.label, " ".join(node.words)) for node in parse_tree(line)]
    assert found == [(3, "( fun )"), (2, "("), (3, "fun )"), (3, "fun"), (2, ")")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("(5 (2 a) (2 b))", "'5' after a bracket; write 0"),
        ("(3 (2 a) (a b))", "'a' after a bracket; write 0"),
        ("(3 (2 a) (4 b)", "1 brackets are not closed"),
        ("(3 (2 a) (", "'' after a bracket"),
        ("(3 (2 a) (4))", "a phrase without a word"),
        ("(3 (2 a)) (4 b)", "'(' after the end of the tree"),
        ("(3 (2 a)))", "')' after the end of the tree"),
        ("3 fun", "'3' outside of a tree"),
        ("(4 fun)", "unknown label 'POSITIVE'; the labels given are NEGATIVE"),
    ],
)
def test_errors_name_the_line(write, vocab, line, message):
    path = write(f"(0 dull)\n{line}\n")
    with pytest.raises(CorpusError) as caught:
        list(read_sst_trees(path, vocab, labels=["NEGATIVE"]))
    assert str(caught.value).startswith(f"{path}:2: {message}")
