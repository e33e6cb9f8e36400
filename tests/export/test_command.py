"""`spacy attn relations`: its files and its errors."""

import csv
import json
import os
import sys
from pathlib import Path

import networkx
import pytest
import spacy
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_attnner import loading
from spacy_attnner.cli import attn_cli
from spacy_attnner.cli.text_commands import ExportFormat, TextFormat
from spacy_attnner.errors import UserError
from spacy_attnner.export import DocInfo
from spacy_attnner.export.write import FORMATS, export_relations
from spacy_attnner.texts.inputs import ROW_KINDS

TEXTS = ["Mira likes rain. Nils likes X .", "", "Nobody came.", "Ann likes Bergen."]


def run(*args, **settings):
    return CliRunner().invoke(attn_cli, ["relations", *map(str, args)], **settings)


def flat(text: str) -> str:
    """Wrapped lines put together again, wherever they were wrapped."""
    return " ".join(text.split())


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def brief(path: Path) -> list[tuple]:
    return [(r["doc"], r["head"]["text"], r["tail"]["text"]) for r in read(path)]


ALL = [(0, "Mira", "rain"), (0, "Nils", "X"), (3, "Ann", "Bergen")]


@pytest.fixture
def texts(tmp_path) -> Path:
    path = tmp_path / "in.txt"
    path.write_text("\n".join(TEXTS))
    return path


@pytest.mark.parametrize("format", FORMATS)
def test_formats(make_model, texts, tmp_path, format):
    output = tmp_path / "new" / f"out.{format}"
    result = run(make_model(), texts, "-o", output)
    assert result.exit_code == 0, result.output
    assert f"Wrote 3 triples of 4 documents to {output}" in flat(result.output)
    assert "in.txt" not in result.stderr  # no progress bar outside a terminal
    text = output.read_bytes().decode()
    for part in ("Mira", "Bergen", "Nils likes X ."):
        assert part in text
    if format == "csv":
        assert len(list(csv.reader(text.splitlines()))) == 4
    elif format == "graphml":
        assert len(networkx.read_graphml(output)) == 6


def test_what_is_written(make_model, tmp_path):
    (tmp_path / "in.jsonl").write_text(
        '{"text": "Mira likes rain. It rains.", "id": "a", "meta": {"n": 1}}\n'
    )
    run(make_model(), tmp_path / "in.jsonl", "-o", tmp_path / "out.jsonl")
    assert read(tmp_path / "out.jsonl") == [
        {
            "doc": 0,
            "doc_id": "a",
            "head": {"text": "Mira", "label": "PER", "start_char": 0, "end_char": 4},
            "label": "Likes",
            "tail": {
                "text": "rain",
                "label": "THING",
                "start_char": 11,
                "end_char": 15,
            },
            "score": 0.9,
            "context": "Mira likes rain.",
            "meta": {"n": 1},
        }
    ]


def test_all_ways_to_give_texts(make_model, texts, tmp_path):
    """They make the same triples."""
    model, output = make_model(), tmp_path / "out.jsonl"
    folder = tmp_path / "folder"
    folder.mkdir()
    for i, text in enumerate(TEXTS):
        (folder / f"{i}.txt").write_text(text)
    (tmp_path / "in.jsonl").write_text(
        "\n".join(json.dumps({"text": text}) for text in TEXTS)
    )
    docs = map(spacy.blank("en"), TEXTS)
    DocBin(docs=docs).to_disk(tmp_path / "in.spacy")
    for path in (texts, tmp_path / "in.jsonl", tmp_path / "in.spacy", folder):
        assert run(model, path, "-o", output).exit_code == 0
        assert brief(output) == ALL, path
        output.unlink()
        assert run(model, path, "-o", output, "-b", 1, "-p", 2).exit_code == 0
        assert brief(output) == ALL, path
    assert [r["doc_id"] for r in read(output)] == ["0.txt", "0.txt", "3.txt"]
    assert run(model, "-", "-o", output, input="\n".join(TEXTS)).exit_code == 0
    assert brief(output) == ALL
    assert run(model, "-", "-o", output, "-i", "jsonl", input="{}").exit_code == 1
    assert brief(output) == ALL


