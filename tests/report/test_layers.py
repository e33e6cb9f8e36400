"""Documents of a second layer of entities: `KEY=FILE` of card, evaluate and report."""

import json

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Example

from spacy_attnner.relations import Relation, set_relations
from tests.commands import invoke

from .test_card import MODEL


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A pipeline with relations in a second layer, and documents of that layer."""
    folder = tmp_path_factory.mktemp("layers")
    nlp = spacy.blank("en")
    ner = {"model": MODEL, "scorer": {"@scorers": "spacy-attnner.entity_scorer.v1"}}
    nlp.add_pipe("attn_ner", config=ner)
    layer = ner | {"set_ents": False, "spans_key": "arguments"}
    nlp.add_pipe("attn_ner", name="layer", config=layer)
    pairs = {
        "@architectures": "spacy-attnner.EntityPairAttention.v1",
        "hidden": 8,
        "tok2vec": MODEL["tok2vec"],
    }
    parts = {
        "model": pairs,
        "get_candidates": {"@misc": "spacy-attnner.CandidatePairs.v1"},
        "scorer": {"@scorers": "spacy-attnner.relation_scorer.v1"},
    }
    for name in ("get_candidates", "scorer"):
        parts[name]["spans_key"] = "arguments"
    nlp.add_pipe("attn_rel", config=parts)
    doc = nlp.make_doc("Mira Holt left Bergen .")
    doc.ents = [doc.char_span(0, 9, "PER"), doc.char_span(15, 21, "LOC")]
    set_relations(doc, [Relation(*doc.ents, "Left")])
    DocBin(docs=[doc]).to_disk(folder / "rel.spacy")
    gold = doc.copy()
    gold.spans["arguments"] = list(gold.ents)
    gold.ents = [gold.char_span(0, 4, "PER")]  # by other guidelines
    examples = [Example(nlp.make_doc(doc.text), gold)]
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.02
    for _ in range(30):
        nlp.update(examples, sgd=optimizer, annotates=["layer"])
    nlp.to_disk(folder / "model")
    return folder


def run(command, folder, *args):
    result = invoke(command, [str(folder / "model"), *map(str, args)])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_card(folder):
    run("card", folder, "--data", f"arguments={folder / 'rel.spacy'}")
    text = (folder / "model/README.md").read_text("utf8")
    for name in ("spans_arguments_f", "rel_f", "rel_gold_ents_f"):
        assert f"| {name} | 100.00 % |" in text
    assert "| ents_f |" not in text


def test_evaluate(folder, tmp_path):
    path = tmp_path / "scores.json"
    run("evaluate", folder, f"arguments={folder / 'rel.spacy'}", "-o", path)
    scores = json.loads(path.read_text("utf8"))
    assert scores["spans_arguments_f"] == scores["rel_f"] == 1.0
    assert scores["spans_arguments_calibration_error"] < 0.5
    assert scores["ents_f"] is None
    assert "ents_calibration_error" not in scores


def test_report(folder, tmp_path):
    path = tmp_path / "report.json"
    run("report", folder, f"arguments={folder / 'rel.spacy'}", "--json", path)
    found = json.loads(path.read_text("utf8"))
    assert found["entities"]["micro"] == {
        "precision": 1.0,
        "recall": 1.0,
        "f1": 1.0,
        "support": 2,
    }
    assert found["tags"]["micro"]["support"] == 5
    assert found["calibration"]["n"] == 2
    assert found["relations"]["kinds"]["correct"] == 1
    run("report", folder, folder / "rel.spacy", "--json", path)
    assert json.loads(path.read_text("utf8"))["entities"]["micro"]["f1"] == 0.0


@pytest.mark.parametrize("command", ["card", "evaluate", "report"])
def test_a_group_that_nothing_sets(folder, command):
    given = f"attn_ner={folder / 'rel.spacy'}"
    option = ["--data"] if command == "card" else []
    result = invoke(command, [str(folder / "model"), *option, given])
    assert result.exit_code == 1
    said = "".join(result.output.split())
    assert f"nocomponentsetsthespangroup'attn_ner',as{given}says" in said
