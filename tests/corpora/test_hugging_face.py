"""Hugging Face's data sets, as JSONL and as Parquet. Sentences are invented."""

import io
import json
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from spacy.tokens import DocBin

from spacy_attnner.corpora import hugging_face
from spacy_attnner.corpora.complaints import CorpusError
from spacy_attnner.corpora.conversion import convert
from spacy_attnner.corpora.formats import detect_format

WORDS = ["Ada", "Byron", "left", "Oslo"]
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
CLASS = {"names": TAGS, "_type": "ClassLabel"}
# as versions 2, 4 and 1 of the library store a list of labels
LISTS = [
    {"feature": CLASS, "_type": "Sequence"},
    {"feature": CLASS, "_type": "List"},
    [CLASS],
]


def table(rows, features=None):
    """The bytes of a Parquet file."""
    made = pa.Table.from_pylist(rows)
    if features:
        stored = json.dumps({"info": {"features": features}})
        made = made.replace_schema_metadata({"huggingface": stored})
    sink = io.BytesIO()
    pq.write_table(made, sink)
    return sink.getvalue()


@pytest.fixture
def read(write, tmp_path, nlp):
    """Convert rows, as Parquet with `features`, or as JSONL."""

    def read_rows(rows, features=None, jsonl=False, **settings):
        content = table(rows, features)
        if jsonl:
            content = "\n".join(map(json.dumps, rows))
        out = tmp_path / "out.spacy"
        summary = convert(write(content), out, **settings)
        assert summary.format == "hugging_face"
        return list(DocBin().from_disk(out).get_docs(nlp.vocab)), summary

    return read_rows


@pytest.mark.parametrize("feature", LISTS)
def test_tags_get_the_names_of_the_metadata(read, feature):
    rows = [{"id": "7", "tokens": WORDS, "ner_tags": [1, 2, 0, 3], "pos_tags": [9] * 4}]
    (doc,), _ = read(rows, {"ner_tags": feature})
    assert [(e.text, e.label_) for e in doc.ents] == [
        ("Ada Byron", "PER"),
        ("Oslo", "LOC"),
    ]
    assert doc.user_data["id"] == "7"
    assert doc.user_data["meta"] == {"pos_tags": (9, 9, 9, 9)}


def test_labels_of_texts(read):
    rows = [{"text": "Ada won", "label": 1}, {"text": "Bo left", "label": 0}]
    rows.append({"text": "Cy slept", "label": -1})
    names = {"names": ["sad", "glad"], "_type": "ClassLabel"}
    docs, summary = read(rows, {"label": names})
    assert [doc.cats for doc in docs] == [
        {"glad": 1.0, "sad": 0.0},
        {"glad": 0.0, "sad": 1.0},
        {},
    ]
    assert summary.repairs == {hugging_face.UNLABELLED: 1}


@pytest.mark.parametrize("jsonl", [False, True])
def test_several_labels_of_a_text(read, jsonl):
    rows = [{"text": "Ada won", "labels": [0, 2]}, {"text": "Bo left", "labels": [1]}]
    docs, _ = read(rows, jsonl=jsonl, label_names="a,b,c")
    assert docs[0].cats == {"a": 1.0, "b": 0.0, "c": 1.0}


@pytest.mark.parametrize("number", [int, float, bool])
@pytest.mark.parametrize("jsonl", [False, True])
def test_0_or_1_for_each_label(read, jsonl, number):
    hot = [[0, 1, 1], [0, 0, 0], [1, 0, 0]]
    rows = [{"text": "Ada won", "labels": list(map(number, each))} for each in hot]
    docs, _ = read(rows, jsonl=jsonl, label_names="a,b,c")
    assert [list(doc.cats.values()) for doc in docs] == hot
    assert list(docs[0].cats) == ["a", "b", "c"]


def test_numbers_of_a_class_label_are_those_of_labels(read):
    kinds = {"feature": {"names": ["sad", "glad"]}, "_type": "List"}
    rows = [{"text": "Ada", "labels": [0, 1]}, {"text": "Bo", "labels": [1]}]
    docs, _ = read(rows, {"labels": kinds})
    assert [doc.cats for doc in docs] == [{"sad": 1, "glad": 1}, {"sad": 0, "glad": 1}]


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ([1, 0, 1], "a,b", "labels is [1, 0, 1]: a number is given twice; give the"),
        ([0, 1], "a,b", "labels is [0, 1]: the numbers of two labels, or 0 or 1 for"),
    ],
)
def test_lists_of_numbers_that_are_no_labels(read, labels, names, message):
    with pytest.raises(CorpusError) as caught:
        read([{"text": "Ada", "labels": labels}], jsonl=True, label_names=names)
    assert message in str(caught.value)


def test_other_columns_are_named_and_kept(read):
    rows = [{"content": "Ada won", "kind": "news", "day": date(2020, 5, 4)}]
    (doc,), _ = read(rows, text_column="content", label_column="kind")
    assert doc.cats == {"news": 1.0}
    assert doc.user_data["meta"] == {"day": "2020-05-04"}


@pytest.mark.parametrize("labels", ["ner", "labels"])
def test_tokens_under_another_name(read, labels):
    rows = [{"words": WORDS, labels: ["B-PER", "I-PER", "O", "B-LOC"]}]
    named = {"label_column": labels} if labels == "ner" else {}
    (doc,), _ = read(rows, format="hugging_face", text_column="words", **named)
    assert (doc.ents[0].text, doc.ents[0].label_) == ("Ada Byron", "PER")
    assert doc.text.split() == WORDS


@pytest.mark.parametrize(
    ("rows", "features", "message"),
    [
        (
            [
                {"tokens": WORDS, "ner_tags": [0] * 4},
                {"tokens": WORDS, "ner_tags": [0]},
            ],
            {"ner_tags": LISTS[0]},
            ":2: ner_tags has 1 tags for 4 tokens",
        ),
        (
            [{"tokens": WORDS, "ner_tags": [0] * 4}],
            None,
            ":1: ner_tags[0] is the number 0; name all with --label-names",
        ),
        (
            [{"text": "Ada", "label": 7}],
            {"label": CLASS},
            ":1: label is 7, but there are names of 5 labels",
        ),
        (
            [{"body": "Ada"}],
            None,
            ":1: the keys are ['body']; give tokens and ner_tags",
        ),
        (
            [{"text": "Ada", "label": 0.5}],
            None,
            "label is 0.5; give a name or a number",
        ),
    ],
)
def test_errors_name_the_row(read, rows, features, message):
    with pytest.raises(CorpusError) as caught:
        read(rows, features)
    assert message in str(caught.value)


def test_a_damaged_file(write, tmp_path):
    path = write(table([{"text": "Ada", "label": "a"}])[:-20])
    assert detect_format(path) == "hugging_face"
    with pytest.raises(CorpusError, match=r"no Parquet, .*; load it anew, unpacked"):
        convert(path, tmp_path / "out.spacy")
