"""Scores of the project's pipelines on the test sets, as JSON and Markdown."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.scorer import Scorer
from spacy.training import Corpus, Example
from tqdm import tqdm

from ..atomic import check_files, replacing_files, write_json, write_text
from ..corpora.training_data import GoldEntitiesCorpus, create_gold_sentences
from ..errors import UserError, sound
from ..pipelines import load_pipeline, running, use_gpu
from ..report.content import calibrate_examples
from ..terminal import echo, msg, visible
from .evaluations import EVALUATIONS, Evaluation
from .report import make_report
from .source import read_source


def evaluate_project(
    training: Path, corpus: Path, output: Path, *, gpu_id: int = -1
) -> dict[str, Any]:
    """Run all evaluations and put the results into `output`, complete or not at all.

    Raises UserError if a pipeline or a test set is missing.
    """
    names = [
        *(f"{each.name}.json" for each in EVALUATIONS),
        "metrics.json",
        "REPORT.md",
    ]
    check_files(output, names)
    use_gpu(gpu_id)
    source = read_source(corpus / "SOURCE.json")
    results: dict[str, Any] = {}
    for evaluation in EVALUATIONS:
        results[evaluation.name] = {
            "title": evaluation.title,
            "source": {key: source[key] for key in ("corpus", "name")},
            **_evaluate(evaluation, training, corpus),
        }
    report = make_report(source, results)
    with replacing_files(output, names) as partial:
        for name, result in results.items():
            write_json(partial / f"{name}.json", result)
        write_json(partial / "metrics.json", {"source": source, "results": results})
        write_text(partial / "REPORT.md", report)
    echo(report)
    msg.good(f"Wrote the scores to {output}")
    return results


def _evaluate(evaluation: Evaluation, training: Path, corpus: Path) -> dict[str, Any]:
    data = corpus / evaluation.data / "test.spacy"
    nlp = _load(training / evaluation.model)
    examples = _read(evaluation, nlp, data)
    disabled = ["attn_ner"] if evaluation.gold_entities else []
    started = time.perf_counter()
    with nlp.select_pipes(disable=disabled), running(evaluation.model):
        _predict(nlp, examples, evaluation.title)
        seconds = time.perf_counter() - started
        scores = Scorer(nlp=nlp).score(examples)
    if "cats_acc" in evaluation.metrics:
        scores["cats_acc"] = accuracy(examples)
    n_words = sum(len(example.predicted) for example in examples)
    result = {
        "model": evaluation.model,
        "documents": len(examples),
        "words": n_words,
        "words_per_second": round(n_words / seconds),
        "scores": {key: scores.get(key) for key in evaluation.metrics},
    }
    if evaluation.uncalibrated:
        before = _load(training / evaluation.uncalibrated)
        examples_before = _read(evaluation, before, data)
        with running(evaluation.uncalibrated):
            _predict(before, examples_before, f"{evaluation.title}, uncalibrated")
        result["calibration"] = compare_calibrations(examples_before, examples)
    return result


def _load(path: Path) -> Language:
    _check(path, "train or assemble")
    return load_pipeline(str(path))


def _read(evaluation: Evaluation, nlp: Language, path: Path) -> list[Example]:
    _check(path, "corpus")
    reader = GoldEntitiesCorpus if evaluation.gold_entities else Corpus
    augmenter = create_gold_sentences() if evaluation.gold_sents else None
    with sound(f"{path} cannot be read", "Run the project's corpus step again."):
        return list(reader(path, augmenter=augmenter)(nlp))


def _check(path: Path, step: str) -> None:
    if not path.exists():
        raise UserError(f"{path} is missing", f"Run the project's {step} step first.")


def _predict(nlp: Language, examples: list[Example], title: str) -> None:
    docs = nlp.pipe(example.predicted for example in examples)
    bar = tqdm(
        docs,
        total=len(examples),
        desc=visible(title),
        unit="doc",
        leave=False,
        disable=None,
    )
    for example, doc in zip(examples, bar, strict=True):
        example.predicted = doc


def accuracy(examples: Iterable[Example]) -> float | None:
    """Share of the documents whose best category is the annotated one."""
    right = total = 0
    for example in examples:
        gold = [cat for cat, value in example.reference.cats.items() if value >= 0.5]
        cats = example.predicted.cats
        if len(gold) == 1 and cats:
            total += 1
            right += max(cats, key=lambda cat: cats[cat]) == gold[0]
    return right / total if total else None


def compare_calibrations(
    before: Iterable[Example], after: Iterable[Example]
) -> dict[str, Any] | None:
    """How far the confidences of entities can be believed, in shares of 1.

    before, after: The same documents, by the pipeline before and after calibration.

    Returns None where no entity has a confidence.
    """
    old, new = calibrate_examples(before), calibrate_examples(after)
    if old is None or new is None:
        return None
    return {
        "entities": new.n,
        "correct": new.correct,
        "confidence": new.confidence,
        "ece_uncalibrated": old.ece,
        "ece": new.ece,
    }
