"""Exports of tools and papers, their variants, and what is wrong in them. Invented."""

import json

import pytest
from spacy.tokens import DocBin

from spacy_attnner.corpora import brat, documents, label_studio, pubtator
from spacy_attnner.corpora.complaints import CorpusError
from spacy_attnner.corpora.conversion import convert
from spacy_attnner.corpora.formats import detect_format
from spacy_attnner.relations import has_relations

from .test_formats_apart import EXAMPLES, TEXT, WORDS, studio


@pytest.fixture
def folder(tmp_path):
    """Write a folder of files."""

    def make(**files):
        place = tmp_path / "brat"
        place.mkdir(exist_ok=True)
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode("utf8")
            (place / name.replace("_", ".")).write_bytes(data)
        return place

    return make


def ents(doc):
    return [(ent.text, ent.label_) for ent in doc.ents]


def change(name, **keys):
    """The example of a format with other keys."""
    value = json.loads(EXAMPLES[name])
    record = value[0] if isinstance(value, list) else value
    record.update(keys)
    return value


def test_brat_s_other_annotations(folder, tmp_path, nlp):
    ann = "T1\tPER 0 3\tAda\nT2\tTRIP 4 8;9 13\tleft Oslo\nE1\tMove:T2 Who:T1\n"
    ann += "A1\tNegated T1\nN1\tReference T1 Wiki:1\tAda\n"
    ann += "#1\tNote T1\tsure?\n*\tEquiv T1 T2\n"
    place = folder(
        d_txt=TEXT, d_ann=ann, e_txt="Nothing .", x_md="dear", f_txt="No .", f_ann=""
    )
    summary = convert(place, tmp_path / "out.spacy")
    docs = list(DocBin().from_disk(tmp_path / "out.spacy").get_docs(nlp.vocab))
    assert [doc.user_data["id"] for doc in docs] == ["d", "e", "f"]
    assert ents(docs[0]) == [("Ada", "PER"), ("left Oslo", "TRIP")]
    assert docs[0].user_data["meta"]["attributes"] == ("A1 Negated T1",)
    assert [doc.has_annotation("ENT_IOB") for doc in docs] == [True, False, True]
    assert summary.repairs == {
        brat.PIECES: 1,
        brat.EVENT: 1,
        brat.EQUIVALENT: 1,
        brat.NO_ANN: 1,
    }


@pytest.mark.parametrize(
    ("ann", "line", "message"),
    [
        ("T1\tPER 0 3\tBo", 1, "T1 'PER' is 'Ada' (0 to 3), but its text is given as"),
        ("T1\tPER 0\tAda", 1, "T1 'PER 0' is no TYPE START END"),
        ("T1\tPER 0 99\tAda", 1, "T1 'PER' spans 0 to 99, out of range"),
        ("T1\tPER 3 3\t", 1, "T1 'PER' spans 3 to 3, out of range"),
        ("T1\tPER 0 3\tAda\nT1\tPER 0 3\tAda", 2, "T1 is given twice; number them"),
        (
            "T1\tPER 0 3\tAda\nR1\tx Arg1:T1 Arg2:T9",
            2,
            "R1 joins T9, which is no en",
        ),
        (
            "T1\tPER 0 3\tAda\nR1\tx T1 T2",
            2,
            "R1 'x T1 T2' is no relation; wr",
        ),
        ("Ada PER", 1, "'Ada PER' begins with none of T, R, E, A, M, N, # and *"),
        ("T1\tPER 0 2\tAd", 1, "T1 'Ad' (0 to 2) does not begin and end with a token"),
    ],
)
def test_brat_errors_name_file_and_line(folder, tmp_path, ann, line, message):
    place = folder(d_txt=TEXT, d_ann=ann)
    with pytest.raises(CorpusError) as caught:
        convert(place, tmp_path / "out.spacy")
    assert f"{place / 'd.ann'}:{line}: " in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("ends", "triple"),
    [
        ("Arg1:T1 Arg2:T2", ("Ada", "Oslo")),
        ("Arg2:T2 Arg1:T1", ("Ada", "Oslo")),
        ("Ship:T1 Port:T2", ("Ada", "Oslo")),
    ],
)
def test_brat_s_arguments_go_by_their_names(folder, tmp_path, nlp, ends, triple):
    ann = f"T1\tPER 0 3\tAda\nT2\tLOC 9 13\tOslo\nR1\tLeft {ends}\n"
    convert(folder(d_txt=TEXT, d_ann=ann), tmp_path / "out.spacy")
    (doc,) = DocBin().from_disk(tmp_path / "out.spacy").get_docs(nlp.vocab)
    assert [(r.head.text, r.tail.text) for r in doc._.relations] == [triple]


