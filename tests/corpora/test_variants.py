"""What projects are set up for changes what their exports hold. All are invented."""

import json

import pytest

from spacy_attnner.corpora import (
    conversion,
    documents,
    formats,
    label_studio,
    prodigy,
)
from spacy_attnner.corpora.complaints import CorpusError
from spacy_attnner.corpora.formats import detect_format
from spacy_attnner.relations import get_relations

TEXT = "Ada left Oslo ."
PER = {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}
MIN = {"annotator": 1, "annotation_id": 2}


def ents(doc):
    return [(ent.text, ent.label_) for ent in doc.ents]


def lines(*values):
    return "\n".join(map(json.dumps, values))


def region(value, kind="labels", **keys):
    return {"id": "a", "type": kind, "value": value, **keys}


def task(*results, text=TEXT, **keys):
    note = {"was_cancelled": False, "result": list(results), **keys}
    return {"id": 1, "data": {"text": text}, "annotations": [note]}


# Prodigy


def test_a_category_asked_for_with_matches_of_patterns(read):
    match = [{"start": 0, "end": 3}]
    content = lines(
        {"text": TEXT, "label": "TRIP", "spans": match, "answer": "accept"},
        {"text": "Bo slept .", "label": "TRIP", "spans": [], "answer": "reject"},
    )
    docs, summary = read(content)
    assert [doc.cats for doc in docs] == [{"TRIP": 1.0}, {"TRIP": 0.0}]
    assert not any(doc.has_annotation("ENT_IOB") for doc in docs)
    assert summary.repairs == {prodigy.MATCH: 1}


def test_spans_of_strings_are_no_spans_of_prodigy(write):
    row = {"tokens": ["Ada", "left"], "ner_tags": [1, 0], "spans": ["PER: Ada"]}
    assert detect_format(write(lines(row))) == "hugging_face"


# Doccano


def test_categories_and_comments_beside_entities(read):
    entity = {"id": 7, "label": "PER", "start_offset": 0, "end_offset": 3}
    row = {"text": TEXT, "entities": [entity], "relations": [], "label": ["news"]}
    docs, _ = read(lines(row | {"Comments": ["check"]}, {**row, "label": ["sport"]}))
    assert [doc.cats for doc in docs] == [
        {"news": 1.0, "sport": 0.0},
        {"news": 0.0, "sport": 1.0},
    ]
    assert ents(docs[0]) == [("Ada", "PER")]
    assert docs[0].user_data["meta"] == {"Comments": ("check",)}


def test_numbers_of_categories_get_names(read):
    rows = ({"text": TEXT, "annotations": [{"label": n, "user": 1}]} for n in (2, 3))
    docs, _ = read(lines(*rows), label_map={"2": "news", "3": "sport"})
    assert docs[0].cats == {"news": 1.0, "sport": 0.0}


# Label Studio


def test_tasks_without_results_have_none_of_what_others_have(read):
    (_, doc), _ = read([task(region(PER)), task()])
    assert doc.has_annotation("ENT_IOB")
    assert not doc.ents
    (_, doc), _ = read([{**MIN, "text": TEXT, "label": [PER]}, {**MIN, "text": TEXT}])
    assert doc.has_annotation("ENT_IOB")
    assert not doc.ents
    for choices in (["trip"], ["trip", "news"]):
        (_, doc), _ = read([task(region({"choices": choices}, "choices")), task()])
        assert not doc.has_annotation("ENT_IOB")
        # one choice has to be made, of several none may apply
        assert doc.cats == ({} if len(choices) == 1 else {"trip": 0.0, "news": 0.0})


def test_results_that_are_no_labels(read):
    stars = region({"rating": 4}, "rating", id="b")
    link = {"type": "relation", "from_id": "a", "to_id": "b", "labels": ["Has"]}
    (doc,), summary = read([task(region(PER), stars, link)])
    assert ents(doc) == [("Ada", "PER")]
    assert summary.repairs == {label_studio.OTHER_TYPE: 1, label_studio.OTHER_END: 1}
    choice = {"start": 0, "end": 3, "text": "Ada", "choices": ["sure"]}
    row = {
        **MIN,
        "text": TEXT,
        "label": [PER],
        "stars": [{"rating": 4}],
        "is": [choice],
    }
    (doc,), summary = read([row])
    assert ents(doc) == [("Ada", "PER")]
    assert summary.repairs == {label_studio.OTHER_TYPE: 2}


