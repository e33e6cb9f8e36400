import pytest

from spacy_attnner.corpora.complaints import CorpusError, Repairs
from spacy_attnner.corpora.conll import NO_DOCUMENTS
from spacy_attnner.relations import has_relations

from .reading_as import read_as

read_conll2003 = read_as("conll2003")

IOB1 = """-DOCSTART- -X- O O

Ada NNP I-NP I-PER
Byron NNP I-NP I-PER
met VBD I-VP O
Bo NNP I-NP I-PER
Cy NNP B-NP B-PER
. . O O

Oslo NNP I-NP I-LOC
-DOCSTART- -X- O O

Acme NNP I-NP I-ORG
Oslo NNP I-NP I-LOC
"""
IOB2 = (
    IOB1.replace("Ada NNP I-NP I", "Ada NNP I-NP B")
    .replace("Bo NNP I-NP I", "Bo NNP I-NP B")
    .replace("I-LOC", "B-LOC")
    .replace("I-ORG", "B-ORG")
)


def describe(doc):
    return [[(e.text, e.label_) for e in sentence.ents] for sentence in doc.sents]


@pytest.mark.parametrize("content", [IOB1, IOB2, IOB1.replace("\n", "\r\n")])
def test_reads_documents(write, vocab, content):
    repairs = Repairs()
    first, second = read_conll2003(write(content), vocab, repairs=repairs)
    assert describe(first) == [
        [("Ada Byron", "PER"), ("Bo", "PER"), ("Cy", "PER")],
        [("Oslo", "LOC")],
    ]
    assert describe(second) == [[("Acme", "ORG"), ("Oslo", "LOC")]]
    assert first.has_annotation("ENT_IOB", require_complete=True)
    assert not repairs


def test_leaves_the_spaces_unknown_so_that_training_keeps_the_words(write, vocab):
    doc = next(read_conll2003(write(IOB1), vocab))
    assert doc.has_unknown_spaces
    assert doc.text == "Ada Byron met Bo Cy . Oslo "


def test_annotates_neither_relations_nor_categories(write, vocab):
    doc = next(read_conll2003(write(IOB1), vocab))
    assert not has_relations(doc)
    assert doc.cats == {}


def test_sentences_as_documents(write, vocab):
    docs = list(read_conll2003(write(IOB1), vocab, sentences=True))
    assert [len(doc) for doc in docs] == [6, 1, 2]
    assert [len(list(doc.sents)) for doc in docs] == [1, 1, 1]


def test_an_entity_ends_with_its_sentence(write, vocab):
    content = "-DOCSTART- -X- O O\n\nOslo N N I-LOC\n\nRome N N I-LOC\n"
    (doc,) = read_conll2003(write(content), vocab)
    assert [ent.text for ent in doc.ents] == ["Oslo", "Rome"]


def test_without_documents_each_sentence_is_one(write, vocab):
    repairs = Repairs()
    content = "Ada N N I-PER\n\nOslo N N I-LOC\n"
    docs = list(read_conll2003(write(content), vocab, repairs=repairs))
    assert [doc.text.strip() for doc in docs] == ["Ada", "Oslo"]
    assert repairs == {NO_DOCUMENTS: 2}
    assert "corpus.txt:3:" in repairs.notes[1]


def test_a_no_break_space_stays_inside_its_word(write, vocab):
    (doc,) = read_conll2003(write("10\u00a0000 CD I-NP O\n"), vocab)
    assert [token.text for token in doc] == ["10\u00a0000"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Ada NNP I-PER", "3 columns in 'Ada NNP I-PER'; write 4"),
        ("Ada NNP I-NP I-PER x", "5 columns"),
        ("Ada NNP I-NP U-PER", "tag 'U-PER' is none of O, B-TYPE and I-TYPE"),
        ("Ada NNP I-NP I-GOD", "unknown label 'GOD'; the labels given are LOC, PER"),
    ],
)
def test_errors_name_the_line(write, vocab, line, message):
    path = write(f"-DOCSTART- -X- O O\n\nIn IN I-PP O\n{line}\n")
    with pytest.raises(CorpusError) as caught:
        list(read_conll2003(path, vocab, labels=["PER", "LOC"]))
    assert str(caught.value).startswith(f"{path}:4: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("content", ["", "\n\n", "-DOCSTART- -X- O O\n\n"])
def test_a_file_without_documents_is_an_error(write, vocab, content):
    path = write(content)
    with pytest.raises(CorpusError, match="holds no document") as caught:
        list(read_conll2003(path, vocab))
    assert f"{path}:1: " in str(caught.value)