def test_brat_s_files(folder, tmp_path):
    place = folder(d_ann="T1\tPER 0 3\tAda\n", e_txt="caf\xe9".encode("latin-1"))
    with pytest.raises(CorpusError) as caught:
        convert(place, tmp_path / "out.spacy")
    assert "d.ann:1: there is no d.txt; add the text" in str(caught.value)
    assert "e.txt:1: b'\\xe9' is not utf-8; save e.txt as utf-8" in str(caught.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="is a directory, not a file; give the path"):
        detect_format(tmp_path / "empty")


def test_brat_s_offsets_in_other_units(folder, tmp_path):
    text = "🚢\r\nAda left ."
    ann = f"T1\tPER {len('🚢'.encode('utf-16-le')) // 2 + 2} 7\tAda\n"
    summary = convert(folder(d_txt=text, d_ann=ann), tmp_path / "out.spacy")
    assert summary.entities == {"PER": 1}
    assert summary.repairs == {documents.UNITS.format("UTF-16 units"): 1}


@pytest.mark.parametrize("key", ["label", "labels"])
def test_doccano_s_triples(read, key):
    content = {"id": 3, "text": TEXT, key: [[0, 3, "PER"], [9, 13, "LOC"]], "page": 2}
    (doc,), summary = read(content)
    assert summary.format == "doccano"
    assert ents(doc) == [("Ada", "PER"), ("Oslo", "LOC")]
    assert (doc.user_data["id"], doc.user_data["meta"]) == (3, {"page": 2})


def test_doccano_s_old_annotations(read):
    item = {"label": 4, "start_offset": 0, "end_offset": 3, "user": 1}
    (doc,), _ = read({"id": 1, "text": TEXT, "annotations": [item], "meta": {}})
    assert ents(doc) == [("Ada", "4")]


def test_doccano_s_categories(read):
    rows = [{"text": TEXT, "label": ["a", "b"]}, {"text": TEXT, "label": []}]
    docs, summary = read("\n".join(map(json.dumps, rows)))
    assert summary.format == "doccano"
    assert [doc.cats for doc in docs] == [{"a": 1.0, "b": 1.0}, {"a": 0.0, "b": 0.0}]
    assert not docs[0].has_annotation("ENT_IOB")


def test_doccano_s_old_categories_and_meta(read):
    item = {"label": 2, "user": 1, "prob": 0.0}
    value = {"id": 1, "text": TEXT, "annotations": [item], "meta": {"page": 2}}
    (doc,), summary = read(value)
    assert summary.format == "doccano"
    assert doc.cats == {"2": 1.0}
    assert doc.user_data["meta"] == {"page": 2}


@pytest.mark.parametrize("keys", [{}, {"Comments": []}])
def test_doccano_s_intents_and_slots(read, keys):
    rows = [
        {"id": 1, "text": TEXT, "cats": ["trip"], "entities": [[9, 13, "LOC"]], **keys},
        {"id": 2, "text": TEXT, "cats": ["stay"], "entities": [], **keys},
    ]
    docs, summary = read("\n".join(map(json.dumps, rows)))
    assert summary.format == "doccano"
    assert [ents(doc) for doc in docs] == [[("Oslo", "LOC")], []]
    assert [doc.cats for doc in docs] == [
        {"stay": 0.0, "trip": 1.0},
        {"stay": 1.0, "trip": 0.0},
    ]


