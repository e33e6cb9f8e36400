"""`spacy attn explain`: its files, its pages and its errors."""

import json
import re

import pytest
import spacy
from spacy.language import Language

from spacy_attnner.cli.picture_commands import Kind, Method
from spacy_attnner.explain.faithfulness import KINDS
from spacy_attnner.explain.methods import METHODS
from tests.commands import invoke

TEXT = 'Mira works for <script>alert("A & B")</script> in Bergen .'
STRANGE = "\u202eמים  ferry"


@pytest.fixture(scope="session")
def model(encoder_folder, tmp_path_factory):
    """A pipeline of entities, and one of categories, as folders."""
    from tests.explain.conftest import make_pipeline
    from tests.pipeline.conftest import Task

    folder = tmp_path_factory.mktemp("explained")
    for name in ("attn_ner", "attn_textcat"):
        make_pipeline(Task(name), "own", encoder_folder).to_disk(folder / name)
    return folder


@pytest.fixture
def both(model, tmp_path):
    """A pipeline of entities and categories, as a folder."""
    nlp = spacy.load(model / "attn_ner")
    nlp.add_pipe("attn_textcat", source=spacy.load(model / "attn_textcat"))
    nlp.to_disk(tmp_path / "both")
    return tmp_path / "both"


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "in.jsonl"
    lines = [
        {"text": TEXT, "id": "<first>"},
        {"text": ""},
        {"text": STRANGE},
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_names_are_those_of_the_library():
    assert [each.value for each in Method] == list(METHODS)
    assert [each.value for each in Kind] == list(KINDS)


def run(*args):
    return invoke("explain", [str(arg) for arg in args])


def said(result):
    return " ".join(result.output.split())


def test_json_lines(model, texts, tmp_path):
    output = tmp_path / "new" / "why.jsonl"
    result = run(model / "attn_textcat", texts, "-o", output)
    assert result.exit_code == 0, result.output
    assert f"Wrote 3 explanations of 3 texts to {output}" in said(result)
    records = [json.loads(line) for line in output.read_text("utf8").splitlines()]
    assert [record["doc"] for record in records] == ["<first>", 1, 2]
    for record in records:
        assert record["method"] == "integrated_gradients"
        assert len(record["weights"]) == len(record["tokens"])
    assert "".join(records[0]["tokens"]) == TEXT.replace(" ", "")


def test_a_page_on_which_texts_are_texts(model, texts, tmp_path):
    output = tmp_path / "why.html"
    result = run(model / "attn_textcat", texts, "-o", output, "-m", "leave_one_out")
    assert result.exit_code == 0, result.output
    page = output.read_text("utf8")
    assert page.endswith("</html>\n")
    assert "<script" not in page
    assert "&lt;first&gt;" in page
    assert page.count('<div class="heat" dir="auto">') == 3
    assert len(re.findall(r'<span title="-?[\d.]+"', page)) > 10
    assert "http" not in page


def test_what_and_how(model, texts, tmp_path):
    output = tmp_path / "why.jsonl"
    settings = ("-k", "category", "-m", "attention", "-l", "trade", "--steps", "4")
    result = run(model / "attn_textcat", texts, "-o", output, *settings)
    assert result.exit_code == 0, result.output
    records = [json.loads(line) for line in output.read_text("utf8").splitlines()]
    for record in records:
        assert record["target"] == {"kind": "category", "label": "trade"}
        assert sum(record["weights"]) == pytest.approx(1.0 if record["tokens"] else 0.0)


def test_each_label_that_is_named(model, texts, tmp_path):
    output = tmp_path / "why.jsonl"
    named = ("-l", "trade", "-l", "people", "-m", "attention")
    result = run(model / "attn_textcat", texts, "-o", output, *named)
    assert result.exit_code == 0, result.output
    lines = map(json.loads, output.read_text("utf8").splitlines())
    found = [(line["doc"], line["target"]["label"]) for line in lines]
    assert found[:2] == [("<first>", "people"), ("<first>", "trade")]
    assert len(found) == 6


def test_attention_of_entities_is_not_dropped_silently(both, texts, tmp_path):
    output = tmp_path / "why.jsonl"
    args = (both, texts, "-o", output, "-m", "attention")
    result = run(*args, "-k", "entity", "-k", "category")
    assert result.exit_code != 0
    assert "entities have no attention that pools words" in said(result)
    assert not output.exists()
    result = run(*args)
    assert result.exit_code == 0, result.output
    assert "Entities are left out" in said(result)


def test_all_components_of_a_kind_and_each_once(model, texts, tmp_path):
    nlp = spacy.load(model / "attn_textcat")
    nlp.add_pipe("attn_textcat", "second", source=spacy.load(model / "attn_textcat"))
    nlp.to_disk(tmp_path / "two")
    output = tmp_path / "why.jsonl"
    args = ("-k", "category", "-k", "category", "-m", "attention")
    result = run(tmp_path / "two", texts, "-o", output, *args)
    assert result.exit_code == 0, result.output
    lines = map(json.loads, output.read_text("utf8").splitlines())
    found = [(line["doc"], line["component"]) for line in lines]
    assert found[:2] == [("<first>", "attn_textcat"), ("<first>", "second")]
    assert len(found) == 6
    result = run(tmp_path / "two", texts, "-o", output, *args, "-c", "second")
    assert "Wrote 3 explanations" in said(result)


@pytest.mark.parametrize("args", [["-m", "leave_one_out"], ["--evaluate"]])
def test_a_text_that_cannot_be_explained_is_named(
    model, texts, tmp_path, monkeypatch, args
):
    def fail(question):
        raise ValueError("no such pair")

    monkeypatch.setitem(METHODS, "leave_one_out", fail)
    output = [] if "--evaluate" in args else ["-o", tmp_path / "why.jsonl"]
    result = run(model / "attn_textcat", texts, *output, *args)
    assert result.exit_code == 1
    name = "'Mira works for" if "--evaluate" in args else "the text '<first>', 'Mira"
    assert name in said(result)
    assert "cannot be explained: no such pair" in said(result)
    assert not (tmp_path / "why.jsonl").exists()


@Language.component("test_explain_merge")
def merge_all(doc):
    with doc.retokenize() as retokenizer:
        if len(doc) > 1:
            retokenizer.merge(doc[:])
    return doc


def test_tokens_that_changed_since_are_told_of(model, texts, tmp_path):
    args = (texts, "-o", tmp_path / "why.jsonl", "-m", "attention")
    assert "not those that the" not in said(run(model / "attn_textcat", *args))
    nlp = spacy.load(model / "attn_textcat")
    nlp.add_pipe("test_explain_merge")
    nlp.to_disk(tmp_path / "merging")
    result = run(tmp_path / "merging", *args)
    assert result.exit_code == 0, result.output
    assert "2 of the probabilities are not those that the texts have" in said(result)


def test_ids_of_half_a_character(model, tmp_path):
    """And of such that change the direction: what is written is UTF-8, and shown."""
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps({"text": "Rain .", "id": "a\ud800b\u202ec"}))
    for name in ("why.jsonl", "why.html"):
        args = ("-o", tmp_path / name, "-m", "attention")
        result = run(model / "attn_textcat", path, *args)
        assert result.exit_code == 0, result.output
    line = json.loads((tmp_path / "why.jsonl").read_text("utf8"))
    assert line["doc"] == "a\ufffdb\u202ec"
    page = (tmp_path / "why.html").read_text("utf8")
    assert "<h2>a\ufffdb\ufffdc</h2>" in page


