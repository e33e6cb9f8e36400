import pytest

from spacy_attnner.corpora.complaints import CorpusError
from spacy_attnner.corpora.reading import Source

from .reading_as import read_as

read_trec = read_as("trec")
read_sst2 = read_as("sst2")

TREC = "NUM:date When did caf\xe9s open ?\nHUM:ind Who sang ?\n\nNUM:count How many ?\n"


@pytest.fixture
def trec(write):
    return write(TREC.encode("iso-8859-1"))


def test_trec_coarse(trec, vocab):
    docs = list(read_trec(trec, vocab))
    assert [doc.cats for doc in docs] == [
        {"HUM": 0.0, "NUM": 1.0},
        {"HUM": 1.0, "NUM": 0.0},
        {"HUM": 0.0, "NUM": 1.0},
    ]
    assert [token.text for token in docs[0]] == ["When", "did", "cafés", "open", "?"]
    assert not docs[0].has_annotation("ENT_IOB")


def test_trec_fine(trec, vocab):
    docs = list(read_trec(trec, vocab, fine=True))
    assert docs[2].cats == {"HUM:ind": 0.0, "NUM:count": 1.0, "NUM:date": 0.0}


def test_trec_with_the_labels_of_another_file(trec, vocab):
    doc = next(read_trec(trec, vocab, labels=["NUM", "LOC", "HUM"]))
    assert doc.cats == {"HUM": 0.0, "LOC": 0.0, "NUM": 1.0}
    with pytest.raises(CorpusError, match=r":2: unknown label 'HUM'; .* LOC, NUM"):
        list(read_trec(trec, vocab, labels=["NUM", "LOC"]))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("NUM When ?", "label 'NUM' has no two levels; write `COARSE:fine`"),
        (":date When ?", "label ':date' has no two levels"),
        ('{"id":1,"text":"When ?"}', 'label \'{"id":1,"text":"When\' has no two'),
        ("NUM:date", "no text after 'NUM:date'; write `label text`"),
    ],
)
def test_trec_errors_name_the_line(write, vocab, line, message):
    path = write(f"HUM:ind Who sang ?\n{line}\n")
    with pytest.raises(CorpusError) as caught:
        list(read_trec(path, vocab))
    assert str(caught.value).startswith(f"{path}:2: {message}")


def test_sst2(write, vocab):
    docs = list(read_sst2(write("0 what a bore\n1 a joy to watch\n"), vocab))
    assert [doc.cats for doc in docs] == [
        {"NEGATIVE": 1.0, "POSITIVE": 0.0},
        {"NEGATIVE": 0.0, "POSITIVE": 1.0},
    ]
    assert docs[1].text == "a joy to watch "


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"2 so so", "label '2'; write 0 (negative) or 1 (positive)"),
        (b"1", "no text after '1'"),
        (b"1 caf\xe9", r"b'\xe9' is not utf-8; save the file as utf-8"),
        (b"0 a bore", "unknown label 'NEGATIVE'; the labels given are POSITIVE"),
    ],
)
def test_sst2_errors_name_the_line(write, vocab, line, message):
    path = write(b"1 a joy\n" + line + b"\n")
    with pytest.raises(CorpusError) as caught:
        list(read_sst2(path, vocab, labels=["POSITIVE"]))
    assert str(caught.value).startswith(f"{path}:2: {message}")


@pytest.mark.parametrize("read", [read_trec, read_sst2])
def test_a_file_without_documents_is_an_error(write, vocab, read):
    with pytest.raises(CorpusError, match=r"corpus\.txt:1: the file holds no document"):
        list(read(write("\n"), vocab))


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(CorpusError, match=r"nowhere\.txt: no such file; give the path"):
        list(Source(tmp_path / "nowhere.txt").lines())
    with pytest.raises(CorpusError, match="is a directory, not a file"):
        list(Source(tmp_path).lines())


def test_lines_end_only_at_a_line_feed(write):
    path = write("\ufeffone\u2028two\r\nthree\x85four")
    assert list(Source(path).lines()) == ["one\u2028two", "three\x85four"]
