"""Each format's example is recognized, read right, and never taken for another."""

import json
from contextlib import suppress
from itertools import permutations

import pytest
from spacy.tokens import DocBin

from spacy_attnner.corpora.complaints import CorpusError
from spacy_attnner.corpora.conversion import convert
from spacy_attnner.corpora.formats import FORMATS, detect_format, read_corpus
from spacy_attnner.relations import get_relations, has_relations

TEXT = "Ada left Oslo ."
WORDS = TEXT.split()
ENTS = [("Ada", "PER"), ("Oslo", "LOC")]
TRIPLES = [("Ada", "Left", "Oslo")]
SPANS = [
    {"start": 0, "end": 3, "label": "PER"},
    {"start": 9, "end": 13, "label": "LOC"},
]


def studio(start, end, label, name):
    value = {"start": start, "end": end, "text": TEXT[start:end], "labels": [label]}
    return {"id": name, "type": "labels", "from_name": "l", "value": value}


EXAMPLES = {
    "jsonl": json.dumps(
        {
            "text": TEXT,
            "entities": SPANS,
            "relations": [{"head": 0, "tail": 1, "label": "Left"}],
        }
    ),
    "prodigy": json.dumps(
        {
            "text": TEXT,
            "spans": SPANS,
            "relations": [{"head": 0, "child": 2, "label": "Left"}],
            "answer": "accept",
        }
    ),
    "conll2003": "Ada N N I-PER\nleft V V O\nOslo N N I-LOC\n. . . O\n",
    "conll04": "#doc 1\n0\tAda\tB-PER\t['Left']\t[2]\n1\tleft\tO\t['N']\t[1]\n"
    "2\tOslo\tB-LOC\t['N']\t[2]\n3\t.\tO\t['N']\t[3]\n",
    "columns": "Ada\tB-PER\nleft\tO\nOslo\tB-LOC\n.\tO\n",
    "brat": {
        "d.txt": TEXT,
        "d.ann": "R1\tLeft Arg1:T1 Arg2:T2\nT1\tPER 0 3\tAda\nT2\tLOC 9 13\tOslo\n",
    },
    "doccano": json.dumps(
        {
            "id": 1,
            "text": TEXT,
            "Comments": [],
            "entities": [
                {"id": 7, "label": "PER", "start_offset": 0, "end_offset": 3},
                {"id": 9, "label": "LOC", "start_offset": 9, "end_offset": 13},
            ],
            "relations": [{"id": 1, "from_id": 7, "to_id": 9, "type": "Left"}],
        }
    ),
    "label_studio": json.dumps(
        [
            {
                "id": 1,
                "data": {"text": TEXT},
                "annotations": [
                    {
                        "was_cancelled": False,
                        "result": [
                            studio(0, 3, "PER", "a"),
                            studio(9, 13, "LOC", "b"),
                            {
                                "type": "relation",
                                "from_id": "a",
                                "to_id": "b",
                                "direction": "right",
                                "labels": ["Left"],
                            },
                        ],
                    }
                ],
            }
        ]
    ),
    "hugging_face": json.dumps(
        {"tokens": WORDS, "ner_tags": ["B-PER", "O", "B-LOC", "O"]}
    ),
    "spacy_tuples": json.dumps([[TEXT, {"entities": [[0, 3, "PER"], [9, 13, "LOC"]]}]]),
    "gliner": json.dumps(
        [
            {
                "tokenized_text": WORDS,
                "ner": [[0, 0, "PER"], [2, 2, "LOC"]],
                "relations": [[0, 1, "Left"]],
            }
        ]
    ),
    "spert": json.dumps(
        [
            {
                "tokens": WORDS,
                "entities": [
                    {"type": "PER", "start": 0, "end": 1},
                    {"type": "LOC", "start": 2, "end": 3},
                ],
                "relations": [{"type": "Left", "head": 0, "tail": 1}],
                "orig_id": 3,
            }
        ]
    ),
    "dygie": json.dumps(
        {
            "doc_key": "d1",
            "sentences": [["So", "."], WORDS],
            "ner": [[], [[2, 2, "PER"], [4, 4, "LOC"]]],
            "relations": [[], [[2, 2, 4, 4, "Left"]]],
        }
    ),
    "docred": json.dumps(
        [
            {
                "title": "d1",
                "sents": [["So", "."], WORDS],
                "vertexSet": [
                    [{"name": "Ada", "sent_id": 1, "pos": [0, 1], "type": "PER"}],
                    [{"name": "Oslo", "sent_id": 1, "pos": [2, 3], "type": "LOC"}],
                ],
                "labels": [{"r": "Left", "h": 0, "t": 1, "evidence": []}],
            }
        ]
    ),
    "pubtator": f"7|t|So .\n7|a|{TEXT}\n7\t5\t8\tAda\tPER\tP1\n"
    "7\t14\t18\tOslo\tLOC\tL1|L2\n7\tLeft\tP1\tL2\n\n",
    "semeval2010": '1\t"<e1>Ada</e1> left <e2>Oslo</e2> ."\nLeft(e1,e2)\n',
    "trec": "NUM:date When ?\nHUM:ind Who ?\n",
    "sst2": "1 a joy\n0 a bore\n",
    "sst_trees": "(3 (2 a) (4 joy))\n(1 (0 dull) (2 .))\n",
    "table": 'text,label,topic\n"a joy, again",POSITIVE,x\na bore,NEGATIVE,y\n',
    "fasttext": "__label__POSITIVE a joy\n__label__NEGATIVE a bore\n",
}
RELATED = {
    *("jsonl", "prodigy", "conll04", "brat", "doccano", "label_studio"),
    *("gliner", "spert", "dygie", "docred", "pubtator", "semeval2010"),
}
CATEGORIES = {"trec", "sst2", "sst_trees", "table", "fasttext"}
# what is the same in both, and read right
SAME = {("conll2003", "columns")}


@pytest.fixture
def put(tmp_path):
    """Write an example, a file or a folder."""

    def put_example(name):
        content = EXAMPLES[name]
        path = tmp_path / f"corpus-{name}"
        if isinstance(content, str):
            path.write_text(content)
            return path
        path.mkdir(exist_ok=True)
        for file, text in content.items():
            (path / file).write_text(text)
        return path

    return put_example


def test_there_is_an_example_of_each():
    assert set(EXAMPLES) == set(FORMATS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_is_recognized_and_read(put, tmp_path, nlp, name):
    path = put(name)
    assert detect_format(path) == name
    out = tmp_path / "out.spacy"
    summary = convert(path, out)
    assert summary.format == name
    assert not summary.repairs or name == "conll2003"
    doc, *_ = DocBin().from_disk(out).get_docs(nlp.vocab)
    if name in CATEGORIES:
        assert summary.docs == 2
        assert sorted(doc.cats.values()) == [0.0, 1.0]
        return
    label = {"semeval2010": ("ENTITY", "ENTITY")}.get(name, ("PER", "LOC"))
    assert [(e.text, e.label_) for e in doc.ents] == [
        ("Ada", label[0]),
        ("Oslo", label[1]),
    ]
    triples = [(r.head.text, r.label, r.tail.text) for r in get_relations(doc)]
    assert triples == (TRIPLES if name in RELATED else [])
    assert has_relations(doc) == (name in RELATED)


def test_none_is_taken_for_another(put, nlp):
    """Given as another format, a file is an error."""
    taken = set()
    for name, other in permutations(EXAMPLES, 2):
        with suppress(CorpusError):
            list(read_corpus(put(name), nlp, other))
            taken.add((name, other))
    assert taken == SAME