def test_the_starred_annotation_is_read(read):
    starred = {"result": [region(PER)], "ground_truth": True}
    other = region({**PER, "labels": ["ORG"]})
    row = task(other)
    row["annotations"].append(starred)
    assert ents(read([row])[0][0]) == [("Ada", "PER")]


def test_an_id_is_no_text(read):
    row = task(region(PER))
    row["data"] = {"id": "a7", "review": TEXT}
    (doc,), _ = read([row])
    assert (doc.text, doc.user_data["id"]) == (TEXT, "a7")


# Hugging Face


@pytest.mark.parametrize(
    ("tags", "settings", "label"),
    [
        (["person", "O", "place", "O"], {}, "person"),
        (["B", "O", "B", "O"], {"entity_label": "Name"}, "Name"),
        (["b-PER", "o", "b-LOC", "o"], {}, "PER"),
        (["PER-B", "O", "PER-B", "LOC-B"], {}, "PER-B"),
        (["PER-B", "PER-I", "O", "LOC-B"], {}, "PER"),
    ],
)
def test_tags_of_other_schemes(read, tags, settings, label):
    row = {"tokens": TEXT.split(), "ner_tags": tags}
    (doc,), summary = read(lines(row), **settings)
    assert summary.format == "hugging_face"
    assert doc.ents[0].label_ == label


def test_parts_of_speech_are_no_entities(read):
    row = {"tokens": TEXT.split(), "tags": ["NOUN", "VERB", "NOUN", "PUNCT"]}
    with pytest.raises(CorpusError, match="'NOUN' is none of O, B-TYPE"):
        read(lines(row))


def test_options_name_any_keys(read, write):
    row = {"words": TEXT.split(), "bio": ["B-PER", "O", "B-LOC", "O"], "lang": "en"}
    (doc,), _ = read(lines(row), text_column="words", label_column="bio")
    assert ents(doc) == [("Ada", "PER"), ("Oslo", "LOC")]
    cells = "review,tags\nAda left,\"['trip', 'news']\"\nBo slept,\"['news']\"\n"
    docs, _ = read(cells, text_column="review", label_column="tags")
    assert docs[1].cats == {"trip": 0.0, "news": 1.0}


def test_truth_values_are_the_two_labels(read):
    rows = [{"text": TEXT, "label": True}, {"text": TEXT, "label": False}]
    docs, _ = read(lines(*rows), label_names="bad,good")
    assert docs[0].cats == {"bad": 0.0, "good": 1.0}


# columns


def test_prefixes_behind_labels(read):
    content = "Ada\tPER-B\nByron\tPER-I\nleft\tO\nOslo\tLOC-B\n\n"
    (doc,), summary = read(content)
    assert summary.format == "columns"
    assert ents(doc) == [("Ada Byron", "PER"), ("Oslo", "LOC")]


def test_gold_and_predicted_tags(read):
    content = "Ada B-PER B-PER\nleft O O\nOslo B-LOC B-PER\nBo B-PER B-PER\n\n"
    with pytest.raises(CorpusError, match=r"columns 1 and 2 say .* token=0,tag=1"):
        read(content)
    (doc,), _ = read(content, columns="token=0,tag=1")
    assert ents(doc)[1] == ("Oslo", "LOC")


def test_a_document_that_cannot_be_split_up(write, tmp_path):
    content = "-DOCSTART- O\n\nAda B-PER\nleft O\n\nBo B-PER\nslept O\n\n"
    with pytest.raises(CorpusError, match="is one document; of columns a -DOCSTART-"):
        conversion.convert(write(content), tmp_path / "out", split="50/50")


# dictionaries and tables


def test_dictionaries_keep_id_and_meta(read):
    row = {"id": 5, "meta": {"page": 2}, "text": TEXT, "entities": [[0, 3, "PER"]]}
    (doc,), summary = read(lines(row))
    assert summary.format == "spacy_tuples"
    assert doc.user_data == {"id": 5, "meta": {"page": 2}}
    assert not summary.repairs


