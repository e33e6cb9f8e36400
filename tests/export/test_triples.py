"""What a triple says of a relation."""

import gc
import weakref
from collections import UserList

import pytest
from spacy.tokens import Doc, Span, SpanGroup
from spacy.vocab import Vocab

from spacy_attnner.export import Argument, DocInfo, Triple, read_triples
from spacy_attnner.relations import Relation, set_relations

VOCAB = Vocab()


def test_all_that_it_says(make_doc):
    assert list(read_triples([make_doc()])) == [
        Triple(
            doc=0,
            doc_id=None,
            head=Argument("Mira", "PER", 4, 8),
            label="Lives_In",
            tail=Argument("Bergen", "LOC", 18, 24),
            score=0.75,
            context="Now Mira lives in Bergen .",
        )
    ]


def test_documents_are_numbered_and_named(make_doc, unrelated):
    info = DocInfo("c", {"year": 1951})
    sources = [(make_doc(), "a"), unrelated, (make_doc(), 7), (make_doc(), info)]
    found = [(t.doc, t.doc_id, t.meta) for t in read_triples([*sources, make_doc()])]
    assert found == [
        (0, "a", None),
        (2, 7, None),
        (3, "c", {"year": 1951}),
        (4, None, None),
    ]


def test_offsets_are_characters_of_the_text(nasty, make_doc):
    doc = make_doc(nasty, nasty)
    (triple,) = read_triples([doc])
    for argument in (triple.head, triple.tail):
        assert doc.text[argument.start_char : argument.end_char] == nasty
        assert argument.text == nasty


def test_threshold(make_doc):
    docs = [make_doc(score=score) for score in (0.2, 0.5, 0.7)]
    assert [t.score for t in read_triples(docs, threshold=0.5)] == [0.5, 0.7]
    assert len(list(read_triples(docs))) == 3


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_no_number(make_doc, score):
    docs = [make_doc(), make_doc(score=score)]
    message = f"'Lives_In' from 'Mira' to 'Bergen' in document 1 has the score {score}"
    with pytest.raises(ValueError, match=message):
        list(read_triples(docs))


def test_lone_surrogates_are_replaced(make_doc):
    (triple,) = read_triples([(make_doc(label="a\ud800"), "b\udcff")])
    assert (triple.label, triple.doc_id) == ("a\ufffd", "b\ufffd")


def test_one_document_at_a_time():
    """What a user makes is gone by the time the next one is made."""
    alive: list[int] = []
    made: list[weakref.ref] = []

    class Marked(UserList):
        """Goes with the document that has it in its user data."""

    def documents():
        for _ in range(4):
            gc.collect()
            alive.append(sum(mark() is not None for mark in made))
            doc = Doc(VOCAB, words=["Mira", "left", "Bergen"])
            doc.user_data["mark"] = Marked()
            made.append(weakref.ref(doc.user_data["mark"]))
            set_relations(doc, [Relation(doc[0:1], doc[2:3], "Left")])
            yield doc
            del doc

    assert len(list(read_triples(documents()))) == 4
    assert max(alive) <= 1


def in_long_document(n: int, head: int, tail: int, *, sentences: int | None) -> str:
    """The context in a document of n words, a sentence beginning every so many."""
    words = [str(i) for i in range(n)]
    starts = None if sentences is None else [i % sentences == 0 for i in range(n)]
    doc = Doc(VOCAB, words=words, sent_starts=starts)
    relation = Relation(Span(doc, head, head + 1), Span(doc, tail, tail + 1), "R")
    set_relations(doc, [relation])
    (triple,) = read_triples([doc])
    return triple.context


def numbers(start: int, end: int) -> str:
    return " ".join(map(str, range(start, end)))


@pytest.mark.parametrize(
    ("head", "tail", "sentences", "expected"),
    [
        (12, 17, 10, numbers(10, 20)),
        (17, 12, 10, numbers(10, 20)),
        (12, 25, 10, numbers(10, 30)),
        (12, 45, 10, numbers(10, 50)),
        (12, 75, 10, f"{numbers(10, 20)} … {numbers(70, 80)}"),
        (75, 12, 10, f"{numbers(10, 20)} … {numbers(70, 80)}"),
        (100, 105, None, numbers(80, 126)),
        (3, 5, None, numbers(0, 26)),
        (100, 300, None, f"{numbers(80, 121)} … {numbers(280, 321)}"),
        (500, 501, 1000, numbers(400, 602)),
        (998, 999, 1000, numbers(898, 1000)),
    ],
)
def test_context(head, tail, sentences, expected):
    assert in_long_document(1000, head, tail, sentences=sentences) == expected


@pytest.mark.parametrize("sentences", [True, None])
def test_empty_arguments(sentences):
    starts = None if sentences is None else [True, False, True]
    doc = Doc(VOCAB, words=["Mira", "left", "."], sent_starts=starts)
    spans = [Span(doc, 0, 0, "A"), Span(doc, 3, 3, "B"), doc[1:2]]
    attrs = {"triples": [[0, 1, "R", 1.0], [1, 2, "R", 1.0], [2, 0, "R", 1.0]]}
    doc.spans["relations"] = SpanGroup(doc, attrs=attrs, spans=spans)
    triples = list(read_triples([doc]))
    assert [t.head.text for t in triples] == ["", "", "left"]
    assert {t.context for t in triples} == {"Mira left ."}
