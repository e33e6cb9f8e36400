"""Documents cut into runs of sentences."""

import random

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_attnner.corpora.training_data import create_sentence_runs
from spacy_attnner.relations import Relation, get_relations, set_relations

TEXT = "Ann left Rome . Bo slept . Cy met Dee in Oslo . All was well ."
WORDS = TEXT.split()
STARTS = (0, 4, 7, 13)


@pytest.fixture
def nlp():
    return spacy.blank("en")


@pytest.fixture
def doc(nlp) -> Doc:
    starts = [i in STARTS for i in range(len(WORDS))]
    doc = Doc(nlp.vocab, words=WORDS, sent_starts=starts)
    ann, rome = Span(doc, 0, 1, "PER"), Span(doc, 2, 3, "LOC")
    doc.set_ents([ann, rome], default="outside")
    set_relations(doc, [Relation(ann, rome, "Live_In")])
    return doc


def cut(nlp, doc: Doc, **settings) -> list[Doc]:
    example = Example(Doc(nlp.vocab, words=WORDS), doc)
    augment = create_sentence_runs(**settings)
    return [part.reference for part in augment(nlp, example)]


def test_single_sentences(nlp, doc):
    parts = cut(nlp, doc, single=1.0)
    assert [len(part) for part in parts] == [4, 3, 6, 4]
    assert [ent.text for ent in parts[0].ents] == ["Ann", "Rome"]
    assert [rel.label for rel in get_relations(parts[0])] == ["Live_In"]


@pytest.mark.parametrize("seed", range(20))
def test_runs_hold_every_token_once_and_whole_sentences(nlp, doc, seed):
    random.seed(seed)
    parts = cut(nlp, doc, single=0.0, max_tokens=9)
    assert [token.text for part in parts for token in part] == WORDS
    ends = {4, 7, 13, 17}
    position = 0
    for part in parts:
        n_sentences = len(list(part.sents))
        position += len(part)
        assert position in ends
        assert len(part) <= 9 or n_sentences == 1


def test_cuts_differ_between_readings(nlp, doc):
    random.seed(0)
    cuts = {
        tuple(map(len, cut(nlp, doc, single=0.5, max_tokens=17))) for _ in range(50)
    }
    assert len(cuts) > 2


def test_document_without_sentences_stays_whole(nlp):
    doc = Doc(nlp.vocab, words=WORDS)
    assert [len(part) for part in cut(nlp, doc, single=1.0)] == [len(WORDS)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"single": 1.5}, "single 1.5"), ({"max_tokens": 0}, "max_tokens 0")],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        create_sentence_runs(**settings)
