"""Texts that are the same or nearly so, against all pairs and against hand counts."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations, pairwise
from pathlib import Path

import numpy
import pytest

from spacy_attnner.corpora.conversion import convert
from spacy_attnner.inspection import near_twins
from spacy_attnner.inspection.gathering import gather
from spacy_attnner.inspection.near_twins import Texts
from spacy_attnner.inspection.twin_checks import check_twins

from .conftest import finding_of, kinds_of, make_doc

DATA = Path(__file__).parents[3] / "shared" / "data" / "conll2003"


def texts_of(words: list[list[int]]) -> Texts:
    lengths = numpy.array([len(each) for each in words], dtype="int64")
    ends = lengths.cumsum()
    flat = numpy.array([w for each in words for w in each], dtype="int32")
    return Texts(flat, ends - lengths, ends, numpy.zeros(len(words), dtype="int64"))


def similarity(a: Iterable, b: Iterable) -> float:
    """Jaccard similarity of pairs of neighbours."""
    first, second = set(pairwise(a)), set(pairwise(b))
    return len(first & second) / max(1, len(first | second))


def drawn(n: int, seed: int) -> list[list[int]]:
    """Texts, many of which differ from another in a few words, or not at all."""
    rng = numpy.random.default_rng(seed)
    texts = [rng.integers(0, 50, rng.integers(1, 40)).tolist() for _ in range(n // 4)]
    for _ in range(n - len(texts)):
        copied = list(texts[rng.integers(len(texts))])
        for _ in range(rng.integers(0, 5)):
            copied[rng.integers(len(copied))] = int(rng.integers(0, 50))
        texts.append(copied)
    return texts


@pytest.mark.parametrize("chunk", [near_twins.CHUNK, 64])
def test_pairs_are_those_of_all_comparisons(monkeypatch, chunk):
    monkeypatch.setattr(near_twins, "CHUNK", chunk)
    words = drawn(200, seed=3)
    texts = texts_of(words)
    assert len(set(texts.same.tolist())) == len(set(map(tuple, words)))
    for i, j in combinations(range(len(words)), 2):
        assert (texts.same[i] == texts.same[j]) == (words[i] == words[j])
    firsts = sorted(texts.firsts.tolist())
    expected = {
        (i, j)
        for i, j in combinations(firsts, 2)
        if min(map(len, (words[i], words[j]))) > 1
        and similarity(words[i], words[j]) >= 0.7
    }
    assert len(expected) > 30
    assert set(texts.near_pairs()) == expected


def test_gaps_between_texts():
    """Sentences of documents whose others are left out."""
    words = numpy.array([7, 1, 2, 3, 7, 7, 1, 2, 3, 9], dtype="int32")
    bounds = numpy.array([[1, 6], [4, 9]])
    texts = Texts(words, *bounds, numpy.zeros(2, dtype="int64"))
    assert texts.same[0] == texts.same[1]


def test_empty_texts():
    assert list(texts_of([]).near_pairs()) == []
    assert texts_of([]).same.tolist() == []
    texts = texts_of([[], [1], [], [1], [2]])
    assert list(texts.near_pairs()) == []
    assert texts.same[0] == texts.same[2] != texts.same[4]
    assert texts.same[1] == texts.same[3]


LONG = "The ferry from Bergen to Turku leaves at noon on all days of the week but one"


def test_what_splits_share(look):
    nearly = LONG.replace("noon", "ten")
    found = look(
        [make_doc(LONG), make_doc("It rained ."), make_doc("It  rained .")],
        [make_doc("IT RAINED  ."), make_doc("Snow ."), make_doc(nearly, name="d7")],
    )
    shared = finding_of(found, "documents shared by dev and train")
    assert shared.says == (
        "dev shares 2 of its 3 documents with train: 1 the same, 1 nearly the same"
    )
    assert shared.n == 2
    assert [(s.split, s.number, s.id) for s in shared.spots] == [
        ("dev", 0, None),
        ("train", 1, None),
        ("dev", 2, "d7"),
        ("train", 0, None),
    ]
    assert shared.spots[2].text == nearly
    repeated = finding_of(found, "documents repeated within a split")
    assert repeated.says.endswith(": in train 1 the same")


def test_sentences_of_different_documents(look):
    train = [make_doc("|Maps are old . |The mill by the river burnt down in May .")]
    dev = [make_doc("|Nils saw it . |The mill by the river burnt down in May . |Ah .")]
    found = look(train, dev)
    shared = finding_of(found, "sentences shared by dev and train")
    assert shared.says.startswith("dev shares 1 of its 1 sentence of 5 words or more")
    assert "documents shared by dev and train" not in kinds_of(found)


def test_the_same_text_annotated_differently(look):
    text = "Mira left Oslo for the north ."
    docs = [
        make_doc(text, [(0, 1, "PER"), (2, 3, "LOC")], [(0, 1, "Left")]),
        make_doc(text.upper(), [(0, 1, "PER"), (2, 3, "LOC")], [(0, 1, "Left")]),
        make_doc(text, [(0, 1, "PER")], [], cats={"a": 1.0}),
        make_doc(text, None, None, cats={"a": 0.0, "b": 1.0}),
    ]
    found = look(docs)
    entities = finding_of(found, "same text, other entities")
    assert entities.n == 3
    assert (
        entities.says
        == "1 text in several places, 3 documents, with different entities"
    )
    assert [spot.number for spot in entities.spots] == [0, 2]
    assert entities.spots[1].text == f"{text} -> Mira PER"
    assert finding_of(found, "same text, other relations").n == 3
    assert finding_of(found, "same text, other categories").n == 2


# CoNLL-2003


def read_rows(path: Path) -> Iterator[list[tuple[str, ...]]]:
    """Sentences of each document, read anew, as their words in lower case."""
    document: list[tuple[str, ...]] = []
    sentence: list[str] = []
    for line in [*path.read_text("utf8").splitlines(), "", "-DOCSTART-"]:
        word = line.split(" ")[0]
        if word and word != "-DOCSTART-":
            sentence.append(word.lower())
            continue
        document += [tuple(sentence)] if sentence else []
        sentence = []
        if word and document:
            yield document
            document = []


def hand_count(train: list[tuple], test: list[tuple]) -> tuple[int, int]:
    """How many texts of test are in train, and how many only nearly."""
    known = list(dict.fromkeys(train))
    same = set(known)
    pairs = [set(pairwise(text)) for text in known]
    index: dict[tuple, list[int]] = defaultdict(list)
    for i, own in enumerate(pairs):
        for pair in own:
            index[pair].append(i)
    n_same = n_near = 0
    for text in test:
        if text in same:
            n_same += 1
            continue
        own = set(pairwise(text))
        common = Counter(i for pair in own for i in index.get(pair, ()))
        n_near += any(
            10 * n >= 7 * (len(own) + len(pairs[i]) - n) for i, n in common.items()
        )
    return n_same, n_near


@pytest.mark.skipif(not DATA.is_dir(), reason="the corpora are not here")
def test_conll2003_by_hand(tmp_path):
    """What train and test share of documents and sentences is what a count by other
    means says.
    """
    paths = []
    for name, part in (("train", "eng.train"), ("test", "eng.testb")):
        paths.append(tmp_path / f"{name}.spacy")
        convert(DATA / part, paths[-1])
    found = {each.kind: each for each in check_twins(gather(paths))}
    train, test = (list(read_rows(DATA / f)) for f in ("eng.train", "eng.testb"))
    sentences = [
        [s for doc in docs for s in doc if len(s) > 4] for docs in (train, test)
    ]
    same, near = hand_count(*sentences)
    assert (same, near) == (45, 11)
    finding = found["sentences shared by dev and train"]
    assert finding.n == same + near
    assert finding.says == (
        f"dev shares 56 of its {len(sentences[1]):,} sentences of 5 words or more with "
        "train: 45 the same, 11 nearly the same"
    )
    whole = [
        [tuple(w for s in doc for w in s) for doc in docs] for docs in (train, test)
    ]
    assert hand_count(*whole) == (0, 0)
    assert "documents shared by dev and train" not in found
    again = len(sentences[0]) - len(set(sentences[0]))
    assert (
        f"in train {again} the same" in found["sentences repeated within a split"].says
    )
