"""Each format's example is recognized, read right, and never taken for another."""

import json
from contextlib import suppress
from itertools import product

import cassis
import pyarrow as pa
import pyarrow.parquet as pq
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


def spotted(name, start, end, label):
    span = {"start": start, "end": end, "tag": label, "value": TEXT[start:end]}
    return {"tagged_token_id": name, **span, "correct": None}


def linked(start, end):
    place = {"boundaries": [start, end], "surfaceform": TEXT[start:end]}
    return {"uri": "Q1", **place, "annotator": "Me"}


def cas(text=TEXT, ents=ENTS):
    """A document of INCEpTION, with a layer of spans and one of relations."""
    types = cassis.load_dkpro_core_typesystem()
    layers = []
    for name in ("Span", "Relation"):
        layers.append(types.create_type(f"custom.{name}", "uima.tcas.Annotation"))
        types.create_feature(layers[-1], "label", "uima.cas.String")
    for name in ("Governor", "Dependent"):
        types.create_feature(layers[1], name, "uima.tcas.Annotation")
    made = cassis.Cas(types)
    made.sofa_string, made.sofa_mime = text, "text/plain"
    head, tail = (
        layers[0](begin=text.index(word), end=text.index(word) + len(word), label=label)
        for word, label in ents
    )
    begin, end = tail.begin, tail.end
    link = layers[1](begin=begin, end=end, Governor=head, Dependent=tail, label="Left")
    made.add_all([head, tail, link])
    return made


