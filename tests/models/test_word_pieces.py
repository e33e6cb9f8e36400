"""Word pieces: one word at a time they are what a tokenizer makes of the whole text."""

import json
import pickle
import warnings

import numpy
import pytest
import spacy
from spacy.tokens import Doc

from spacy_attnner.models.batch import Batch
from spacy_attnner.models.word_pieces import REMEMBERED, WordPieces
from tests.tiny_encoders import TOKENIZERS, make_tokenizer, sample_texts

MOST = 99
KINDS = sorted(TOKENIZERS)


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


@pytest.fixture(params=KINDS)
def tokenizer(request):
    return make_tokenizer(request.param)


@pytest.fixture
def pieces(tokenizer):
    return WordPieces(tokenizer.to_str())


def of_words(pieces, doc):
    """The pieces of each word of a document."""
    found = pieces.of(Batch([doc]), MOST)
    ends = found.counts.cumsum()
    return [part.tolist() for part in numpy.split(found.ids, ends[:-1])]


def of_chunks(doc):
    """Words between spaces: their characters, and how many tokens they are."""
    chunks = [[doc[0]]]
    for token in doc[1:]:
        if token.nbor(-1).whitespace_:
            chunks.append([])
        chunks[-1].append(token)
    return chunks


def test_whole_texts(nlp, tokenizer, pieces):
    """Only inside of what spaCy splits, where a tokenizer may join, do they differ."""
    same, other = 0, []
    for text in sample_texts():
        doc = nlp.make_doc(text)
        own = dict(zip([t.i for t in doc], of_words(pieces, doc), strict=True))
        encoded = tokenizer.encode(text, add_special_tokens=False)
        for chunk in of_chunks(doc):
            begin, end = chunk[0].idx, chunk[-1].idx + len(chunk[-1])
            expected = [  # the space before a word is the word's
                number
                for number, (first, _) in zip(encoded.ids, encoded.offsets, strict=True)
                if begin - 1 <= first < end
            ]
            found = [number for token in chunk for number in own[token.i]]
            same += found == expected
            if found != expected:
                other.append((text[begin:end], len(chunk)))
    assert same > 1000
    assert all(n_tokens > 1 for _, n_tokens in other), other
    share = len(other) / (same + len(other))
    assert share < {"wordpiece": 0.01, "bytes": 0.12, "unigram": 0.2}[kind(tokenizer)]


def kind(tokenizer):
    names = {"WordPiece": "wordpiece", "BPE": "bytes", "Unigram": "unigram"}
    return names[json.loads(tokenizer.to_str())["model"]["type"]]


def test_spaces_before_words(nlp, pieces, tokenizer):
    joined = Doc(nlp.vocab, ["Graz", "Graz", "Graz"], spaces=[True, False, False])
    _, behind_space, behind_none = of_words(pieces, joined)
    assert (behind_space == behind_none) == (kind(tokenizer) == "wordpiece")
    spread = Doc(nlp.vocab, ["Graz", "\n", "Graz"], spaces=[False, False, False])
    assert of_words(pieces, spread)[1] == behind_space


def test_words_without_pieces(nlp, pieces):
    doc = Doc(nlp.vocab, ["Graz", "\x07", "\ufe0f", "in", "Graz", "and", "Oslo"])
    found = of_words(pieces, doc)
    assert all(found)
    assert len(found) == 7


@pytest.mark.parametrize("kind", ["wordpiece", "bytes"])
def test_names_of_special_pieces_are_words(nlp, kind):
    """But to a unigram model they are pieces as others are."""
    tokenizer = make_tokenizer(kind)
    pieces = WordPieces(tokenizer.to_str())
    special = {tokenizer.token_to_id(x) for x in ("[SEP]", "</s>", "<mask>", "[MASK]")}
    doc = Doc(nlp.vocab, ["[SEP]", "</s>", "<mask>", "[MASK]"])
    assert not special & {number for word in of_words(pieces, doc) for number in word}


def test_a_long_word(nlp, pieces):
    doc = Doc(nlp.vocab, ["Graz", "xy" * 50_000, "Oslo"])
    found = pieces.of(Batch([doc]), 17)
    assert found.counts.max() <= 17
    assert len(found.counts) == 3


def test_batches_and_empty_documents(nlp, pieces):
    docs = [nlp.make_doc(text) for text in ("", "Graz  is\nhere.", " ", "Graz is.")]
    together = pieces.of(Batch(docs), MOST)
    alone = [pieces.of(Batch([doc]), MOST) for doc in docs]
    ids = numpy.concatenate([each.ids for each in alone])
    assert together.ids.tolist() == ids.tolist()
    assert together.documents.tolist() == [4, 3]
    assert together.sentences.tolist() == [4, 3]


def test_memory_is_bounded(nlp, tokenizer, monkeypatch):
    monkeypatch.setattr("spacy_attnner.models.word_pieces.REMEMBERED", 11)
    pieces = WordPieces(tokenizer.to_str())
    for text in sample_texts()[:20]:
        doc = nlp.make_doc(text)
        assert of_words(pieces, doc) == of_words(WordPieces(tokenizer.to_str()), doc)
        assert len(pieces._known) <= 11
    assert REMEMBERED > 10_000


def test_truncation_and_padding_of_the_file_are_left_out(nlp, tokenizer):
    spec = json.loads(tokenizer.to_str())
    doc = nlp.make_doc("Maria Keller lives in Graz and works in Oslo .")
    expected = of_words(WordPieces(json.dumps(spec)), doc)
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=5)
    assert of_words(WordPieces(tokenizer.to_str()), doc) == expected


def test_a_script_that_is_not_known(nlp):
    pieces = WordPieces(make_tokenizer("wordpiece").to_str())
    foreign = Doc(nlp.vocab, ["ქართული", "ენა", "და", "Graz", "დამწერლობა", "აქ"])
    with pytest.warns(UserWarning, match="does not know 83%"):
        pieces.of(Batch([foreign]), MOST)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pieces.of(Batch([foreign]), MOST)  # once is enough
        one = Doc(nlp.vocab, ["Graz", "☂", "is", "here", "and", "there"])
        WordPieces(pieces.json).of(Batch([one]), MOST)


def test_pickles(nlp, pieces):
    doc = nlp.make_doc("Maria Keller lives in Graz.")
    expected = of_words(pieces, doc)
    assert of_words(pickle.loads(pickle.dumps(pieces)), doc) == expected
