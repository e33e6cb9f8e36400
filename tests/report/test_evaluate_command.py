"""`spacy attn evaluate`: all scores, those that spaCy prints and those it does not."""

import json
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.scorer import Scorer, get_ner_prf
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus

from spacy_attnner import set_confidences
from spacy_attnner.relations import Relation, set_relations
from spacy_attnner.report.evaluation import evaluate_pipeline
from spacy_attnner.scoring import score_relations

from ..commands import invoke
from .conftest import VOCAB


@Language.factory("test_evaluate_all", default_config={"threshold": 0.5})
class FindsAll:
    """Entities at capitals, a relation between the first two, a category."""

    def __init__(self, nlp: Language, name: str, threshold: float) -> None:
        self.labels = ("PER", "LOC")

    def __call__(self, doc: Doc) -> Doc:
        places = [token.i for token in doc if token.text.istitle()]
        doc.ents = [Span(doc, i, i + 1, "PER" if i == 0 else "LOC") for i in places]
        set_confidences(doc, [(ent, 0.75) for ent in doc.ents])
        ents = doc.ents
        set_relations(doc, [Relation(*ents[:2], "In", 0.5)] if len(ents) > 1 else [])
        doc.cats = {"long": float(len(doc) > 4), "short": float(len(doc) <= 4)}
        return doc

    def score(self, examples, **_):
        examples = list(examples)
        found = get_ner_prf(examples)
        found |= Scorer.score_cats(
            *(examples, "cats"), labels=["long", "short"], multi_label=False
        )
        return found | score_relations(examples)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    nlp = spacy.blank("en")
    nlp.add_pipe("test_evaluate_all")
    nlp.to_disk(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    docs = []
    for text, tail in (("Mira likes Bergen .", 2), ("Nils saw the old Oslo .", 4)):
        doc = Doc(VOCAB, words=text.split())
        doc.ents = ents = [Span(doc, 0, 1, "PER"), Span(doc, tail, tail + 1, "LOC")]
        set_relations(doc, [Relation(*ents, "In" if tail == 2 else "Near", 1.0)])
        doc.cats = {"long": 1.0, "short": 0.0}
        docs.append(doc)
    DocBin(docs=docs).to_disk(tmp_path / "test.spacy")
    return tmp_path / "test.spacy"


def test_all_scores(model, data, tmp_path):
    output = tmp_path / "a/scores.json"
    result = invoke("evaluate", [str(model), str(data), "--output", str(output)])
    assert result.exit_code == 0, result.output
    scores = json.loads(output.read_text("utf8"))
    assert scores["ents_f"] == 1.0
    assert scores["rel_f"] == scores["rel_p"] == 0.5
    assert scores["rel_f_per_type"]["Near"]["f"] == 0.0
    assert scores["cats_acc"] == 0.5
    assert scores["ents_calibration_error"] == 0.25
    assert scores["rel_calibration_error"] == 0.0
    assert scores["cats_calibration_error"] == 0.5
    assert scores["speed"] > 0
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    for line in (
        "ents 100.00 100.00 100.00",
        "rel 50.00 50.00 50.00",
        "rel_boundaries 50.00 50.00 50.00",
        "In 50.00 100.00 66.67",
        "cats_acc 50.00",
        "ents_calibration_error 25.00",
        "long 100.00 50.00 66.67",
    ):
        assert line in lines, line
    assert "words a second" in result.output


def test_nothing_is_scored_by_other_means(model, data):
    """The numbers are those of `nlp.evaluate`, which `spacy evaluate` runs."""
    scores = evaluate_pipeline(str(model), data)
    nlp = spacy.load(model)
    expected = nlp.evaluate(list(Corpus(data)(nlp)))
    shared = {key: scores[key] for key in expected if key != "speed"}
    assert shared == {key: value for key, value in expected.items() if key != "speed"}


def test_what_is_not_annotated_has_a_dash(model, data, tmp_path):
    nlp = spacy.blank("en")
    docs = list(DocBin().from_disk(data).get_docs(nlp.vocab))
    for doc in docs:
        del doc.spans["relations"]
    DocBin(docs=docs).to_disk(tmp_path / "ents.spacy")
    result = invoke("evaluate", [str(model), str(tmp_path / "ents.spacy")])
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert "rel - - -" in lines
    assert "rel_calibration_error" not in result.output


def test_what_is_no_number_is_null(model, data, tmp_path, monkeypatch):
    def score(self, examples, **_):
        return {"cats_per_type": {"long": float("nan"), "short": 0.5}}

    monkeypatch.setattr(FindsAll, "score", score)
    evaluate_pipeline(str(model), data, output=tmp_path / "scores.json")
    scores = json.loads((tmp_path / "scores.json").read_text("utf8"))
    assert scores["cats_per_type"] == {"long": None, "short": 0.5}


def test_several_classifiers_have_scores_of_their_own(data, tmp_path):
    nlp = spacy.blank("en")
    for name in ("length", "topic"):
        nlp.add_pipe("textcat", name=name)
        for label in ("long", "short") if name == "length" else ("art", "sea"):
            nlp.get_pipe(name).add_label(label)
    nlp.initialize()
    nlp.to_disk(tmp_path / "two")
    scores = evaluate_pipeline(str(tmp_path / "two"), data)
    assert {name for name in scores if name.startswith(("cats_acc", "cats_cal"))} == {
        "cats_acc_length",
        "cats_calibration_error_length",
    }


def test_sentences(model, data):
    result = invoke("evaluate", [str(model), str(data), "--gold-sents", "-G"])
    assert result.exit_code == 1
    assert "exclude each other" in " ".join(result.output.split())
    assert invoke("evaluate", [str(model), str(data), "-G"]).exit_code == 0