def parquet():
    """A table of Hugging Face's, whose metadata names the numbers of tags."""
    names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    tags = {"feature": {"names": names, "_type": "ClassLabel"}, "_type": "Sequence"}
    stored = json.dumps({"info": {"features": {"ner_tags": tags}}})
    table = pa.table({"id": ["0"], "tokens": [WORDS], "ner_tags": [[1, 0, 3, 0]]})
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({"huggingface": stored}), sink)
    return sink.getvalue().to_pybytes()


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
    "spacy_json": json.dumps(
        [
            {
                "id": 4,
                "paragraphs": [
                    {
                        "raw": TEXT,
                        "sentences": [
                            {
                                "tokens": [
                                    {"orth": word, "ner": tag}
                                    for word, tag in zip(
                                        WORDS, ["U-PER", "O", "U-LOC", "O"], strict=True
                                    )
                                ]
                            }
                        ],
                    }
                ],
            }
        ]
    ),
    "dataturks": json.dumps(
        {
            "content": TEXT,
            "annotation": [
                {"label": ["PER"], "points": [{"start": 0, "end": 2, "text": "Ada"}]},
                {"label": ["LOC"], "points": [{"start": 9, "end": 12, "text": "Oslo"}]},
            ],
            "extras": None,
            "metadata": {"status": "done"},
        }
    ),
    "light_tag": json.dumps(
        {
            "id": "j1",
            "name": "ships",
            "examples": [
                {
                    "example_id": "e1",
                    "content": TEXT,
                    "metadata": {"page": 2},
                    "seen_by": [{"annotator": "bo"}],
                    "annotations": [
                        spotted("x", 0, 3, "PER"),
                        spotted("y", 9, 13, "LOC"),
                    ],
                    "classifications": [],
                }
            ],
            "relations": [
                {"id": 1, "tagged_token_id": "x", "parent_id": None, "children": [2]},
                {
                    "id": 2,
                    "tagged_token_id": "y",
                    "parent_id": 1,
                    "relation_type": "Left",
                    "children": [],
                },
            ],
            "schema": {},
        },
        indent=1,
    ),
    "inception": cas().to_json(),
    "rebel": json.dumps(
        {
            "docid": "1",
            "title": "Ada",
            "uri": "Q1",
            "text": TEXT,
            "entities": [linked(0, 3), linked(9, 13)],
            "triples": [
                {
                    "subject": linked(0, 3),
                    "predicate": {"uri": "P1", "surfaceform": "Left"},
                    "object": linked(9, 13),
                }
            ],
        }
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
VARIANTS = {
    "parquet": ("hugging_face", parquet()),
    "xmi": (
        "inception",
        {"d.xmi": cas().to_xmi(), "TypeSystem.xml": cas().typesystem.to_xml()},
    ),
    "linearized": (
        "rebel",
        json.dumps(
            {"context": TEXT, "triplets": "<triplet> Ada <per> Oslo <loc> Left"}
        ),
    ),
    "glirel": (
        "gliner",
        json.dumps(
            {
                "tokenized_text": WORDS,
                "ner": [[0, 0, "PER", "Ada"], [2, 2, "LOC", "Oslo"]],
                "relations": [
                    {
                        "head": {"mention": "Ada", "position": [0, 0], "type": "PER"},
                        "tail": {"mention": "Oslo", "position": [2, 2], "type": "LOC"},
                        "relation_text": "Left",
                    }
                ],
            }
        ),
    ),
    "one a line": (
        "spacy_tuples",
        json.dumps([TEXT, {"entities": [[0, 3, "PER"], [9, 13, "LOC"]]}]) + "\n",
    ),
    "python": (
        "spacy_tuples",
        f"DATA = [('{TEXT}', {{'entities': [(0, 3, 'PER'), (9, 13, 'LOC')]}})]\n",
    ),
    "printed": (
        "spacy_tuples",
        f"[('{TEXT}', {{'entities': [(0, 3, 'PER'), (9, 13, 'LOC')]}})]\n",
    ),
    "token table": (
        "columns",
        "sentence_id,word,pos,tag\n1,Ada,N,B-PER\n1,left,V,O\n1,Oslo,N,B-LOC\n",
    ),
    "groups of spans": (
        "spacy_tuples",
        json.dumps({"text": TEXT, "spans": {"sc": [[0, 3, "PER"], [9, 13, "LOC"]]}}),
    ),
}
SAMPLES = {name: (name, content) for name, content in EXAMPLES.items()} | VARIANTS
UNTYPED = {"semeval2010", "rebel"}
RELATED = {
    *("jsonl", "prodigy", "conll04", "brat", "doccano", "label_studio"),
    *("light_tag", "inception", "xmi", "rebel", "linearized"),
    *("gliner", "glirel", "spert", "dygie", "docred", "pubtator", "semeval2010"),
}
CATEGORIES = {"trec", "sst2", "sst_trees", "table", "fasttext"}
# what is the same in both, and read right
SAME = {("conll2003", "columns")}


@pytest.fixture
def put(tmp_path):
    """Write a sample, a file or a folder."""

    def put_sample(name):
        content = SAMPLES[name][1]
        path = tmp_path / f"corpus-{name}"
        if isinstance(content, dict):
            path.mkdir(exist_ok=True)
            for file, text in content.items():
                (path / file).write_text(text)
        else:
            data = content if isinstance(content, bytes) else content.encode()
            path.write_bytes(data)
        return path

    return put_sample


def test_there_is_an_example_of_each():
    assert set(EXAMPLES) == set(FORMATS)


@pytest.mark.parametrize("name", SAMPLES)
def test_it_is_recognized_and_read(put, tmp_path, nlp, name):
    path, format = put(name), SAMPLES[name][0]
    assert detect_format(path) == format
    out = tmp_path / "out.spacy"
    summary = convert(path, out)
    assert summary.format == format
    assert not summary.repairs or name == "conll2003"
    doc, *_ = DocBin().from_disk(out).get_docs(nlp.vocab)
    if name in CATEGORIES:
        assert summary.docs == 2
        assert sorted(doc.cats.values()) == [0.0, 1.0]
        return
    labels = ("ENTITY", "ENTITY") if name in UNTYPED else ("PER", "LOC")
    assert [(e.text, e.label_) for e in doc.ents] == [
        ("Ada", labels[0]),
        ("Oslo", labels[1]),
    ]
    triples = [(r.head.text, r.label, r.tail.text) for r in get_relations(doc)]
    assert triples == (TRIPLES if name in RELATED else [])
    assert has_relations(doc) == (name in RELATED)


def test_none_is_taken_for_another(put, nlp):
    """Given as another format, a file is an error."""
    taken = set()
    for name, other in product(SAMPLES, FORMATS):
        if SAMPLES[name][0] != other:
            with suppress(CorpusError):
                list(read_corpus(put(name), nlp, other))
                taken.add((name, other))
    assert taken == SAME
