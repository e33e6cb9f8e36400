"""Counts of the real corpora, where they lie beside the repository."""

from pathlib import Path

import pytest

from spacy_attnner.corpora import conll
from spacy_attnner.corpora.conversion import Summary
from spacy_attnner.corpora.formats import detect_format, read_corpus

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the corpora are not here")


def count(nlp, name, **settings):
    path = DATA / name
    summary = Summary(detect_format(path))
    settings["repairs"] = summary.repairs
    for doc in read_corpus(path, nlp, summary.format, **settings):
        summary.add(doc)
    return summary


@pytest.mark.parametrize(
    ("name", "docs", "sentences", "entities"),
    [
        ("eng.train", 946, 14_041, 23_499),
        ("eng.testa", 216, 3_250, 5_942),
        ("eng.testb", 231, 3_453, 5_648),
    ],
)
def test_conll2003(nlp, name, docs, sentences, entities):
    found = count(nlp, f"conll2003/{name}")
    assert (found.docs, found.sentences) == (docs, sentences)
    assert found.entities.total() == entities
    assert set(found.entities) == {"PER", "ORG", "LOC", "MISC"}
    assert not found.repairs


@pytest.mark.parametrize(
    ("name", "docs", "entities", "relations", "repairs"),
    [
        ("train", 910, 3_393, 1_273, {conll.STRAY_TAG: 7, conll.OF_STRAY: 2}),
        ("dev", 243, 877, 353, {}),
        ("test", 288, 1_079, 422, {}),
    ],
)
def test_conll04(nlp, name, docs, entities, relations, repairs):
    found = count(nlp, f"conll04/{name}.txt")
    assert found.docs == docs
    assert found.entities.total() == entities
    assert found.relations.total() == relations
    assert found.annotated["relations"] == docs
    assert set(found.entities) == {"Peop", "Org", "Loc", "Other"}
    names = {"Live_In", "Located_In", "Work_For", "OrgBased_In", "Kill"}
    assert set(found.relations) == names
    assert found.repairs == repairs


def test_trec(nlp):
    train, test = (count(nlp, f"trec/TREC.{name}") for name in ("train", "test"))
    assert (train.docs, test.docs) == (5_452, 500)
    assert len(train.cats) == len(test.cats) == 6
    fine = count(nlp, "trec/TREC.train", fine=True).cats
    assert len(fine) == 50
    assert count(nlp, "trec/TREC.test", fine=True, labels=list(fine)).docs == 500


def test_sst2(nlp):
    names = ("train", "dev", "test")
    found = [count(nlp, f"sst2/stsa.binary.{name}") for name in names]
    assert [summary.docs for summary in found] == [6_920, 872, 1_821]
    assert all(set(each.cats) == {"NEGATIVE", "POSITIVE"} for each in found)


def test_sst_trees(nlp):
    names = ("train", "dev", "test")
    found = [count(nlp, f"sst_trees/{name}.txt") for name in names]
    assert [summary.docs for summary in found] == [6_920, 872, 1_821]
    fine = [count(nlp, f"sst_trees/{name}.txt", fine=True) for name in names]
    assert [summary.docs for summary in fine] == [8_544, 1_101, 2_210]
    assert len(fine[0].cats) == 5
    assert count(nlp, "sst_trees/train.txt", phrases=True).docs == 77_616
