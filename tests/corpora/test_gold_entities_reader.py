import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.training.augment import create_lower_casing_augmenter

from spacy_attnner.corpora.training_data import (
    GoldEntitiesCorpus,
    create_gold_entities_reader,
    set_gold_entities,
)
from spacy_attnner.relations import Relation, get_relations, has_relations
from spacy_attnner.relations import set_relations as set_doc_relations

# two sentences; relations within the first, within the second and across them
WORDS = ["Ada", "met", "Bo", "in", "Oslo", ".", "Cy", "joined", "Acme", "."]
ENTS = [(0, 1, "PER"), (2, 3, "PER"), (4, 5, "LOC"), (6, 7, "PER"), (8, 9, "ORG")]
TRIPLES = [(0, 2, "Met_In"), (3, 4, "Joined"), (0, 3, "Knows")]


def make_doc(vocab, *, spaces=None, entities=True, relations=True):
    starts: list = [i in (0, 6) for i in range(len(WORDS))]
    doc = Doc(vocab, words=WORDS, spaces=spaces, sent_starts=starts)
    spans = [doc.char_span(*_chars(doc, s, e), label=label) for s, e, label in ENTS]
    if entities:
        doc.set_ents(spans, default="outside")
    if relations:
        found = [Relation(spans[h], spans[t], label) for h, t, label in TRIPLES]
        set_doc_relations(doc, found)
    doc.cats = {"news": 1.0}
    return doc


def _chars(doc, start, end):
    return doc[start:end].start_char, doc[start:end].end_char


@pytest.fixture
def read(tmp_path, nlp):
    def read_docs(*docs, **settings):
        path = tmp_path / "corpus.spacy"
        DocBin(docs=docs).to_disk(path)
        settings = {"gold_preproc": False, **settings}
        return list(create_gold_entities_reader(path, **settings)(nlp))

    return read_docs


def ents(doc):
    return [(ent.text, ent.label_) for ent in doc.ents]


def triples(doc):
    return [(r.head.text, r.label, r.tail.text) for r in get_relations(doc)]


GOLD = [("Ada", "PER"), ("Bo", "PER"), ("Oslo", "LOC"), ("Cy", "PER"), ("Acme", "ORG")]


def test_predicted_has_the_gold_entities(read, vocab):
    (example,) = read(make_doc(vocab))
    assert ents(example.predicted) == GOLD
    assert example.predicted.has_annotation("ENT_IOB", require_complete=True)
    assert triples(example.reference) == [
        ("Ada", "Met_In", "Oslo"),
        ("Cy", "Joined", "Acme"),
        ("Ada", "Knows", "Cy"),
    ]
    assert not has_relations(example.predicted)


def test_missing_entities_stay_missing(read, vocab):
    (example,) = read(make_doc(vocab, entities=False, relations=False))
    assert not example.predicted.has_annotation("ENT_IOB")


def test_entities_annotated_in_part_stay_so(read, vocab):
    doc = make_doc(vocab)
    doc.set_ents([], missing=[doc[6:10]], default="unmodified")
    predicted = read(doc)[0].predicted
    assert ents(predicted) == GOLD[:3]
    assert [token.ent_iob_ for token in predicted] == list("BOBOBO") + [""] * 4


@pytest.mark.parametrize("settings", [{"gold_preproc": True}, {"max_length": 8}])
def test_sentences_keep_their_relations(read, vocab, settings):
    first, second = read(make_doc(vocab), **settings)
    assert triples(first.reference) == [("Ada", "Met_In", "Oslo")]
    assert triples(second.reference) == [("Cy", "Joined", "Acme")]
    assert ents(first.predicted) == GOLD[:3]
    assert ents(second.predicted) == GOLD[3:]
    assert first.reference.has_unknown_spaces


def test_a_single_sentence_is_left_as_it_is(read, vocab):
    doc = make_doc(vocab)[0:6].as_doc()
    doc.cats = {"news": 1.0}
    (example,) = read(doc, gold_preproc=True)
    assert example.reference.cats == {"news": 1.0}
    assert not has_relations(example.reference)


def test_sentences_that_are_too_long_are_passed_over(read, vocab):
    examples = read(make_doc(vocab), max_length=6)
    assert [example.text for example in examples] == ["Cy joined Acme . "]


def test_empty_documents_are_passed_over(read, vocab):
    for gold_preproc in (False, True):
        assert read(Doc(vocab, words=[]), gold_preproc=gold_preproc) == []
    assert len(read(make_doc(vocab), make_doc(vocab), limit=1)) == 1


def test_entities_are_aligned_to_other_tokens(nlp):
    words = ["Ada", "visits", "well-", "known", "Far", "-", "North", "."]
    spaces = [True, True, False, True, False, False, False, False]
    reference = Doc(nlp.vocab, words=words, spaces=spaces)
    reference.set_ents([reference[0:1]], default="outside")
    found = [reference.char_span(0, 3, "PER"), reference.char_span(22, 31, "LOC")]
    reference.set_ents(found, default="outside")
    predicted = Doc(
        nlp.vocab,
        words=["A", "da", "visits", "well-known", "Far-North."],
        spaces=[False, True, True, True, False],
    )
    example = Example(predicted, reference)
    set_gold_entities(example)
    assert ents(predicted) == [("Ada", "PER")]
    # the token that holds more than the entity can be neither in nor out
    assert [token.ent_iob_ for token in predicted] == ["B", "I", "O", "O", ""]


def test_tokenized_text_gets_entities(read, vocab):
    spaces = [True] * 4 + [False, True, True, True, False, False]
    (example,) = read(make_doc(vocab, spaces=spaces))
    assert example.predicted.text == "Ada met Bo in Oslo. Cy joined Acme."
    assert ents(example.predicted) == GOLD


def test_augmented_examples_keep_entities_and_relations(read, vocab):
    augmenter = create_lower_casing_augmenter(1.0)
    (example,) = read(make_doc(vocab), augmenter=augmenter)
    assert ents(example.predicted) == [(text.lower(), label) for text, label in GOLD]
    assert triples(example.reference)[0] == ("ada", "Met_In", "oslo")


def test_an_augmenter_that_changes_tokens_leaves_no_relations(read, vocab):
    def cut(nlp, example):
        yield Example(nlp.make_doc("Ada met"), nlp.make_doc("Ada met"))
        yield example

    shorter, same = read(make_doc(vocab), augmenter=cut)
    assert not has_relations(shorter.reference)
    assert len(triples(same.reference)) == 3


def test_is_found_in_a_config(tmp_path, nlp, vocab):
    path = tmp_path / "corpus.spacy"
    DocBin(docs=[make_doc(vocab)]).to_disk(path)
    config = {
        "@readers": "spacy-attnner.GoldEntitiesCorpus.v1",
        "path": str(path),
        "gold_preproc": False,
        "max_length": 0,
        "limit": 0,
        "augmenter": None,
    }
    reader = spacy.util.registry.resolve({"corpus": config})["corpus"]
    assert isinstance(reader, GoldEntitiesCorpus)
    assert ents(next(iter(reader(nlp))).predicted) == GOLD


def test_a_missing_path_is_an_error(tmp_path, nlp):
    with pytest.raises(ValueError, match="E913"):
        create_gold_entities_reader(None, gold_preproc=False)
    reader = create_gold_entities_reader(tmp_path / "no.spacy", gold_preproc=False)
    with pytest.raises(FileNotFoundError, match=r"no\.spacy"):
        list(reader(nlp))