def test_label_studio_s_json_min(read):
    task = {"id": 1, "text": TEXT, "label": [studio(0, 3, "PER", "a")["value"]]}
    task |= {"topic": "travel", "annotator": 1, "annotation_id": 2, "lead_time": 1.5}
    (doc,), summary = read([task], label_column="topic")
    assert summary.format == "label_studio"
    assert ents(doc) == [("Ada", "PER")]
    assert doc.cats == {"travel": 1.0}


def test_label_studio_s_choices_of_json_min(read):
    """One choice is a bare string, several are an object, a task may have none."""
    common = {"text": TEXT, "annotator": 1, "annotation_id": 2}
    both = {"choices": ["trade", "crew"]}
    tasks = [{**common, "topic": "crew"}, {**common, "topic": both}, common]
    docs, summary = read(tasks, label_column="topic")
    crew, trade = {"crew": 1.0, "trade": 0.0}, {"crew": 1.0, "trade": 1.0}
    assert [doc.cats for doc in docs] == [crew, trade, {"crew": 0.0, "trade": 0.0}]
    assert not summary.repairs
    docs, summary = read(tasks[:1])
    assert docs[0].user_data["meta"] == {"topic": "crew"}
    assert summary.repairs == {label_studio.BARE: 1}
    with pytest.raises(CorpusError, match="--label-column tipic: no task has such a"):
        read(tasks, label_column="tipic")
    with pytest.raises(CorpusError, match="topic: the choice is 3; give a string"):
        read([{**common, "topic": 3}], label_column="topic")


def test_label_studio_s_choices_and_cancelled_tasks(read):
    choice = {"type": "choices", "value": {"choices": ["a"]}, "from_name": "c"}
    good = {"result": [choice], "was_cancelled": False}
    task = {"id": 1, "data": {"body": TEXT, "page": 2}, "annotations": [good, good]}
    cancelled = {**task, "annotations": [{**good, "was_cancelled": True}]}
    (doc,), summary = read([task, cancelled])
    assert doc.cats == {"a": 1.0}
    assert not doc.has_annotation("ENT_IOB")
    assert doc.user_data["meta"] == {"page": 2}
    assert summary.repairs == {label_studio.NOT_FIRST: 1, label_studio.CANCELLED: 1}


def test_label_studio_s_predictions_alone(read):
    task = {"data": {"text": TEXT}, "annotations": [], "predictions": [{"result": []}]}
    with pytest.raises(CorpusError, match=r"no document \(2: task with predictions an"):
        read([task, task])


def test_label_studio_s_results_that_are_left_out(read):
    span = studio(0, 3, "PER", "a")
    sure = {"start": 0, "end": 3, "text": "Ada", "choices": ["sure"]}
    sure = {"id": "a", "type": "choices", "value": sure}
    hyper = {"id": "a", "type": "hypertextlabels", "value": {}}
    found = [[span, sure], [hyper], []]
    tasks = [{"data": {"text": TEXT}, "annotations": [{"result": r}]} for r in found]
    docs, summary = read(tasks)
    assert [doc.cats for doc in docs] == [{}, {}, {}]
    assert [doc.has_annotation("ENT_IOB") for doc in docs] == [True, False, True]
    assert summary.repairs == {label_studio.OF_REGION: 1, label_studio.OTHER_TYPE: 1}


def test_label_studio_s_regions_over_line_ends(read):
    value = {"start": 3, "end": 10, "text": "Ada\\nBay", "labels": ["SHIP"]}
    result = {"id": "a", "type": "labels", "value": value}
    task = {"data": {"text": "Hi\nAda\nBay"}, "annotations": [{"result": [result]}]}
    (doc,), summary = read([task])
    assert ents(doc) == [("Ada\nBay", "SHIP")]
    assert not summary.repairs