def test_whether_they_tell_the_truth(model, texts, tmp_path):
    output = tmp_path / "truth.json"
    result = run(model / "attn_textcat", texts, "--evaluate", "-o", output)
    assert result.exit_code == 0, result.output
    assert "Completeness error of integrated gradients" in said(result)
    found = json.loads(output.read_text())["category"]
    assert [row["method"] for row in found["methods"]][-1] == "random order"
    assert found["targets"] == 2  # not the empty one


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-o", "why.txt"], "why.txt is no .html or .jsonl file"),
        ([], "name a .html or .jsonl file"),
        (["-o", "why.html", "-l", "boats"], "no component knows the label 'boats'"),
        (["-o", "why.html", "-k", "relation"], "that gives a document a relation"),
        (["-o", "why.html", "-m", "attention"], "no attention that pools words"),
        (["-o", "why.html", "-c", "other"], "can be explained"),
        (["-o", "in.jsonl"], "holds the texts"),
        (["-e", "-o", "why.html"], "why.html is no .json file"),
        (["-e", "-l", "PER"], "tests all methods, and draws"),
        (["-e", "-m", "leave_one_out"], "tests all methods, and draws"),
        (["-e", "--steps", "4"], "tests all methods, and draws"),
    ],
)
def test_what_cannot_be(model, texts, tmp_path, monkeypatch, args, message):
    monkeypatch.chdir(tmp_path)
    result = run(model / "attn_ner", "in.jsonl", *args)
    assert result.exit_code != 0
    assert message in said(result)
    assert "Traceback" not in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]
