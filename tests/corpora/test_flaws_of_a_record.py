"""All that is wrong in one record is told in one run, whatever its format."""

import json
import re

import pytest

from spacy_attnner.corpora.complaints import CorpusError
from spacy_attnner.corpora.conversion import convert

TEXT = "Ada left Oslo ."
WORDS = TEXT.split()


def spans(*places):
    return [
        {"start": start, "end": end, "label": label} for start, end, label in places
    ]


def doccano(*places):
    return [
        {"id": i, "start_offset": start, "end_offset": end, "label": "X"}
        for i, (start, end) in enumerate(places, 1)
    ]


def label_studio(*results):
    return {"data": {"text": TEXT}, "annotations": [{"result": [*results]}]}


def region(start, end):
    value = {"start": start, "end": end, "labels": ["X"]}
    return {"id": f"r{start}", "type": "labels", "value": value}


CONLL04 = """#doc 1
0\tAda\tB-X\t['Left']\t[9]
1\tleft\tO\t['N']\t[1]
2\tOslo\tB-X\t['Left']\t[8]
"""
PUBTATOR = f"""1|t|{TEXT}
1\tx\t3\tAda\tX\tD1\tAda
1\t0\t3\tAda
1\t9\t99\tOslo\tX
1\t0\t2\tAd\tX
"""
SEMEVAL = '1\t"<e1>Ada</e1> left Oslo ."\nLeft(e1,e1)\n'
TWO = [{"type": "X", "start": "0", "end": 1}, {"type": 1, "start": 0, "end": 1}]
# format: a record, and what is said of each of its flaws
CASES = {
    "jsonl": (
        {
            "text": TEXT,
            "id": [],
            "meta": 1,
            "entities": [
                *spans(("0", 3, "X"), (0, 2, "X"), (9, 99, ""), (9, 13, "X")),
                {"start": 1, "stop": 2, "label": "X"},
            ],
            "relations": [
                {"head": 0, "tail": 3, "label": "R"},
                {"head": 3, "tail": 9, "label": "R"},
                {"head": 3, "tail": 0, "label": ""},
            ],
            "cats": {"news": 2, "sport": "yes"},
        },
        [
            r"entities\[2\] label is empty",
            *("id is", "meta is", r"entities\[0\] start is '0'"),
            r"unknown key 'stop' and missing key 'end' in entities\[4\]",
            *(r"relations\[2\] label is empty", r"cats\['news'\]", r"cats\['sport'\]"),
            *(r"entities\[2\] '' spans 9 to 99", r"entities\[1\] 'Ad'"),
            r"relations\[1\] tail is 9",
        ],
    ),
    "prodigy": (
        {
            "text": TEXT,
            "spans": spans((0, 2, "X"), (9, "13", "X"), (9, 13, "X")),
            "relations": [{"head": 0, "child": 9, "label": "R"}, {"head": 0}],
            "options": [{"id": "a"}],
            "accept": ["b", "c"],
        },
        [
            *(r"spans\[1\] end is '13'", r"relations\[0\] child is token 9"),
            *(r"key 'label' in relations\[1\]", "accept has 'b'", "accept has 'c'"),
            r"spans\[0\] 'Ad'",
        ],
    ),
    "doccano": (
        {
            "text": TEXT,
            "entities": doccano((0, None), (9, 12), (9, 13)),
            "relations": [
                {"from_id": 1, "to_id": 3, "type": "R"},
                {"from_id": 7, "to_id": 3, "type": "R"},
                {"from_id": 3, "to_id": 3, "type": "R"},
            ],
        },
        [
            *(r"entities\[0\] end_offset is None", r"relations\[1\] from_id is 7"),
            *(r"entities\[1\] 'Osl'", r"relations\[2\] .* joins an entity to itself"),
        ],
    ),
    "label_studio": (
        label_studio(
            *(region(0, "3"), region(1, 3), region(9, 13)),
            {"type": "relation", "from_id": "r0", "to_id": "r9", "labels": ["R"]},
            {"type": "relation", "from_id": "r7", "to_id": "r9", "labels": ["R"]},
            {"type": "choices", "value": {"choices": "news"}},
        ),
        [
            *(r"result\[0\] end is '3'", r"result\[5\] choices is 'news'"),
            *(r"result\[4\] from_id is 'r7'", r"result\[1\] 'da'"),
        ],
    ),
    "dataturks": (
        {
            "content": TEXT,
            "annotation": [
                {"label": ["X"], "points": []},
                {"label": [1], "points": [{"start": 0, "end": 2}]},
                {"label": ["X"], "points": [{"start": 9, "end": "12"}]},
                {"label": "X", "points": [{"start": 9, "end": 11, "text": "Oslo"}]},
            ],
        },
        [
            *(r"annotation\[0\] has 0 points", r"annotation\[1\] label is 1"),
            *(r"annotation\[2\] end is '12'", r"annotation\[3\] .* 'Osl'"),
        ],
    ),
    "light_tag": (
        {
            "content": TEXT,
            "annotations": [
                {"start": 0, "end": "3", "tag": "X"},
                {"start": 9, "end": 12, "tag": "X", "value": "Osl"},
            ],
            "classifications": [{"classname": 1}],
        },
        [
            *(r"annotations\[0\] end is '3'", r"classifications\[0\] is 1"),
            r"annotations\[1\] 'Osl'",
        ],
    ),
    "gliner": (
        {
            "tokenized_text": WORDS,
            "ner": [[0, "0", "X"], [2, 9, "X"], [2, 2, "X"]],
            "relations": [[0, 2, "R"], [2, 9, "R"], [0, 1]],
        },
        [
            *(r"ner\[0\] is", r"relations\[2\] is", r"ner\[1\] 'X' spans 2 to 10"),
            r"relations\[1\] tail is 9",
        ],
    ),
    "spert": (
        {
            "tokens": WORDS,
            "entities": [*TWO, {"type": "X", "start": 2, "end": 9}],
            "relations": [{"type": "R", "head": 0, "tail": None}],
        },
        [
            *(r"entities\[0\] start is '0'", r"entities\[1\] type is 1"),
            *(r"relations\[0\] tail is None", r"entities\[2\] 'X' spans 2 to 9"),
        ],
    ),
    "dygie": (
        {
            "doc_key": "a",
            "sentences": [WORDS],
            "ner": [[[0, "0", "X"], [2, 9, "X"]]],
            "relations": [[[0, 0, 3, 3, "R"], [1, "R"]]],
        },
        [
            *(r"ner holds \[0, '0'", r"relations \[0, 0, 3, 3\] joins"),
            *(r"relations holds \[1, 'R'\]", r"ner \[2, 9\] is not in its"),
        ],
    ),
    "docred": (
        {
            "sents": [WORDS],
            "vertexSet": [
                [{"sent_id": 0, "pos": [0, 1], "type": 1}],
                [{"sent_id": 3, "pos": [2, 3], "type": "X"}],
            ],
            "labels": [{"r": "R", "h": 0, "t": 7}],
        },
        [
            *(r"vertexSet\[0\]\[0\] type is 1", r"vertexSet\[1\]\[0\] sent_id is 3"),
            r"labels\[0\] joins entity 7",
        ],
    ),
    "rebel": (
        {
            "text": TEXT,
            "entities": [{"boundaries": [0]}, {"boundaries": [9, 12]}],
            "triples": [{"subject": {}, "object": {}, "predicate": {}}],
        },
        [
            *(r"entities\[0\] boundaries is \[0\]", r"triples\[0\] subject boundar"),
            r"entities\[1\] 'Osl'",
        ],
    ),
    "hugging_face": (
        {"tokens": WORDS, "ner_tags": ["B-X", "Q-X", 7, "Z-X"]},
        ["tag 'Q-X' is none of", "tag 'Z-X' is none of", r"ner_tags\[2\] is the numb"],
    ),
    "spacy_tuples": (
        [TEXT, {"entities": [[0, 2, "X"], [9, "13", "X"]], "cats": {"a": 2, "b": -1}}],
        [
            *(r"entities\[1\] is \[9, '13'", r"cats\['a'\] is 2", r"cats\['b'\] is -1"),
            r"entities\[0\] 'Ad'",
        ],
    ),
    "spacy_json": (
        {
            "paragraphs": [
                {
                    "cats": [{"label": 1}, {"label": "a", "value": 2}],
                    "sentences": [{"tokens": [{"orth": "Ada", "ner": "Q-X"}]}],
                }
            ]
        },
        [r"cats\[0\] is 1", r"cats\[1\] 'a' is 2", "tag 'Q-X' is none of"],
    ),
    "conll04": (CONLL04, [r":2: .* to token 9: the document has", r":4: .* token 8:"]),
    "pubtator": (
        PUBTATOR,
        [
            *(r":2: \['1', 'x', '3', .* is no mention", r":3: .* is no mention"),
            *(
                r":4: 'Oslo' 'X' spans 9 to 99",
                r":5: 'Ad' 'Ad' \(0 to 2\) does not beg",
            ),
        ],
    ),
    "semeval2010": (SEMEVAL, [r":1: the tags of", r":2: relation .* joins e1 to"]),
    "table": (
        "text,sport,news\nAda won,2,no way\n",
        ["sport is '2'; write 0 or 1", "news is 'no way'; write 0 or 1"],
    ),
}


