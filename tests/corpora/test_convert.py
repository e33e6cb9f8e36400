import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from spacy.tokens import DocBin, Span
from typer.testing import CliRunner

import spacy_attnner.cli.data_commands as module
from spacy_attnner.cli import attn_cli
from spacy_attnner.corpora import conversion
from spacy_attnner.corpora.complaints import CorpusError
from spacy_attnner.corpora.conversion import convert
from spacy_attnner.corpora.formats import FLAGS, FORMATS, detect_format, read_corpus
from spacy_attnner.corpora.storing import Bin
from spacy_attnner.errors import UserError
from spacy_attnner.relations import (
    Relation,
    get_relations,
    has_relations,
    set_relations,
)

CONLL2003 = "-DOCSTART- -X- O O\n\nAda N N I-PER\n\nOslo N N I-LOC\n"
CONLL04 = (
    "#doc 1\n0\tAda\tB-Peop\t['Live_In']\t[1]\n1\tOslo\tI-Loc\t['N']\t[1]\n"
    "#doc 2\n0\tNobody\tO\t['N']\t[0]\n"
)
TREC = "NUM:date When ?\nHUM:ind Who ?\n"
SST2 = "1 a joy\n0 a bore\n"
JSONL = json.dumps(
    {
        "tokens": ["Ada", "slept", "Bo", "left"],
        "sent_starts": [True, False, True, False],
        "entities": [
            {"start": 0, "end": 1, "label": "PER"},
            {"start": 2, "end": 3, "label": "PER"},
        ],
        "relations": [{"head": 0, "tail": 1, "label": "Knows"}],
        "cats": {"news": 1, "fiction": 0},
    }
)
PRODIGY = json.dumps(
    {
        "text": "Ada slept .",
        "spans": [{"start": 0, "end": 3, "label": None}],
        "relations": [{"head": 0, "child": 1, "label": "Did"}],
        "answer": "accept",
    }
)
SEMEVAL = '1\t"A <e1>nap</e1> by the <e2>sea</e2>"\nOther\nComment:\n'
UNDECIDED = '{"text": "Bo left"}\n'
FILES = [
    ("conll2003", CONLL2003),
    ("conll2003", "Ada NNP I-NP I-PER\n"),
    ("conll04", CONLL04),
    ("trec", TREC),
    ("sst2", SST2),
    ("jsonl", "\n" + JSONL),
    ("jsonl", "\ufeff" + JSONL),
    ("jsonl", UNDECIDED),
    ("jsonl", UNDECIDED + JSONL + "\n" + PRODIGY),
    ("prodigy", PRODIGY),
    ("prodigy", "\ufeff" + UNDECIDED + "\n" + PRODIGY),
    ("semeval2010", SEMEVAL),
    ("semeval2010", "\ufeff\n" + SEMEVAL.replace("\n", "\r\n")),
    ("sst2", '1 "a joy" from <end> to end\n'),
    ("sst_trees", "(3 (2 a) (4 joy))\n"),
]


@pytest.fixture
def run(write, tmp_path, nlp):
    """Convert a file's content; returns the summary and the documents written."""

    def run_convert(content, **settings):
        output = tmp_path / "made" / "out.spacy"
        summary = convert(write(content), output, **settings)
        return summary, list(DocBin().from_disk(output).get_docs(nlp.vocab))

    return run_convert


@pytest.mark.parametrize(("name", "content"), FILES)
def test_the_format_is_detected(write, name, content):
    assert detect_format(write(content)) == name


def test_the_extension_tells_jsonl(write):
    assert detect_format(write("", "corpus.jsonl")) == "jsonl"
    assert detect_format(write(PRODIGY, "corpus.jsonl")) == "prodigy"
    with pytest.raises(CorpusError, match=r"jsonl:2: invalid JSON, Expecting"):
        detect_format(write(UNDECIDED + "Bo left\n", "corpus.jsonl"))


def test_an_unknown_format_is_an_error(write, nlp):
    path = write("once upon a time\n")
    with pytest.raises(
        CorpusError, match=r":1: 'once upon a time' .* --format, one of"
    ):
        detect_format(path)
    with pytest.raises(CorpusError, match=r"corpus\.txt:1: the file is empty"):
        detect_format(write("\n"))
    with pytest.raises(CorpusError, match="unknown format 'pdf'; choose from jsonl"):
        read_corpus(path, nlp, "pdf")


def test_the_command_lists_every_format(invoke, write, tmp_path):
    result = invoke("--format", "?")
    assert result.exit_code == 0
    shown = result.output.splitlines()
    assert [line.split()[0] for line in shown[: len(FORMATS)]] == list(FORMATS)
    (trees,) = (line.split() for line in shown if line.startswith("sst_trees"))
    assert trees == ["sst_trees", "--fine", "--phrases"]
    for flag in {flag for each in FORMATS.values() for flag in each.options}:
        name = FLAGS[flag]
        assert any(line.startswith(name) and len(line) <= 80 for line in shown)


