"""Tables with a token a row. All are invented."""

import json

import pytest
from spacy.tokens import DocBin

from spacy_attnner.corpora.complaints import CorpusError
from spacy_attnner.corpora.conversion import convert
from spacy_attnner.corpora.documents import ID, META
from spacy_attnner.corpora.formats import detect_format
from spacy_attnner.corpora.tags import UNFITTING
from spacy_attnner.corpora.token_tables import EMPTY

KAGGLE = """Sentence #,Word,POS,Tag
Sentence: 1,Zoë,NNP,B-per
,Byron,NNP,I-per
,said,VBD,O
,\"""\","``",O
,",",",",O
,Oslo,NNP,B-geo
Sentence: 2,Bo,NNP,B-per
,slept,VBD,O
"""
ENTS = [[("Zoë Byron", "per"), ("Oslo", "geo")], [("Bo", "per")]]


@pytest.fixture
def read(write, tmp_path, nlp):
    """Convert a table whose format is told; the documents, and the summary."""

    def read_content(content, name="corpus.csv", **options):
        out = tmp_path / "out.spacy"
        summary = convert(write(content, name), out, **options)
        assert summary.format == "columns"
        return list(DocBin().from_disk(out).get_docs(nlp.vocab)), summary

    return read_content


def ents(docs):
    return [[(ent.text, ent.label_) for ent in doc.ents] for doc in docs]


def filled(separator=",", header="sentence_id,words,labels"):
    """Rows that all name their sentence."""
    rows = ["0,Ada,B-PER", "0,Byron,I-PER", "0,left,O", "1,Oslo,B-LOC"]
    return "\n".join([header, *rows]).replace(",", separator)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_sentences_named_in_their_first_row(read, end):
    docs, summary = read(KAGGLE.replace("\n", end))
    assert ents(docs) == ENTS
    words = ["Zoë", "Byron", "said", '"', ",", "Oslo"]
    assert [token.text for token in docs[0]] == words
    assert [doc.user_data[ID] for doc in docs] == ["Sentence: 1", "Sentence: 2"]
    assert summary.sentences == 2
    assert not summary.repairs


def test_other_encodings(read):
    content = KAGGLE.encode("latin-1")
    with pytest.raises(CorpusError, match=r"csv:2: b'\\xeb' is not utf-8; .* latin-1"):
        read(content)
    assert ents(read(content, encoding="latin-1")[0]) == ENTS
    with pytest.raises(CorpusError, match=r"--encoding cp1252"):
        read(KAGGLE.replace("said", "“said”").encode("cp1252"))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "header",
    [
        "sentence_id,words,labels",
        "Sentence ID,Token,NER Tag",
        "sentence,word,label",
        "sent_id,FORM,iob",
    ],
)
def test_sentences_named_in_each_row(read, header, separator):
    docs, _ = read(filled(separator, header), "corpus.tsv")
    assert ents(docs) == [[("Ada Byron", "PER")], [("Oslo", "LOC")]]


@pytest.mark.parametrize("empty", ["", ",", '"",""', " , "])
def test_empty_rows_between_sentences(read, empty):
    docs, _ = read(f"word,tag\nAda,B-PER\n{empty}\nBo,B-PER\nleft,O\n{empty}\n")
    assert ents(docs) == [[("Ada", "PER")], [("Bo", "PER")]]


def test_a_column_of_several_that_holds_tags(read):
    docs, _ = read("id,word,entity,tag\n0,Ada,17,B-PER\n1,left,,O\n")
    assert ents(docs) == [[("Ada", "PER")]]


def test_sentences_that_are_numbered_in_each_document(read):
    rows = ["doc_id,sent_id,token,ner", "a,0,Ada,B-PER", "b,0,Bo,B-PER", "b,,left,O"]
    docs, _ = read("\n".join([*rows, ",1,So,O"]))
    assert [doc.text.split() for doc in docs] == [["Ada"], ["Bo", "left"], ["So"]]
    assert [doc.user_data[ID] for doc in docs] == ["a-0", "b-0", "b-1"]
    assert [doc.user_data[META]["doc_id"] for doc in docs] == ["a", "b", "b"]