def test_label_studio_counts_utf16_units(read):
    value = {"start": 3, "end": 6, "text": "Ada", "labels": ["PER"]}
    result = {"id": "a", "type": "labels", "value": value}
    task = {"data": {"text": "🚢 Ada"}, "annotations": [{"result": [result]}]}
    (doc,), summary = read([task])
    assert ents(doc) == [("Ada", "PER")]
    assert sum(summary.repairs.values()) == 1


@pytest.mark.parametrize("alone", [True, False])
def test_light_tag_s_spans_without_ids(read, alone):
    spans = [
        {"start": 0, "end": 3, "tag": "PER", "value": "Ada"},
        {"start": 9, "end": 13, "tag": "LOC", "value": "Oslo"},
    ]
    examples = [{"content": TEXT, "annotations": spans}]
    (doc,), summary = read(examples if alone else {"examples": examples})
    assert summary.format == "light_tag"
    assert ents(doc) == [("Ada", "PER"), ("Oslo", "LOC")]


def test_dataturks(read):
    span = {"label": ["PER", "KING"], "points": [{"start": 0, "end": 2}]}
    rows = [
        {"content": TEXT, "annotation": [span], "extras": {"page": 2}},
        {"content": TEXT, "annotation": None},
        {"content": TEXT, "annotation": {"labels": ["news"], "note": ""}},
        {"content": TEXT, "annotation": []},
    ]
    docs, summary = read("\n".join(map(json.dumps, rows)))
    assert summary.format == "dataturks"
    assert {span.label_ for span in docs[0].spans[documents.ALL_ENTITIES]} == {
        "PER",
        "KING",
    }
    assert docs[0].user_data[documents.META] == {"page": 2}
    assert [doc.has_annotation("ENT_IOB") for doc in docs[1:]] == [False, False, True]
    assert docs[2].cats == {"news": 1.0}


def test_hugging_face_s_numbers_and_texts(read):
    numbers = {"id": "7", "tokens": WORDS, "ner_tags": [1, 0, 2, 0]}
    (doc,), _ = read(numbers, label_names="O,B-PER,B-LOC")
    assert ents(doc) == [("Ada", "PER"), ("Oslo", "LOC")]
    rows = [{"text": TEXT, "label": 0}, {"text": TEXT, "label": 1}]
    docs, summary = read("\n".join(map(json.dumps, rows)), label_names="no,yes")
    assert summary.format == "hugging_face"
    assert docs[0].cats == {"no": 1.0, "yes": 0.0}


def test_a_table_of_several_categories(read):
    rows = "text\tsport\tnews\nAda won\t1\t0\nBo left\t0\t1\n"
    docs, _ = read(rows, format="table", label_column="sport,news")
    assert [doc.cats for doc in docs] == [
        {"news": 0.0, "sport": 1.0},
        {"news": 1.0, "sport": 0.0},
    ]


def test_a_table_of_doccano_s(read):
    rows = "id,text,label,Comments\n1,Ada won,sport,\n2,Bo left,sport#news,\n"
    docs, _ = read(rows)
    assert [doc.cats for doc in docs] == [
        {"news": 0.0, "sport": 1.0},
        {"news": 1.0, "sport": 1.0},
    ]
    docs, _ = read("text,label\nAda won,C#\n")
    assert docs[0].cats == {"C#": 1.0}


@pytest.mark.parametrize(
    "label", ['[{""start"":0,""end"":3}]', '{""choices"":[""a""]}', "[]"]
)
def test_a_table_of_spans(read, label):
    with pytest.raises(CorpusError, match=r":2: label is .*, a list or an object; exp"):
        read(f'text,label\nAda left,"{label}"\n')


