"""`scripts/evaluate.py` on small pipelines of rules."""

import json
from pathlib import Path
from typing import Any

import evaluate
import pytest
import spacy
from evaluate import EVALUATIONS, evaluate_project
from source import real_source, write_source
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span

from spacy_attnner import set_confidences
from spacy_attnner.errors import UserError

WORDS = ["Ann", "left", "Oslo", ".", "Oslo", "slept", "."]


@Language.factory("test_evaluate_scores", default_config={"score": 0.5})
def make_scores(nlp: Language, name: str, score: float):
    """One score for all entities; those of later sentences are dropped."""

    def set_scores(doc: Doc) -> Doc:
        if doc.has_annotation("SENT_START"):
            end = next(doc.sents).end
            doc.ents = [ent for ent in doc.ents if ent.end <= end]
        set_confidences(doc, [(ent, score) for ent in doc.ents])
        return doc

    return set_scores


def make_pipeline(path: Path, score: float) -> None:
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns(  # type: ignore[attr-defined]
        [{"label": "LOC", "pattern": "Oslo"}, {"label": "LOC", "pattern": "Ann"}]
    )
    nlp.add_pipe("test_evaluate_scores", config={"score": score})
    path.mkdir(parents=True)
    nlp.to_disk(path)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One document, and only the evaluations of entities."""
    make_pipeline(tmp_path / "training/en_attnner", 0.75)
    make_pipeline(tmp_path / "training/joint/model-best", 0.125)
    starts = [i in (0, 4) for i in range(7)]
    doc = Doc(spacy.blank("en").vocab, WORDS, sent_starts=starts)
    labels = {0: "PER", 2: "LOC", 4: "LOC"}
    doc.set_ents([Span(doc, i, i + 1, label) for i, label in labels.items()])
    (tmp_path / "corpus/ner").mkdir(parents=True)
    DocBin(docs=[doc]).to_disk(tmp_path / "corpus/ner/test.spacy")
    write_source(tmp_path / "corpus/SOURCE.json", real_source([]))
    of_entities = [each for each in EVALUATIONS if each.data == "ner"]
    monkeypatch.setattr(evaluate, "EVALUATIONS", of_entities)
    return tmp_path


def run(project: Path) -> dict[str, Any]:
    folders = (project / name for name in ("training", "corpus", "metrics"))
    evaluate_project(*folders)
    return json.loads((project / "metrics/metrics.json").read_text("utf8"))["results"]


def test_entities_with_and_without_sentences(project):
    results = run(project)
    assert list(results) == ["ner", "ner_documents"]
    given, whole = results.values()
    assert [result["documents"] for result in (given, whole)] == [1, 1]
    assert given["scores"]["ents_p"] == 1 / 2  # Ann is a LOC to the rules
    assert given["scores"]["ents_r"] == 1 / 3
    assert whole["scores"]["ents_p"] == whole["scores"]["ents_r"] == 2 / 3


def test_confidences_before_and_after_calibration(project):
    given, whole = (result["calibration"] for result in run(project).values())
    assert given == {
        "entities": 2,
        "correct": 0.5,
        "confidence": 0.75,
        "ece_uncalibrated": 0.375,
        "ece": 0.25,
    }
    assert whole["entities"] == 3
    assert whole["ece"] == pytest.approx(3 / 4 - 2 / 3)
    page = (project / "metrics/REPORT.md").read_text("utf8")
    assert "Entities, sentences given (en_attnner)" in page
    assert "| 50.00 | 75.00 | 37.50 | 25.00 |" in " ".join(page.split())


def test_no_entity_has_a_confidence(project):
    nlp = spacy.load(project / "training/en_attnner", exclude=["test_evaluate_scores"])
    nlp.to_disk(project / "training/en_attnner")
    assert all(result["calibration"] is None for result in run(project).values())
    page = (project / "metrics/REPORT.md").read_text("utf8")
    assert "Confidences" not in page


def test_earlier_scores_stay_until_there_are_new_ones(project):
    run(project)
    before = (project / "metrics/metrics.json").read_bytes()
    (project / "corpus/ner/test.spacy").unlink()
    with pytest.raises(UserError, match=r"test\.spacy is missing"):
        run(project)
    assert (project / "metrics/metrics.json").read_bytes() == before
    assert not (project / "metrics.partial").exists()