def test_tables_name_a_column_once(read):
    with pytest.raises(CorpusError, match=r":1: two columns are called 'text'; rename"):
        read("text,label,text\nAda left,trip,zz\n")
    docs, _ = read("text,label,,\nAda left,trip,,\nBo slept,news,,\n")
    assert docs[0].cats == {"trip": 1.0, "news": 0.0}
    docs, _ = read("text,a,b\nAda left,1,0\n", label_column="a, b", text_column="text")
    assert docs[0].cats == {"a": 1.0, "b": 0.0}


# PubTator and BRAT


def test_relations_of_concepts_that_are_marked_together(read):
    content = "7|t|Aspirin and ulcers.\n7|a|None.\n7\t0\t7\tAspirin\tChemical\tD1\n"
    content += "7\t12\t18\tulcers\tDisease\tD2|D3\n7\tCID\tD1\tD2\n7\tCID\tD1\tD3\n\n"
    (doc,), summary = read(content)
    assert [(r.head.text, r.tail.text) for r in get_relations(doc)] == [
        ("Aspirin", "ulcers")
    ]
    assert summary.repairs == {documents.LINK_TWICE: 1}


def test_events_are_their_triggers_to_relations(tmp_path, nlp):
    place = tmp_path / "brat"
    place.mkdir()
    (place / "a.txt").write_text(TEXT)
    ann = "R1\tCause Arg1:E1 Arg2:T2\nE1\tMove:T1\nT1\tLEFT 4 8\tleft\n"
    (place / "a.ann").write_text(ann + "T2\tLOC 9 13\tOslo\n")
    (doc,) = formats.read_corpus(place, nlp, "brat")
    assert [(r.head.text, r.tail.text) for r in get_relations(doc)] == [
        ("left", "Oslo")
    ]


# all formats


def test_tokens_are_trimmed(read):
    row = {"tokens": ['"', "Ada", '"', "left"], "entities": [[0, 2, "PER"]]}
    row["entities"] = [{"start": 0, "end": 3, "label": "PER"}]
    (doc,), summary = read(lines(row), trim=True)
    assert ents(doc) == [('" Ada "', "PER")]  # a pair of quotes
    row["entities"] = [{"start": 0, "end": 2, "label": "PER"}]
    (doc,), summary = read(lines(row), trim=True)
    assert ents(doc) == [("Ada", "PER")]
    assert summary.repairs == {documents.TRIMMED: 1}


def test_what_is_said_of_texts_without_sentences_and_words(read):
    docs, summary = read(lines({"text": TEXT}, {"text": ""}), sentences=True)
    assert len(docs) == 2
    assert summary.repairs == {formats.UNSPLIT: 1, conversion.EMPTY: 1}


def test_relations_are_renamed(read):
    entities = [
        {"start": 0, "end": 3, "label": "PER"},
        {"start": 9, "end": 13, "label": "LOC"},
    ]
    links = [{"head": 0, "tail": 1, "label": "Left"}] * 2
    row = {"text": TEXT, "entities": entities, "relations": links}
    (doc,), summary = read(lines(row), label_map={"Left": "Went_From"})
    assert [each.label for each in get_relations(doc)] == ["Went_From"]
    assert summary.repairs == {documents.LINK_TWICE: 1}


@pytest.mark.parametrize("name", ["out.spacy", "out/train.spacy"])
def test_rejects_do_not_take_the_place_of_documents(write, tmp_path, name):
    path = write(lines({"text": TEXT}, {"text": "Bo slept ."}))
    output, settings = tmp_path / "out.spacy", {}
    if "/" in name:
        output, settings = tmp_path / "out", {"split": "50/50"}
    with pytest.raises(CorpusError, match="--rejects is where documents go"):
        conversion.convert(path, output, rejects=tmp_path / name, **settings)
    assert not output.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x\x9c" + bytes(20), "holds documents of spaCy's already"),
        (b"ARROW1" + bytes(20), "is Arrow; save it as Parquet"),
    ],
)
def test_files_of_other_libraries(write, content, message):
    with pytest.raises(CorpusError, match=message):
        detect_format(write(content))


def test_a_language_whose_tokenizer_is_not_installed(write, tmp_path, monkeypatch):
    def fail(lang):
        raise ImportError("install\n  SudachiPy")

    monkeypatch.setattr(conversion.spacy, "blank", fail)
    with pytest.raises(CorpusError, match="--lang ja: install SudachiPy"):
        conversion.convert(write(lines({"text": TEXT})), tmp_path / "o", lang="ja")