def test_a_cell_over_several_lines(read):
    content = 'id,body,kind\nx,"Ada\nwon",a\ny,Bo,b\n'
    settings = {"format": "table", "text_column": "body", "label_column": "kind"}
    docs, _ = read(content, **settings)
    assert docs[0].text == "Ada\nwon"
    assert docs[0].user_data["id"] == "x"
    with pytest.raises(CorpusError, match=r"txt:4: 2 cells for 3 columns; quote cells"):
        read(content.replace("y,Bo,b", "y,Bo"), **settings)


def test_quotes_of_a_text_take_no_rows(read, tmp_path):
    """A cell that a quote opens would end at the next quote, rows later."""
    rows = 'text\tlabel\n"Ada won\ta\nBo\tb\nCy won"\tb\n"Di" won\ta\nEd\tb\n'
    with pytest.raises(CorpusError) as caught:
        read(rows)
    assert ":2: a quote takes in 3 lines and their tabs; " in str(caught.value)
    assert ":5: no CSV, " in str(caught.value)
    assert "6:" not in str(caught.value)
    (doc,), summary = read(rows, rejects=tmp_path / "rejects.jsonl")
    assert (doc.text, summary.rejected) == ("Ed", 2)
    docs, _ = read('text\tlabel\n"Ada\nwon"\ta\n"""Bo"" won"\tb\n')
    assert [doc.text for doc in docs] == ["Ada\nwon", '"Bo" won']
    with pytest.raises(CorpusError, match=r":3: no CSV, unexpected end of data; write"):
        read('text,label\nAda,a\n"Bo,b\nCy,a\n')


def test_a_long_cell(read):
    (doc,), _ = read(f"text,label\n{'a' * 140_000},b\n")
    assert len(doc.text) == 140_000


def test_several_categories_of_fasttext(read):
    docs, _ = read("__label__a __label__b Ada won\n__label__c Bo left\n")
    assert docs[0].cats == {"a": 1.0, "b": 1.0, "c": 0.0}
    assert docs[0].text == "Ada won"
    docs, _ = read("__label__a Ada __label__b won\t__label__c\n__label__b Bo\n")
    assert docs[0].cats == {"a": 1.0, "b": 1.0, "c": 1.0}
    assert docs[0].text == "Ada won"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "doccano",
            change("doccano", relations=[{"from_id": 7, "to_id": 8, "type": "x"}]),
            "relations[0] to_id is 8, which is no id of an entity",
        ),
        ("doccano", {"text": TEXT, "label": [[0, 3]]}, "label[0] is [0, 3]; give [sta"),
        (
            "label_studio",
            {"data": {"a": "x", "b": "y"}, "annotations": []},
            "no text among ['a', 'b']; name its key with --text-column",
        ),
        (
            "hugging_face",
            {"tokens": WORDS, "ner_tags": ["O"]},
            "ner_tags has 1 tags for 4 tokens",
        ),
        (
            "hugging_face",
            {"tokens": WORDS, "ner_tags": [0, 0, 0, 0]},
            "ner_tags[0] is the number 0; name all with --label-names",
        ),
        (
            "spert",
            change("spert", relations=[{"type": "x", "head": 0, "tail": 9}]),
            "relations[0] tail is 9, which is no entity: the document has 2",
        ),
        (
            "spert",
            change("spert", tokens=["Ada"]),
            "entities[1] 'LOC' spans 2 to 3, ",
        ),
        (
            "gliner",
            change("gliner", ner=[[0, 9, "x"]]),
            "ner[0] 'x' spans 0 to 10, ",
        ),
        (
            "gliner",
            change("gliner", relations=[[0, 1, "x", "y"]]),
            "relations[0] is [0, 1, 'x', 'y']; write [0, 0, 'type']",
        ),
        (
            "gliner",
            change(
                "gliner",
                relations=[
                    {
                        "head": {"position": [0, 0]},
                        "tail": {"position": [1, 1]},
                        "relation_text": "x",
                    }
                ],
            ),
            "relations[0] tail is at [1, 1], where ner has no entity",
        ),
        ("gliner", change("gliner", ner=[[0, "x"]]), "ner[0] is [0, 'x']; write [0, 0"),
        (
            "dygie",
            change("dygie", relations=[[], [[2, 2, 3, 3, "x"]]]),
            "relations [2, 2, 3, 3] joins [3, 3], which is no entity of ner",
        ),
        ("dygie", change("dygie", ner=[[]]), "ner has 1 lists for 2 sentences"),
        (
            "docred",
            change("docred", labels=[{"r": "x", "h": 0, "t": 5}]),
            "labels[0] joins entity 5; vertexSet has 2",
        ),
        (
            "pubtator",
            "7\t0\t3\tAda\tPER\tP1\n",
            "is neither `7",
        ),
        (
            "spacy_tuples",
            [[TEXT, {"entities": [[0, 3]]}]],
            "entities[0] is [0, 3]; ",
        ),
        ("fasttext", "a joy\n", "no label before 'a joy'; write `__label__NAME text`"),
        ("fasttext", "__label__a\n", "no text after '__label__a'"),
        ("table", "text,label\nAda,\n", "no label for 'Ada'; fill column label"),
    ],
)
def test_errors_name_the_line(read, name, content, message):
    with pytest.raises(CorpusError) as caught:
        read(content, format=name)
    line = 2 if name == "table" else 1
    assert f"corpus.txt:{line}: " in str(caught.value)
    assert message in str(caught.value)


