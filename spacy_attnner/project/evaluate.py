"""Scores of the project's pipelines on the test sets, as JSON and Markdown."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spacy
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.scorer import Scorer
from spacy.training import Corpus, Example
from tqdm import tqdm
from wasabi import msg

from ..corpora.reader import GoldEntitiesCorpus
from .atomic import begin_beside, finish, partial_of, remove, write_text
from .errors import ProjectError
from .report import make_report
from .source import read_source


@dataclass(frozen=True)
class Evaluation:
    """One row of the results: a pipeline on a test set.

    model: Folder below the training folder.
    data: Folder below the corpus folder.
    sentences: Read the corpus sentence by sentence, as published scores do.
    gold_entities: Give the pipeline the gold entities instead of its own.
    """

    name: str
    title: str
    model: str
    data: str
    metrics: tuple[str, ...]
    sentences: bool = False
    gold_entities: bool = False


ENTS = ("ents_p", "ents_r", "ents_f", "ents_per_type")
RELS = (
    *("rel_p", "rel_r", "rel_f", "rel_macro_f", "rel_boundaries_f"),
    "rel_f_per_type",
)
CATS = ("cats_acc", "cats_micro_f", "cats_macro_f", "cats_f_per_type")
EVALUATIONS = (
    Evaluation(
        "ner",
        "Entities, sentence by sentence (en_attnner)",
        "en_attnner",
        "ner",
        ENTS,
        sentences=True,
    ),
    Evaluation(
        "ner_documents",
        "Entities, whole documents (en_attnner)",
        "en_attnner",
        "ner",
        ENTS,
    ),
    Evaluation(
        "rel",
        "Entities and relations, end to end, strict (relation pipeline)",
        "rel/model-best",
        "rel",
        ENTS + RELS,
    ),
    Evaluation(
        "rel_gold_entities",
        "Relations between gold entities (relation pipeline)",
        "rel/model-best",
        "rel",
        RELS,
        gold_entities=True,
    ),
    Evaluation(
        "rel_en_attnner",
        "Relations between the entities that en_attnner finds itself",
        "en_attnner",
        "rel",
        ENTS + RELS,
    ),
    Evaluation("textcat", "Sentiment (en_attnner)", "en_attnner", "sentiment", CATS),
    Evaluation(
        "questions",
        "Kinds of questions, or topics of the sample",
        "questions/model-best",
        "questions",
        CATS,
    ),
)


def evaluate_project(
    training: Path, corpus: Path, output: Path, *, gpu_id: int = -1
) -> dict[str, Any]:
    """Run all evaluations and put the results into `output`, complete or not at all.

    Raises ProjectError if a pipeline or a test set is missing.
    """
    setup_gpu(gpu_id)
    source = read_source(corpus / "SOURCE.json")
    results: dict[str, Any] = {}
    for evaluation in EVALUATIONS:
        results[evaluation.name] = {
            "title": evaluation.title,
            "source": {key: source[key] for key in ("corpus", "name")},
            **_evaluate(evaluation, training, corpus),
        }
    partial = begin_beside(output)
    try:
        for name, result in results.items():
            _write_json(partial / f"{name}.json", result)
        _write_json(partial / "metrics.json", {"source": source, "results": results})
        report = make_report(source, results)
        write_text(partial / "REPORT.md", report)
        finish(output)
    except BaseException:
        remove(partial_of(output))
        raise
    print(report)
    msg.good(f"Wrote the scores to {output}")
    return results


def _write_json(path: Path, data: Any) -> None:
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def _evaluate(evaluation: Evaluation, training: Path, corpus: Path) -> dict[str, Any]:
    model_path = training / evaluation.model
    data_path = corpus / evaluation.data / "test.spacy"
    for path, step in ((model_path, "train or assemble"), (data_path, "corpus")):
        if not path.exists():
            raise ProjectError(
                f"{path} is missing", f"Run the project's {step} step first."
            )
    nlp = spacy.load(model_path)
    examples = _read(evaluation, nlp, data_path)
    disabled = ["attn_ner"] if evaluation.gold_entities else []
    started = time.perf_counter()
    with nlp.select_pipes(disable=disabled):
        _predict(nlp, examples, evaluation.title)
        seconds = time.perf_counter() - started
        scores = Scorer(nlp=nlp).score(examples)
    if "cats_acc" in evaluation.metrics:
        scores["cats_acc"] = accuracy(examples)
    n_words = sum(len(example.predicted) for example in examples)
    return {
        "model": evaluation.model,
        "documents": len(examples),
        "words": n_words,
        "words_per_second": round(n_words / seconds),
        "scores": {key: scores.get(key) for key in evaluation.metrics},
    }


def _read(evaluation: Evaluation, nlp: Language, path: Path) -> list[Example]:
    reader = GoldEntitiesCorpus if evaluation.gold_entities else Corpus
    return list(reader(path, gold_preproc=evaluation.sentences)(nlp))


def _predict(nlp: Language, examples: list[Example], title: str) -> None:
    docs = nlp.pipe(example.predicted for example in examples)
    bar = tqdm(docs, total=len(examples), desc=title, unit="doc", leave=False)
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
