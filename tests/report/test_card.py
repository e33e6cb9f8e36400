"""The card of a pipeline: filled from it, read by others, taken along."""

import json
import shutil
from pathlib import Path

import pytest
import spacy
import srsly
from spacy.cli.package import package
from spacy.training import Example

from spacy_attnner.atomic import foreign_to_pipeline
from spacy_attnner.corpora.conversion import convert
from tests.commands import invoke

SAMPLE = Path(__file__).parents[2] / "assets/sample/test.jsonl"
MODEL = {
    "@architectures": "spacy-attnner.CRFTagger.v1",
    "tok2vec": {
        "@architectures": "spacy-attnner.AttentionEncoder.v1",
        "width": 16,
        "embed": {
            "@architectures": "spacy-attnner.WordEmbed.v1",
            "word_width": 16,
            "vector_width": 0,
        },
    },
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A pipeline, and documents to score it on."""
    folder = tmp_path_factory.mktemp("card")
    lines = SAMPLE.read_text("utf8").splitlines()[:10]
    (folder / "test.jsonl").write_text("\n".join(lines), "utf8")
    convert(folder / "test.jsonl", folder / "test.spacy")
    stated = {"intended_use": "News in English.", "limits": "No poems | no chats."}
    nlp = spacy.blank("en", config={"card": stated}, meta={"name": "carded"})
    nlp.add_pipe("attn_ner", config={"model": MODEL})
    doc = nlp.make_doc("Mira Holt left Bergen .")
    doc.ents = [doc.char_span(0, 9, "PER"), doc.char_span(15, 21, "LOC")]
    examples = [Example(nlp.make_doc(doc.text), doc)]
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.02
    for _ in range(30):
        nlp.update(examples, sgd=optimizer)
    nlp.meta["performance"] = {
        "ents_f": 0.912,
        "ents_per_type": {"PER": {"f": 0.5}},
        "attn_ner_loss": 0.25,
        "cats_macro_f": None,
    }
    nlp.meta["training"] = {
        "steps": 1200,
        "processor": "A processor, 8 cores",
        "examples": {"corpora.train": 4321, "corpora.dev": 17},
    }
    nlp.meta["sources"] = [
        {"name": "Mine", "license": "CC0", "url": "x://y", "author": "I"}
    ]
    nlp.meta["license"] = "MIT"
    nlp.to_disk(folder / "model")
    return folder


def card_of(folder, *args):
    result = invoke("card", [str(folder / "model"), *args])
    assert result.exit_code == 0, result.output
    return (folder / "model/README.md").read_text("utf8")


def test_it_is_filled_from_the_pipeline(made):
    text = card_of(made)
    _, front, body = text.split("---\n", 2)
    about = srsly.yaml_loads(front)
    assert about["tags"] == ["spacy", "token-classification"]
    assert (about["language"], about["license"]) == (["en"], "MIT")
    for part in (
        "# en_carded",
        "| `attn_ner` | attn_ner | `LOC`, `PER` |",
        "| ents_f | 91.20 % |",
        "| ents_per_type PER f | 50.00 % |",
        "| loss | value |\n| --- | --- |\n| attn_ner_loss | 0.25 |",
        "| steps done | `1200` |",
        "| trained on | `A processor, 8 cores` |",
        "| seed | `0` |",
        "| `corpora.train` | 4,321 |",
        "| Mine | I | CC0 | x://y |",
        "News in English.",
        "No poems | no chats.",
        f"| spacy | {spacy.__version__} |",
    ):
        assert part in body
    assert "cats_" not in body


def test_a_readme_of_others_stays(made, tmp_path):
    shutil.copytree(made / "model", tmp_path / "model")
    path = tmp_path / "model/README.md"
    for own in ("# Mine\n", "---\ntags:\n- mine\n---\nmodel_name: x\n"):
        path.write_text(own)
        result = invoke("card", [str(tmp_path / "model")])
        assert result.exit_code == 1
        assert "was not written by `card`" in " ".join(result.output.split())
        assert path.read_text() == own


def test_scores_on_a_test_set(made):
    (made / "other").mkdir()
    shutil.copy(made / "test.spacy", made / "other/test.spacy")
    paths = [str(made / "test.spacy"), str(made / "other/test.spacy")]
    text = card_of(made, "--data", paths[0], "--data", paths[1])
    assert all(f"On `{path}`:" in text for path in paths)
    assert text.count("| ents_calibration_error |") == 2


def test_a_name(made, tmp_path):
    shutil.copytree(made / "model", tmp_path / "model")
    assert "# en_news\n" in card_of(tmp_path, "--name", "news")
    place = tmp_path / "package"
    place.mkdir()
    settings = {"create_sdist": False, "create_wheel": False, "silent": True}
    package(tmp_path / "model", place, **settings)
    assert (place / "en_news-0.0.0/en_news").is_dir()
    assert "# en_news\n" in card_of(tmp_path, "--name", "en_news")
    meta = json.loads((tmp_path / "model/meta.json").read_text("utf8"))
    assert meta["sources"][0]["name"] == "Mine"
    before = (tmp_path / "model/README.md").read_text("utf8")
    result = invoke("card", [str(tmp_path / "model"), "--name", "my news"])
    assert result.exit_code == 1
    assert "'my news' is none that a package can have" in result.output
    assert (tmp_path / "model/README.md").read_text("utf8") == before


def test_what_is_not_stated(made, tmp_path):
    spacy.blank("en").to_disk(tmp_path / "model")
    text = card_of(tmp_path)
    assert text.count("Not stated. Whoever trains it") == 2
    assert "None are stored in the pipeline." in text


def test_the_package_takes_it_along(made, tmp_path):
    text = card_of(made)
    assert foreign_to_pipeline(made / "model") == []
    package(
        made / "model", tmp_path, create_sdist=False, create_wheel=False, silent=True
    )
    (found,) = {path.read_text("utf8") for path in tmp_path.rglob("README.md")}
    assert found == text
    assert json.loads((made / "model/meta.json").read_text())["name"] == "carded"


@pytest.mark.parametrize(
    ("model", "data", "problem"),
    [
        ("nothing", "test.spacy", "is no folder of a pipeline"),
        ("model", "none.spacy", "none.spacy"),
        ("model", "test.jsonl", "test.jsonl"),
    ],
)
def test_what_cannot_be(made, model, data, problem):
    before = sorted(path for path in made.rglob("*"))
    result = invoke("card", [str(made / model), "--data", str(made / data)])
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    assert problem in " ".join(result.output.split())
    assert sorted(path for path in made.rglob("*")) == before
