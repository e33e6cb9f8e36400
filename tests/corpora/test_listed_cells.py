"""Tables whose cells hold lists. All are invented."""

import json

import pytest
from spacy.tokens import DocBin

from spacy_attnner.corpora.complaints import CorpusError
from spacy_attnner.corpora.conversion import convert
from spacy_attnner.corpora.documents import ID, META

ENTS = [[("Zoë Byron", "per")], [("Oslo", "geo")]]
KAGGLE = """Sentence #,Sentence,POS,Tag
Sentence: 1,Zoë Byron slept,"['NNP', 'NNP', 'VBD']","['B-per', 'I-per', 'O']"
Sentence: 2,Oslo waits,"['NNP', 'VBZ']","['B-geo', 'O']"
"""
TOKENS = """,tokens,ner_tags
0,"['Zoë', 'Byron', 'slept']","['B-per', 'I-per', 'O']"
1,"['Oslo', 'waits']","['B-geo', 'O']"
"""
NUMPY = """id,tokens,ner_tags
0,"['Zoë' 'Byron'
 'slept']",[1 2 0]
1,"['Oslo' ""waits""]",[3 0]
"""
SPACED = "text,labels\nZoë Byron slept,B-per I-per O\nOslo waits,B-geo O\n"
STUDIO = """annotation_id,annotator,id,label,mood,text
1,1,7,"[{""start"": 0, ""end"": 3, ""text"": ""Ada"", ""labels"": [""PER""]}]",good,"Ada
left"
2,1,8,,"{""choices"": [""good"", ""bad""]}",Bo
"""


@pytest.fixture
def read(write, tmp_path, nlp):
    """Convert a table; the documents, and the summary."""

    def read_content(content, **options):
        out = tmp_path / "out.spacy"
        summary = convert(write(content, "corpus.csv"), out, **options)
        return list(DocBin().from_disk(out).get_docs(nlp.vocab)), summary

    return read_content


def ents(docs):
    return [[(ent.text, ent.label_) for ent in doc.ents] for doc in docs]


@pytest.mark.parametrize(
    "content",
    [KAGGLE, TOKENS, SPACED, TOKENS.replace("'", '""'), KAGGLE.replace("\n", "\r\n")],
    ids=["kaggle", "tokens", "spaced", "json", "crlf"],
)
def test_tags_in_a_cell(read, content):
    docs, summary = read(content)
    assert summary.format == "hugging_face"
    assert ents(docs) == ENTS
    assert not summary.repairs


def test_what_numpy_prints(read):
    with pytest.raises(CorpusError, match=r"csv:2: .*name all with --label-names"):
        read(NUMPY)
    docs, _ = read(NUMPY, label_names="O,B-per,I-per,B-geo")
    assert ents(docs) == ENTS
    assert [doc.user_data[ID] for doc in docs] == ["0", "1"]


def test_other_columns_are_kept(read):
    docs, _ = read(KAGGLE)
    assert docs[0].user_data[META]["Sentence #"] == "Sentence: 1"
    assert len(docs[0].user_data[META]["POS"]) == 3


def test_a_table_of_label_studio_s(read):
    docs, summary = read(STUDIO)
    assert summary.format == "label_studio"
    assert ents(docs) == [[("Ada", "PER")], []]
    assert docs[0].text == "Ada\nleft"
    assert docs[1].cats == {"good": 1.0, "bad": 1.0}
    docs, _ = read(STUDIO, label_column="mood")
    assert docs[0].cats["good"] == 1.0


def test_offsets_in_a_cell(read):
    docs, summary = read("text,entities\nAda left,\"[(0, 3, 'PER')]\"\nBo left,[]\n")
    assert summary.format == "spacy_tuples"
    assert ents(docs) == [[("Ada", "PER")], []]


def test_categories_in_a_cell(read):
    docs, _ = read("text,label\nAda won,\"['news', 'sport']\"\nBo left,['news']\n")
    assert [doc.cats["sport"] for doc in docs] == [1.0, 0.0]


def test_all_that_is_wrong_is_told_at_once(read, tmp_path):
    wrong = [
        "\"['Ada', 'left'\",\"['B-PER', 'O']\"",
        "\"['Ada', left]\",\"['B-PER', 'O']\"",
        "\"['Ada' ... 'left']\",\"['B-PER' ... 'O']\"",
        "\"['Ada', 'left']\",\"['B-PER', 'O', 'O']\"",
        "\"['Ada']\"",
        "\"{'Ada'}\",\"['B-PER']\"",
    ]
    right = ["['Ada'],['B-PER']"] * 6
    content = "\n".join(["tokens,ner_tags", *wrong, *right])
    rejects = tmp_path / "rejects.jsonl"
    docs, _ = read(content, rejects=rejects)
    assert ents(docs) == [[("Ada", "PER")]] * 6
    told = [json.loads(line) for line in rejects.read_text("utf8").splitlines()]
    assert [each["line"] for each in told] == [2, 3, 4, 5, 6, 7]
    assert [each["record"] for each in told] == wrong
    for each, message in zip(
        told,
        [
            "write JSON",
            "write JSON",
            "left out the middle",
            "3 tags for 2 tokens",
            "1 cells for 2 columns",
            "write JSON",
        ],
        strict=True,
    ):
        assert message in each["errors"][0]


def test_other_encodings(read):
    with pytest.raises(CorpusError, match=r"csv:2: b'\\xeb' is not utf-8; .* latin-1"):
        read(KAGGLE.encode("latin-1"))
    assert ents(read(KAGGLE.encode("latin-1"), encoding="latin-1")[0]) == ENTS
    assert ents(read(KAGGLE.encode("utf-16"))[0]) == ENTS


def test_texts_that_only_look_like_lists(read):
    docs, summary = read("text,label\n[laughs] no,a\n[1],b\nBo,a\n")
    assert summary.format == "table"
    assert docs[1].text == "[1]"


def test_another_format_than_that_of_the_rows(read):
    with pytest.raises(CorpusError, match="read it with --format hugging_face"):
        read(TOKENS, format="doccano")


def test_a_table_without_names_of_columns(read):
    with pytest.raises(CorpusError, match="begins with the names of its columns"):
        read("Ada won,sport\nBo left,news\n")


def test_json_with_tags_of_a_text(read):
    rows = [{"text": "Zoë Byron slept", "tags": ["B-per", "I-per", "O"]}]
    rows.append({"text": "Oslo waits", "labels": ["B-geo", "O"]})
    docs, _ = read("\n".join(map(json.dumps, rows)), format="hugging_face")
    assert ents(docs) == ENTS
    with pytest.raises(CorpusError, match="labels has 2 tags for 3 tokens"):
        read('{"text": "Oslo waits there", "labels": ["B-geo", "O"]}')
