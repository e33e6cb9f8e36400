"""Scores of the project's pipelines on the test sets, as JSON and Markdown.

    python scripts/evaluate.py training corpus metrics [--gpu-id 0]

Writes one JSON file a task, all of them in metrics/metrics.json, and the per-label
tables in metrics/REPORT.md.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from source import read_source
from spacy.language import Language
from spacy.training import Corpus, Example

from spacy_attnner.atomic import check_files, replacing_files, write_json, write_text
from spacy_attnner.corpora.mixing import create_mixed_corpus
from spacy_attnner.corpora.training_data import create_gold_sentences
from spacy_attnner.errors import UserError, sound
from spacy_attnner.loading import annotate, load_pipeline, running, use_gpu
from spacy_attnner.report.content import calibrate_examples
from spacy_attnner.report.evaluation import SPEED, score_pipeline
from spacy_attnner.terminal import Commands, echo, msg

app = Commands()
HEADLINE = (
    ("ents_f", "entity F1"),
    ("spans_arguments_f", "argument F1"),
    ("rel_f", "strict relation F1"),
    ("rel_boundaries_f", "relation F1, boundaries"),
    ("rel_gold_ents_f", "relation F1, gold arguments"),
    ("cats_acc", "accuracy"),
    ("cats_macro_f", "macro F1"),
)
PER_LABEL = ("ents_per_type", "rel_f_per_type", "cats_f_per_type")


@dataclass(frozen=True)
class Evaluation:
    """One row of the results: a pipeline on a test set.

    model: Folder below the training folder.
    data: Folder below the corpus folder.
    gold_sents: Give the pipeline the gold sentence starts of its documents, where they
        are annotated.
    spans_key: Span group that the pipeline puts the entities of this corpus into;
        `doc.ents` if empty.
    uncalibrated: Folder of the pipeline before its confidences were calibrated, whose
        calibration error is measured, too.
    """

    name: str
    title: str
    model: str
    data: str
    metrics: tuple[str, ...]
    gold_sents: bool = False
    spans_key: str = ""
    uncalibrated: str = ""


ENTS = ("ents_p", "ents_r", "ents_f", "ents_per_type")
RELS = (
    *("spans_arguments_p", "spans_arguments_r", "spans_arguments_f"),
    *("rel_p", "rel_r", "rel_f", "rel_macro_f", "rel_boundaries_f"),
    *("rel_gold_ents_f", "rel_f_per_type"),
)
CATS = ("cats_acc", "cats_micro_f", "cats_macro_f", "cats_f_per_type")
EVALUATIONS = (
    Evaluation(
        "ner",
        "Entities, sentences given (en_attnner)",
        "en_attnner",
        "ner",
        ENTS,
        gold_sents=True,
        uncalibrated="joint/model-best",
    ),
    Evaluation(
        "ner_documents",
        "Entities, whole documents without sentence starts (en_attnner)",
        "en_attnner",
        "ner",
        ENTS,
        uncalibrated="joint/model-best",
    ),
    Evaluation(
        "rel",
        "Relations and their arguments, end to end, strict (en_attnner)",
        "en_attnner",
        "rel",
        RELS,
        spans_key="arguments",
    ),
    Evaluation("textcat", "Sentiment (en_attnner)", "en_attnner", "sentiment", CATS),
    Evaluation(
        "questions",
        "Kinds of questions (TREC), or topics of the sample",
        "questions/model-best",
        "questions",
        CATS,
    ),
)


@app.command()
def evaluate_project(
    training: Path, corpus: Path, output: Path, gpu_id: int = -1
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
    with running(evaluation.model):
        scores = score_pipeline(nlp, examples, evaluation.title)
    result = {
        "model": evaluation.model,
        "documents": len(examples),
        "words": sum(len(example.predicted) for example in examples),
        "words_per_second": round(scores[SPEED]),
        "scores": {key: scores.get(key) for key in evaluation.metrics},
    }
    if evaluation.uncalibrated:
        before = _load(training / evaluation.uncalibrated)
        examples_before = _read(evaluation, before, data)
        with running(evaluation.uncalibrated):
            annotate(before, examples_before, f"{evaluation.title}, uncalibrated")
        result["calibration"] = compare_calibrations(examples_before, examples)
    return result


def _load(path: Path) -> Language:
    _check(path, "train or describe")
    return load_pipeline(str(path))


def _read(evaluation: Evaluation, nlp: Language, path: Path) -> list[Example]:
    _check(path, "corpus")
    augmenter = create_gold_sentences() if evaluation.gold_sents else None
    reader: Callable[..., Iterable[Example]] = Corpus(path, augmenter=augmenter)
    if evaluation.spans_key:
        spans = {evaluation.data: evaluation.spans_key}
        reader = create_mixed_corpus({evaluation.data: reader}, spans=spans)
    with sound(f"{path} cannot be read", "Run the project's corpus step again."):
        return list(reader(nlp))


def _check(path: Path, step: str) -> None:
    if not path.exists():
        raise UserError(f"{path} is missing", f"Run the project's {step} step first.")


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


def make_report(source: dict[str, Any], results: dict[str, Any]) -> str:
    """A page with one table of all tasks and one per-label table for each.

    source: The content of `SOURCE.json`. results: Scores by task.
    """
    lines = ["# Test scores", "", f"Corpora: {source['name']}. {source['description']}"]
    lines += ["", *_overview(results), *_calibrations(results)]
    for result in results.values():
        lines += ["", f"## {result['title']}", "", *_per_label(result["scores"])]
    return "\n".join(lines) + "\n"


def percent(value: float | None) -> str:
    """A share as a percentage with two digits, a dash for None."""
    return "-" if value is None else f"{100 * value:.2f}"


def _overview(results: dict[str, Any]) -> list[str]:
    rows = [("task", "documents", "score", "value", "words/s")]
    for result in results.values():
        for key, name in HEADLINE:
            if key in result["scores"]:
                rows.append(
                    (
                        result["title"],
                        f"{result['documents']:,}",
                        name,
                        percent(result["scores"][key]),
                        f"{result['words_per_second']:,}",
                    )
                )
    return table(rows)


def _calibrations(results: dict[str, Any]) -> list[str]:
    names = {
        "entities": "entities",
        "correct": "correct",
        "confidence": "mean confidence",
        "ece_uncalibrated": "ECE before",
        "ece": "ECE",
    }
    rows: list[tuple[str, ...]] = [("task", *names.values())]
    for result in results.values():
        if values := result.get("calibration"):
            n, *shares = (values[key] for key in names)
            rows.append((result["title"], f"{n:,}", *map(percent, shares)))
    if len(rows) == 1:
        return []
    return [
        "",
        "## Confidences of entities",
        "",
        "Percentages. ECE: expected calibration error, before and after calibration.",
        "",
        *table(rows),
    ]


def _per_label(scores: dict[str, Any]) -> list[str]:
    rows: list[tuple[str, ...]] = [("label", "precision", "recall", "F1")]
    for key in PER_LABEL:
        for label, values in sorted((scores.get(key) or {}).items()):
            rows.append((label, *(percent(values[k]) for k in ("p", "r", "f"))))
    return table(rows)


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """A Markdown table; the first row is its head, numbers stand right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    return [lines[0], rule, *lines[1:]]


if __name__ == "__main__":
    app()