def test_the_help_fits_a_screen():
    result = CliRunner().invoke(attn_cli, ["convert", "--help"], env={"COLUMNS": "80"})
    lines = result.output.rstrip("\n").splitlines()
    assert len(lines) < 30
    assert max(map(len, lines)) <= 80


def test_unknown_choices(invoke, write, tmp_path):
    result = invoke(write(SST2), tmp_path / "out.spacy", "--format", "pdf")
    assert result.exit_code == 1
    assert f"choose from {', '.join(FORMATS)}" in unwrap(result.output)
    result = invoke(write(SST2), tmp_path / "out.spacy", "--align", "down")
    expected = "unknown --align 'down'; choose from strict, expand, contract, split"
    assert expected in unwrap(result.output)


def test_relations_survive_the_file(run):
    summary, (first, second) = run(CONLL04)
    (relation,) = get_relations(first)
    assert (relation.head.text, relation.head.label_) == ("Ada", "Peop")
    assert (relation.tail.text, relation.label) == ("Oslo", "Live_In")
    assert has_relations(second)
    assert get_relations(second) == []
    assert summary.relations == {"Live_In": 1}
    assert summary.lines()[:5] == [
        "2 documents, 2 sentences, 3 tokens (conll04)",
        "entities: 2 (Loc 1, Peop 1)",
        "relations: 1 (Live_In 1)",
        "cats: not annotated",
        "repaired 1: I- tag that follows no entity of its type: read as an entity of "
        "its own",
    ]


def test_what_is_not_annotated_stays_so(run):
    _, docs = run(TREC)
    assert [doc.cats for doc in docs] == [
        {"HUM": 0.0, "NUM": 1.0},
        {"HUM": 1.0, "NUM": 0.0},
    ]
    assert not any(doc.has_annotation("ENT_IOB") or has_relations(doc) for doc in docs)
    summary, docs = run('{"text": "Ada", "entities": []}\n{"text": "Bo slept"}\n')
    assert [doc.has_annotation("ENT_IOB") for doc in docs] == [True, False]
    assert "entities: 0 in 1 annotated docs" in summary.lines()


def test_labels_are_renamed_also_in_relations(run):
    summary, docs = run(CONLL04, label_map={"Peop": "PER", "Loc": "LOC"})
    assert summary.entities == {"PER": 1, "LOC": 1}
    (relation,) = get_relations(docs[0])
    assert (relation.head.label_, relation.tail.label_) == ("PER", "LOC")
    assert [ent.label_ for ent in docs[0].ents] == ["PER", "LOC"]


def test_a_renamed_label_that_does_not_exist_is_an_error(run, tmp_path):
    with pytest.raises(CorpusError, match=r"names Person, but the labels .* Loc, Peop"):
        run(CONLL04, label_map={"Person": "PER"})
    assert not (tmp_path / "made").exists()


def test_allowed_labels_are_those_of_the_output(run):
    names = {"Peop": "PER"}
    run(CONLL04, label_map=names, labels=["PER", "Loc", "Live_In"])
    with pytest.raises(CorpusError, match=r":2: unknown label 'Peop'"):
        run(CONLL04, label_map=names, labels=["Peop", "Loc", "Live_In"])
    with pytest.raises(CorpusError, match=r":2: unknown label 'Live_In'"):
        run(CONLL04, labels=["Peop", "Loc"])


def test_some_categories_are_kept(run):
    both = JSONL + '\n{"text": "Ada", "cats": {"fiction": 1}}\n'
    summary, docs = run(both, cats=["news"])
    assert [doc.cats for doc in docs] == [{"news": 1.0}, {}]
    assert summary.cats == {"news": 1}
    with pytest.raises(CorpusError, match=r"--cats names sport, .* fiction, news"):
        run(both, cats=["sport"])


def test_fine_labels(run):
    assert run(TREC, fine=True)[0].cats == {"NUM:date": 1, "HUM:ind": 1}


def test_a_label_for_entities_that_have_none(run):
    assert run(SEMEVAL)[0].entities == {"ENTITY": 2}
    assert run(SEMEVAL, entity_label="THING")[0].entities == {"THING": 2}
    summary, _ = run(PRODIGY, entity_label="THING")
    assert summary.entities == {"THING": 1}
    assert [line for line in summary.lines() if line.startswith("repaired")] == [
        "repaired 1: span without a label: given the label of such entities",
        "repaired 1: relation argument that is no span: relation dropped",
    ]


def test_sentences_as_documents(run):
    assert run(CONLL2003, sentences=True)[0].docs == 2
    summary, docs = run(JSONL, sentences=True)
    assert [[token.text for token in doc] for doc in docs] == [
        ["Ada", "slept"],
        ["Bo", "left"],
    ]
    assert [has_relations(doc) for doc in docs] == [True, True]
    assert sorted(summary.repairs.values()) == [1, 1]  # the relation and the cats


