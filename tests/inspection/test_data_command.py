"""`spacy attn data`: its output, its files, its errors; what `init-config` takes."""

import json
from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_attnner.errors import UserError
from spacy_attnner.inspection import told
from spacy_attnner.inspection.told import tell_language, tell_of_data

from ..commands import invoke
from .conftest import make_doc

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def files(store) -> list[str]:
    """Train and dev: entities, relations, categories, a span group."""
    ents, rels = [(0, 1, "PER"), (2, 3, "LOC")], [(0, 1, "In")]
    docs = [make_doc(f"Mira{i} in Oslo{i}", ents, rels, {"a": 1.0}) for i in range(9)]
    docs.append(make_doc(f"At {EVIL}", [(1, 2, "PER")], [], {"b": 1.0, "a": 1.0}))
    docs[0].spans["more"] = [docs[0][0:2]]
    dev = [make_doc("Nils in Oslo1", ents, rels, {"a": 1.0}, name="d-1")]
    return [str(store(docs)), str(store(dev, "dev"))]


def test_text_json_and_a_page(files, tmp_path):
    outputs = tmp_path / "a/x.json", tmp_path / "a/x.html"
    args = ["--json", str(outputs[0]), "--html", str(outputs[1])]
    result = invoke("data", [*files, *args])
    assert result.exit_code == 0, result.output
    for part in (
        "documents",
        "PER -> LOC",
        "Categories that come together",
        "more",
        "Entity labels with fewer than 20 in train: PER (10), LOC (9)",
        "Will hurt",
        "init-config",
    ):
        assert part in result.output, part
    content = json.loads(outputs[0].read_text("utf8"))
    assert content["amounts"][0]["entities"] == 19
    assert content["amounts"][1]["new_entities"] == 0.5
    assert content["relations"][0]["joins"] == [["PER", "LOC", {"train": 9, "dev": 1}]]
    assert content["groups"] == [["more", "", {"train": 1}]]
    page = outputs[1].read_text("utf8")
    assert "<svg" in page
    assert EVIL not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_json_on_stdout(files):
    result = invoke("data", [*files, "--json", "-"])
    assert json.loads(result.stdout)["told"]["documents"] == 10


def test_a_folder_of_parts(store, tmp_path):
    for name in ("a", "b"):
        (tmp_path / "parts").mkdir(exist_ok=True)
        path = store([make_doc(f"{name} word", [])], f"parts/{name}")
        assert path.exists()
    result = invoke("data", [str(tmp_path / "parts")])
    assert result.exit_code == 0, result.output
    assert "documents                               2" in result.output


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("missing.spacy", "does not exist"),
        ("folder", "holds no .spacy file"),
        ("corpus.jsonl", "is not a .spacy file"),
        ("none.spacy", "holds no document"),
    ],
)
def test_data_that_cannot_be_used(tmp_path, name, problem):
    (tmp_path / "folder").mkdir()
    (tmp_path / "corpus.jsonl").write_text("{}\n")
    DocBin().to_disk(tmp_path / "none.spacy")
    result = invoke("data", [str(tmp_path / name)])
    assert result.exit_code == 1
    assert problem in " ".join(result.output.split())


def test_a_pipeline_without_vectors(files, tmp_path):
    spacy.blank("en").to_disk(tmp_path / "blank")
    result = invoke("data", [*files, "--vectors", str(tmp_path / "blank")])
    assert result.exit_code == 1
    assert "has no static vectors" in " ".join(result.output.split())


# what documents tell

GERMAN = (
    "Die Fähre nach Turku ist nicht mehr da , und wir sind noch hier , bei den Booten"
)
ENGLISH = "The ferry to Turku is no longer there , and we are still here , by the boats"


@pytest.mark.parametrize(("text", "language"), [(GERMAN, "de"), (ENGLISH, "en")])
def test_the_language(text, language):
    assert tell_language({word: text.split().count(word) for word in text.split()}) == (
        language
    )


@pytest.mark.parametrize("words", [{}, {"3": 9, ".": 4}, {"Mira": 1, "Oslo": 2}])
def test_a_language_that_is_not_clear(words):
    assert tell_language(words) is None


def test_spacys_own_examples():
    """Languages that have few words in common are never taken for each other."""
    for name in (
        "da",
        "de",
        "en",
        "es",
        "fi",
        "fr",
        "it",
        "nl",
        "pl",
        "pt",
        "ru",
        "sv",
    ):
        module = spacy.util.get_lang_class(name).__module__
        sentences = __import__(f"{module}.examples", fromlist=["sentences"]).sentences
        words = spacy.blank(name)(" ".join(sentences))
        counts: dict[str, int] = {}
        for token in words:
            counts[token.text] = counts.get(token.text, 0) + 1
        assert tell_language(counts) == name


def test_every_list_of_stop_words_is_read():
    assert len(told._stop_words()) > 60


@pytest.mark.parametrize(
    ("annotated", "task"),
    [
        ({"ents": [(0, 1, "PER")]}, "ner"),
        ({"ents": [(0, 1, "PER"), (1, 2, "X")], "rels": [(0, 1, "In")]}, "rel"),
        ({"cats": {"a": 1.0, "b": 0.0}}, "textcat"),
        ({"cats": {"a": 1.0, "b": 1.0}}, "multilabel"),
    ],
)
def test_the_task(store, annotated, task):
    path = store([make_doc(GERMAN, **annotated)] * 3)
    found = tell_of_data(path)
    assert (found.task, found.language, found.documents) == (task, "de", 3)
    assert tell_of_data(path, task="rel-given", lang="xx").task == "rel-given"


def test_a_task_that_is_not_clear(store):
    path = store([make_doc(GERMAN, [(0, 1, "PER")], cats={"a": 1.0})])
    with pytest.raises(UserError, match="holds entities and categories"):
        tell_of_data(path)
    assert tell_of_data(path, task="ner").task == "ner"
    path = store([make_doc("Mira", [(0, 1, "PER")])])
    with pytest.raises(UserError, match=r"the language of .* is not clear"):
        tell_of_data(Path(path))