def test_options(make_model, texts, tmp_path):
    model, output = make_model(), tmp_path / "out.txt"
    result = run(model, texts, "-o", output, "--format", "jsonl", "--threshold", 0.5)
    assert "2 triples of 4 documents" in flat(result.output)
    assert brief(output) == [ALL[0], ALL[2]]
    base = "https://example.org/"
    assert run(model, texts, "-o", output, "-f", "nt", "--base", base).exit_code == 0
    assert f"<{base}entity:PER:Ann>" in output.read_text()
    (tmp_path / "in").write_text("=A likes rain")
    args = (model, tmp_path / "in", "-i", "txt", "-o", tmp_path / "out.csv")
    for more, context in (
        ((), "=A likes rain"),
        (("--spreadsheet",), "'=A likes rain"),
    ):
        assert run(*args, *more).exit_code == 0
        with (tmp_path / "out.csv").open(newline="") as file:
            (row,) = csv.DictReader(file)
        assert row["context"] == context


def test_attn_rel(tmp_path):
    """A threshold below its own brings up what it would have dropped."""
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    model = {"tok2vec": {"width": 8, "characters": None}}
    settings = {"model": model, "threshold": 1.0, "known_types_only": False}
    nlp.add_pipe("attn_rel", config=settings)
    nlp.get_pipe("attn_rel").add_label("Lives_In")  # type: ignore[attr-defined]
    nlp.initialize()
    patterns = [("PER", "Mira"), ("LOC", "Bergen")]
    ruler.add_patterns([{"label": a, "pattern": b} for a, b in patterns])  # type: ignore[attr-defined]
    nlp.to_disk(tmp_path / "model")
    (tmp_path / "in.txt").write_text("Mira likes Bergen")
    args = (tmp_path / "model", tmp_path / "in.txt", "-o", tmp_path / "out.jsonl")
    counts = []
    for more in ((), ("-t", 0.0), ("-t", 1.0)):
        result = run(*args, *more)
        assert result.exit_code == 0, result.output
        counts.append(len(read(tmp_path / "out.jsonl")))
    assert counts == [0, 2, 0]


def test_the_lists_of_formats():
    assert tuple(item.value for item in ExportFormat) == FORMATS
    assert tuple(item.value for item in TextFormat) == ROW_KINDS


def test_no_relation_found_is_no_error(make_model, tmp_path):
    (tmp_path / "in.txt").write_text("Rain.\nMore rain.\n")
    result = run(make_model(), tmp_path / "in.txt", "-o", tmp_path / "out.csv")
    assert "Wrote 0 triples of 2 documents" in flat(result.output)
    assert (tmp_path / "out.csv").read_text().startswith("doc,")


@pytest.mark.parametrize("text", ["Mira likes rain", "Rain."])
def test_a_component_that_does_not_say_what_it_sets(make_model, tmp_path, text):
    model, output = make_model("test_export_undeclared"), tmp_path / "out.csv"
    (tmp_path / "in.txt").write_text(text)
    result = run(model, tmp_path / "in.txt", "-o", output)
    assert result.exit_code == int("likes" not in text)
    assert output.exists() is ("likes" in text)
    if not output.exists():
        assert "its components: test_export_undeclared" in flat(result.output)
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


@pytest.mark.parametrize("components", [("sentencizer", "entity_ruler"), ("attn_ner",)])
def test_a_pipeline_without_relations(texts, tmp_path, components, monkeypatch):
    nlp = spacy.blank("en")
    for name in components:
        nlp.add_pipe(name)
    # known beforehand: no text is read
    monkeypatch.setattr("spacy_attnner.export.write.load_pipeline", lambda model: nlp)
    monkeypatch.setattr(nlp, "pipe", None)
    with pytest.raises(UserError) as caught:
        export_relations("some", texts, tmp_path / "out.csv")
    names = ", ".join(components)
    problem = f"the pipeline 'some' sets no relations; its components: {names}"
    assert caught.value.problem == problem
    assert "attn_rel" in caught.value.way_out


