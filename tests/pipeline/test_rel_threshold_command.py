"""`spacy attn thresholds`."""

import pytest
import spacy
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_attnner.cli import attn_cli


def run(*arguments):
    return CliRunner().invoke(attn_cli, ["thresholds", *map(str, arguments)])


@pytest.fixture
def rel(make_task):
    return make_task("attn_rel")


@pytest.fixture
def model(rel, tmp_path):
    """An `attn_rel` that is not sure of anything yet, behind an entity ruler."""
    nlp = rel.trained(steps=3)
    ruler = nlp.add_pipe("entity_ruler", first=True)
    patterns = {
        (ent.text, ent.label_)
        for example in rel.examples(nlp)
        for ent in example.reference.ents
    }
    ruler.add_patterns([{"pattern": t, "label": kind} for t, kind in sorted(patterns)])
    nlp.to_disk(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def data(rel, tmp_path):
    docs = [example.reference for example in rel.examples(spacy.blank("en"))]
    DocBin(docs=docs).to_disk(tmp_path / "dev.spacy")
    return tmp_path / "dev.spacy"


def test_thresholds_are_fitted_and_stored(model, data, tmp_path):
    result = run(model, data, tmp_path / "output")
    assert result.exit_code == 0, result.output
    assert "Works_For" in result.output
    own = spacy.load(tmp_path / "output").get_pipe("attn_rel").thresholds
    assert set(own) == {"Based_In", "Lives_In", "Works_For"}
    assert all(value < 0.5 for value in own.values())
    assert not spacy.load(model).get_pipe("attn_rel").thresholds


def test_in_place(model, data):
    assert run(model, data, model).exit_code == 0
    assert spacy.load(model).get_pipe("attn_rel").thresholds


def test_what_is_missing(model, data, tmp_path):
    result = run(model, tmp_path / "no.spacy", tmp_path / "output")
    assert result.exit_code == 1
    assert "no.spacy is missing" in " ".join(result.output.split())
    spacy.blank("en").to_disk(tmp_path / "blank")
    result = run(tmp_path / "blank", data, tmp_path / "output")
    said = " ".join(result.output.split())
    assert "has no attn_rel or attn_textcat_multilabel component" in said
    assert not (tmp_path / "output").exists()


def test_documents_without_relations(model, data, tmp_path):
    docs = list(DocBin().from_disk(data).get_docs(spacy.blank("en").vocab))
    for doc in docs:
        del doc.spans["relations"]
    DocBin(docs=docs).to_disk(data)
    result = run(model, data, tmp_path / "output")
    assert result.exit_code == 1
    assert "no relation is annotated" in " ".join(result.output.lower().split())
    assert not (tmp_path / "output").exists()