def test_columns_that_a_table_lacks(read):
    with pytest.raises(CorpusError, match="no column body among text, label; name"):
        read("text,label\nAda,a\n", format="table", text_column="body")


def test_prodigy_s_categories(read):
    rows = [
        {"text": TEXT, "label": "NEWS", "answer": answer, "_is_binary": True}
        for answer in ("accept", "reject", "ignore")
    ]
    docs, _ = read("\n".join(map(json.dumps, rows)))
    assert [doc.cats for doc in docs] == [{"NEWS": 1.0}, {"NEWS": 0.0}]
    options = [{"id": name, "text": name} for name in ("a", "b")]
    row = {"text": TEXT, "options": options, "accept": ["b"], "answer": "accept"}
    (doc,), _ = read(row)
    assert doc.cats == {"a": 0.0, "b": 1.0}
    with pytest.raises(
        CorpusError, match="accept has 'c', which is none of the options"
    ):
        read({**row, "accept": ["c"]})


@pytest.mark.parametrize("keys", [{}, {"label": 0.5}, {"meta": {"page": 2}}])
def test_objects_that_are_no_examples_of_prodigy(read, keys):
    with pytest.raises(CorpusError, match=r":1: an object of .* none of Prodigy's, su"):
        read({"text": TEXT, **keys}, format="prodigy")


def test_pubtator_s_documents(read):
    content = "7|t|Ada left Oslo .\n7|a|She slept .\n7\t0\t3\tAda\tPER\tP1\n"
    content += "7\t16\t19\tShe\tPER\tP1\n7\t9\t13\tOslo\tLOC\tL1\n"
    content += "7\tLeft\tP1\tL1\n7\tLeft\tP1\tL9\n\n8|t|Bo .\n8|a|\n"
    docs, summary = read(content)
    assert [doc.user_data["id"] for doc in docs] == ["7", "8"]
    assert [(r.head.text, r.tail.text) for r in docs[0]._.relations] == [
        ("She", "Oslo")
    ]
    assert [has_relations(doc) for doc in docs] == [True, True]
    assert summary.repairs == {pubtator.UNMARKED: 1}
    with pytest.raises(CorpusError, match=r":3: 'Ada' 'PER' is 'da ' .* as 'Ada'"):
        read(content.replace("7\t0\t3", "7\t1\t4"))