def test_a_bad_line_leaves_the_file_as_it_was(make_model, tmp_path):
    lines = [json.dumps({"text": text}) for text in TEXTS] * 3
    lines[9] = '{"text": 3}'
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    output = tmp_path / "out.csv"
    output.write_text("before")
    args = (make_model(), tmp_path / "in.jsonl", "-o", output, "-b", 2)
    before = sorted(os.listdir(tmp_path))
    for more in ((), ("-p", 2)):
        result = run(*args, *more)
        assert result.exit_code == 1
        assert "in.jsonl:10: the text is 3, not a string" in flat(result.output)
        assert "Correct it, or take it out" in result.output
        assert output.read_text() == "before"
        assert sorted(os.listdir(tmp_path)) == before


def test_no_text(make_model, tmp_path):
    model = make_model()
    (tmp_path / "empty.txt").touch()
    for path, name in ((tmp_path / "empty.txt", "empty.txt"), ("-", "stdin")):
        result = run(model, path, "-o", tmp_path / "out.csv", input="")
        assert result.exit_code == 1
        assert f"{name} holds no text" in flat(result.output)
    assert not (tmp_path / "out.csv").exists()


def test_the_texts_are_not_overwritten(make_model, tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "Mira likes rain"}')
    (tmp_path / "link.jsonl").symlink_to(path)
    for output in (path, tmp_path / "link.jsonl"):
        result = run(make_model(), path, "-o", output)
        assert result.exit_code == 1
        assert "holds the texts, and would be replaced" in flat(result.output)
    assert path.read_text() == '{"text": "Mira likes rain"}'


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"texts": Path("missing.txt")}, "missing.txt does not exist"),
        ({"output": Path("out.tsv")}, "the ending of out.tsv is no format"),
        ({"base": "kg"}, "'kg' is not a base IRI"),
        ({"model": "en_none"}, "'en_none' is neither a folder nor"),
        ({"output": Path("."), "format": "csv"}, ". is a folder"),
    ],
)
def test_what_cannot_be_used(texts, tmp_path, monkeypatch, settings, problem):
    monkeypatch.chdir(tmp_path)
    given = {"model": "none", "texts": texts, "output": Path("out.csv"), **settings}
    with pytest.raises(UserError) as caught:
        export_relations(**given)
    assert problem in caught.value.problem
    assert caught.value.way_out
    assert os.listdir(tmp_path) == ["in.txt"]


def test_no_such_gpu(texts, tmp_path, monkeypatch):
    def refuse(gpu_id, silent):
        raise ValueError(f"no device {gpu_id}")

    monkeypatch.setattr(loading, "setup_gpu", refuse)
    with pytest.raises(UserError, match="GPU 7 cannot be used"):
        export_relations("none", texts, tmp_path / "out.csv", gpu_id=7)


def test_graphml_without_networkx(make_model, texts, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "networkx", None)
    result = run(make_model(), texts, "-o", tmp_path / "out.graphml")
    assert result.exit_code == 1
    assert "pip install 'spacy-attnner[graph]'" in flat(result.output)
    assert run(make_model(), texts, "-o", tmp_path / "out.csv").exit_code == 0


@pytest.mark.parametrize("option", [("-t", 1.5), ("-p", 0), ("-b", 0), ("-f", "xml")])
def test_options_out_of_range(make_model, texts, tmp_path, option):
    result = run(make_model(), texts, "-o", tmp_path / "out.csv", *option)
    assert result.exit_code == 2
    assert not (tmp_path / "out.csv").exists()


def test_code_is_imported(make_model, texts, tmp_path):
    code = tmp_path / "more.py"
    code.write_text("raise SystemExit('imported')\n")
    result = run(make_model(), texts, "-o", tmp_path / "out.csv", "--code", code)
    assert "imported" in str(result.exception)


def test_ids_reach_worker_processes_and_come_back(make_model, tmp_path):
    names = ["\udcff", DocInfo("a", {"b": ["c"]})]
    nlp = spacy.load(make_model())
    pairs = [("Mira likes rain", name) for name in names]
    docs = list(nlp.pipe(pairs, as_tuples=True, n_process=2, batch_size=1))
    assert [info for _, info in docs] == names