def test_tokens_without_a_tag_are_counted(read):
    docs, summary = read("word,ner\nAda,B-PER\nleft,\n")
    assert ents(docs) == [[("Ada", "PER")]]
    assert summary.repairs == {EMPTY: 1}


def test_schemes(read):
    docs, _ = read("word,ner\nAda,PER\nByron,PER\nleft,O\nOslo,LOC\n")
    assert ents(docs) == [[("Ada Byron", "PER"), ("Oslo", "LOC")]]
    docs, _ = read("word,ner\nAda,B\nByron,I\nleft,O\n", entity_label="NAME")
    assert ents(docs) == [[("Ada Byron", "NAME")]]
    docs, summary = read("word,ner\nAda,B-X\nByron,E-X\nBo,I-X\nleft,O\n")
    assert ents(docs) == [[("Ada Byron", "X"), ("Bo", "X")]]
    assert summary.repairs[UNFITTING] == 2


def test_tags_that_come_late(read):
    docs, _ = read("id,word,ner\n" + "0,left,O\n\n" * 2_100 + "1,Ada,B-PER\n")
    assert ents(docs)[-1] == [("Ada", "PER")]


def test_columns_that_are_named(read):
    content = "Satz,Wort,außen,innen\n1,Ada,B-PER,O\n1,Oslos,O,B-LOC\n2,Bo,O,O\n"
    named = "token=Wort,tag=außen,tag=innen,sentence=Satz"
    docs, _ = read(content, columns=named)
    assert ents(docs) == [[("Ada", "PER"), ("Oslos", "LOC")], []]
    with pytest.raises(CorpusError, match=r"'tag=x' is none of the columns Satz, "):
        read(content, columns="token=Wort,tag=x")


def test_quotes_that_are_not_written_twice(read):
    docs, _ = read('word\ttag\n"\tO\nAda\tB-PER\n"\tO\n', "corpus.tsv")
    assert [[token.text for token in doc] for doc in docs] == [['"', "Ada", '"']]


def test_errors(read, tmp_path):
    content = KAGGLE + "Sentence: 3,Cy,NNP\n,,NN,O\n,left,VBD,X-\nSentence: 4,Di,N,O\n"
    with pytest.raises(CorpusError) as caught:
        read(content)
    lines = str(caught.value).splitlines()
    told = [line.split("corpus.csv:")[1] for line in lines[:3]]
    assert told[0].startswith("10: 3 cells for 4 columns in 'Sentence: 3,Cy,NNP'; ")
    assert told[1].startswith("11: no token in ',,NN,O'; fill column Word")
    assert told[2].startswith("12: tag 'X-' is none of O, B-TYPE")
    rejects = tmp_path / "wrong.jsonl"
    docs, _ = read(content, rejects=rejects)
    assert [doc.user_data[ID][-1] for doc in docs] == ["1", "2", "4"]
    (found,) = map(json.loads, rejects.read_text("utf8").splitlines())
    assert found["record"] == "Sentence: 3,Cy,NNP\n,,NN,O\n,left,VBD,X-"


def test_a_table_of_one_sentence_that_is_too_long_is_an_error(read):
    with pytest.raises(CorpusError, match=r"csv:1002: 1,000 rows without an "):
        read("word,tag\nAda,B-PER\n" + "slept,O\n" * 1_100)


@pytest.mark.parametrize(
    "header", ["text,label,words", "sentence,label,token", "text,category"]
)
def test_tables_of_texts_are_none(write, header):
    rows = header.count(",") * ",sport"
    assert detect_format(write(f"{header}\nAda won{rows}\n")) == "table"