@pytest.mark.parametrize("format", CASES)
def test_all_is_told(format, write, tmp_path):
    record, flaws = CASES[format]
    path = write(record if isinstance(record, str) else json.dumps(record))
    options = {"label_column": "sport,news"} if format == "table" else {}
    with pytest.raises(CorpusError) as caught:
        convert(path, tmp_path / "out.spacy", format=format, **options)
    told = str(caught.value).splitlines()
    n = len(flaws)
    assert told.pop().startswith(f"{n} errors in 1 records; correct"), told
    assert all(re.match(rf"{re.escape(str(path))}:\d+: ", line) for line in told)
    for flaw in flaws:
        assert sum(bool(re.search(flaw, line)) for line in told) == 1, (flaw, told)
    assert not (tmp_path / "out.spacy").exists()


def test_a_brat_file_with_flaws_of_every_kind(tmp_path):
    folder = tmp_path / "brat"
    folder.mkdir()
    (folder / "a.txt").write_text(TEXT)
    (folder / "a.ann").write_text(
        "T1\tX 0 2\tAd\nT1\tX 9 13\tOslo\nT2\tX 9 x\tOslo\nT3\tX 9 99\tOslo\n"
        "R1\tLeft Arg1:T2 Arg2:T1\nR2\tLeft Arg1:T1 Arg2:T9\nQ\n"
    )
    with pytest.raises(CorpusError) as caught:
        convert(folder, tmp_path / "out.spacy")
    told = str(caught.value).splitlines()[:-1]
    assert [line.split("a.ann:")[1][0] for line in told] == list("123467")


def test_labels_that_are_not_allowed_are_told_with_the_rest(write, tmp_path):
    record = {
        "text": TEXT,
        "entities": spans((0, 2, "X"), (9, 13, "Y")),
        "relations": [{"head": 1, "tail": 0, "label": "R"}],
        "cats": {"news": 1},
    }
    with pytest.raises(CorpusError) as caught:
        convert(write(json.dumps(record)), tmp_path / "out.spacy", labels=["X"])
    told = str(caught.value)
    for label in ("Y", "R", "news"):
        assert f"unknown label '{label}'; the labels given are X" in told
    assert "entities[0] 'Ad' (0 to 2) does not begin and end" in told
