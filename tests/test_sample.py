"""The bundled sample: sound, balanced, varied."""

import json
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
import spacy

SAMPLE = Path(__file__).resolve().parents[1] / "assets/sample"
SPLITS = ("train", "dev", "test")
TOPICS = ("business", "sports", "politics", "culture", "science", "crime")
ARGUMENTS = {
    "Live_In": ("PER", "LOC"),
    "Work_For": ("PER", "ORG"),
    "OrgBased_In": ("ORG", "LOC"),
    "Located_In": ("LOC", "LOC"),
    "Kill": ("PER", "PER"),
}


def read(split: str) -> list[dict]:
    lines = (SAMPLE / f"{split}.jsonl").read_text("utf8").splitlines()
    return [json.loads(line) for line in lines]


ALL = {split: read(split) for split in SPLITS}
DOCS = [doc for docs in ALL.values() for doc in docs]


def trigrams(text: str) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return set(zip(words, words[1:], words[2:], strict=False))


def test_size_and_split() -> None:
    assert len(DOCS) >= 300
    assert len(ALL["train"]) > 4 * len(ALL["dev"])
    assert min(len(docs) for docs in ALL.values()) >= 50


def test_documents_are_short() -> None:
    nlp = spacy.blank("en")
    lengths = [len(nlp(doc["text"])) for doc in DOCS]
    assert min(lengths) >= 25
    assert max(lengths) <= 60


def test_spans_are_words_and_do_not_overlap() -> None:
    nlp = spacy.blank("en")
    for doc in DOCS:
        tokens = nlp(doc["text"])
        end = 0
        for entity in sorted(doc["entities"], key=lambda entity: entity["start"]):
            span = tokens.char_span(entity["start"], entity["end"])
            assert span is not None, doc["text"][entity["start"] : entity["end"]]
            assert entity["start"] >= end, doc["text"]
            end = entity["end"]


def test_arguments_have_the_types_of_their_relation() -> None:
    for doc in DOCS:
        labels = [entity["label"] for entity in doc["entities"]]
        for rel in doc["relations"]:
            types = (labels[rel["head"]], labels[rel["tail"]])
            assert types == ARGUMENTS[rel["label"]], doc["text"]


@pytest.mark.parametrize("split", SPLITS)
def test_labels_are_balanced(split: str) -> None:
    docs = ALL[split]
    entities = Counter(e["label"] for doc in docs for e in doc["entities"])
    relations = Counter(r["label"] for doc in docs for r in doc["relations"])
    assert set(entities) == {"PER", "ORG", "LOC", "MISC"}
    assert set(relations) == set(ARGUMENTS)
    assert min(entities.values()) >= 0.05 * entities.total()
    assert min(relations.values()) >= 0.05 * relations.total()
    positive = sum(doc["cats"]["POSITIVE"] for doc in docs)
    assert 0.45 <= positive / len(docs) <= 0.55
    for topic in TOPICS:
        assert sum(doc["cats"][topic] for doc in docs) >= 0.1 * len(docs)


def test_every_document_has_one_sentiment_and_one_topic() -> None:
    for doc in DOCS:
        assert doc["cats"]["POSITIVE"] + doc["cats"]["NEGATIVE"] == 1
        assert sum(doc["cats"][topic] for topic in TOPICS) == 1


def test_no_two_documents_are_alike() -> None:
    grams = [(doc["text"], trigrams(doc["text"])) for doc in DOCS]
    for (text, a), (other, b) in combinations(grams, 2):
        assert len(a & b) <= 0.3 * min(len(a), len(b)), f"{text}\n{other}"


def test_names_of_people_are_varied() -> None:
    names = Counter(
        doc["text"][e["start"] : e["end"]]
        for doc in DOCS
        for e in doc["entities"]
        if e["label"] == "PER"
    )
    assert len(names) >= 0.9 * names.total()