def test_nothing_half_written_is_left(run, tmp_path, monkeypatch):
    run(SST2)
    before = (tmp_path / "made" / "out.spacy").read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UserError, match="disk full"):
        run(TREC)
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["out.spacy"]
    assert (tmp_path / "made" / "out.spacy").read_bytes() == before


def test_other_options_that_cannot_be(write, tmp_path):
    with pytest.raises(CorpusError, match=r"out\.bin: spaCy reads \.spacy files"):
        convert(write(SST2), tmp_path / "out.bin")
    with pytest.raises(CorpusError, match="no language 'qq'; give a code such as"):
        convert(write(SST2), tmp_path / "out.spacy", lang="qq")


def unwrap(output):
    return " ".join(output.split())


@pytest.fixture
def invoke():
    return lambda *args: CliRunner().invoke(attn_cli, ["convert", *map(str, args)])


def test_the_command_reports(invoke, write, tmp_path):
    output = tmp_path / "out.spacy"
    result = invoke(write(CONLL04), output, "-m", "Peop=PER,Loc=LOC", "--lang", "de")
    assert result.exit_code == 0, result.output
    assert "entities: 2 (LOC 1, PER 1)" in result.output
    assert "corpus.txt:3: I-Loc on 'Oslo'" in result.output
    assert output.exists()


def test_the_command_takes_the_label_of_entities(invoke, write, tmp_path):
    output = tmp_path / "out.spacy"
    settings = ["--format", "semeval2010", "--entity-label", "THING"]
    result = invoke(write(SEMEVAL), output, *settings)
    assert result.exit_code == 0, result.output
    assert "entities: 2 (THING 2)" in result.output


def test_the_command_fails_without_a_traceback(invoke, write, tmp_path):
    result = invoke(write(SST2 + "7 so so\n"), tmp_path / "out.spacy")
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "label '7'; write 0 (negative) or 1" in unwrap(result.output)
    result = invoke(write(SST2), tmp_path / "out.spacy", "-m", "Peop")
    assert result.exit_code == 2
    result = invoke(tmp_path / "nowhere.txt", tmp_path / "out.spacy")
    assert result.exit_code == 1
    assert "no such file; give the path" in unwrap(result.output)
    assert list(tmp_path.glob("*.spacy")) == []


def test_each_error_is_a_line_of_the_command(invoke, write, tmp_path):
    path = write("1 good\n" + "7 so so\n" * 3)
    result = invoke(path, tmp_path / "out.spacy", "--format", "sst2")
    lines = [line for line in result.output.splitlines() if line.startswith(str(path))]
    assert [line.split(": ")[0] for line in lines] == [f"{path}:{i}" for i in (2, 3, 4)]
    assert all(line.endswith("write 0 (negative) or 1 (positive)") for line in lines)
    assert "3 errors in 3 records; correct them" in unwrap(result.output)


def test_the_module_imports_nothing_heavy_itself():
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    names = [
        name.name if isinstance(node, ast.Import) else node.module
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    ]
    assert not {"torch", "spacy", "thinc", "tqdm"} & {
        str(n).split(".")[0] for n in names
    }


def test_is_a_command_of_spacy():
    command = [sys.executable, "-m", "spacy", "attn", "convert", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "--map-labels" in done.stdout


def test_a_large_corpus_as_one_file_is_warned_of(write, tmp_path, monkeypatch):
    monkeypatch.setattr(conversion, "LARGE", 5)
    path = write(SST2)
    with pytest.warns(UserWarning, match="in memory, about .* give a folder as output"):
        convert(path, tmp_path / "out.spacy")
    with pytest.warns(UserWarning, match="and no --split"):
        convert(write(SST2 * 9), tmp_path / "shares", split="80/20")
    convert(path, tmp_path / "parts")


def test_what_is_stored_is_what_spacy_stores(nlp, tmp_path):
    """Also of what no format of ours says; user data that are empty are left out."""
    doc = nlp("Ada isn't in Oslo now .")
    doc.ents = [Span(doc, 0, 1, "PER", kb_id="Q1", span_id="e1")]
    doc.spans["sc"] = [doc[0:2], Span(doc, 4, 5, "PLACE")]
    doc.spans["none"] = []
    for i, token in enumerate(doc):
        token.tag_, token.lemma_ = f"T{i}", f"l{i}"
        token.set_morph({"Number": "Sing"})
        token.dep_, token.head = "dep", doc[0]
    set_relations(doc, [Relation(doc[0:1], doc[4:5], "In")])
    doc.cats, doc.user_data["id"] = {"news": 1.0}, "d1"
    docs = [doc, nlp(""), nlp("Bo")]
    made = Bin(tmp_path)
    for each in docs:
        made.add(each)
    by_spacy = DocBin(docs=docs, store_user_data=True)
    by_spacy.user_data[1:] = [None, None]
    assert made.to_bytes() == by_spacy.to_bytes()
    assert [doc.user_data for doc in made.docs.get_docs(nlp.vocab)] == [
        {"id": "d1"},
        {},
        {},
    ]
