"""All scores of a pipeline: spaCy's scorer, and how far confidences can be believed.

spaCy's own `evaluate` prints the scores of its own components alone.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.scorer import Scorer
from spacy.training import Example

from ..atomic import check_apart, check_file, write_json
from ..corpora.layers import check_layer, split_layer
from ..corpora.training_data import check_choice
from ..loading import annotate, load_pipeline, running, use_gpu
from ..scoring import score_entities_looked_for, score_relations
from .category_report import report_classifiers
from .content import Table, calibrate_examples, percent
from .relation_report import report_relations
from .run import (
    annotated_kinds,
    check_data,
    classifiers_of,
    read_annotated,
)

SPEED = "speed"  # as spaCy's own `evaluate` calls it: words a second
PER_TYPE = "_per_type"
PARTS = ("p", "r", "f")


def evaluate_pipeline(
    model: str,
    data: Path | str,
    *,
    output: Path | None = None,
    gpu_id: int = -1,
    gold_preproc: bool = False,
    gold_sents: bool = False,
    batch_size: int | None = None,
) -> dict[str, Any]:
    """Score a pipeline on annotated documents; see `score_pipeline`.

    model: A pipeline's folder, or the name of an installed one.
    data: A `.spacy` file, or a folder of them. Of KEY=FILE, the entities are taken for
        spans of the group KEY.
    output: A JSON file for the scores.
    gpu_id: GPU, or -1 for the CPU.
    gold_preproc: Use the gold tokens, and predict sentence by sentence.
    gold_sents: Predict whole documents that have their gold sentence starts.
    batch_size: Documents a batch; the pipeline's own if None.

    Raises UserError if one of them cannot be used; no file is written then.
    """
    sentences = {"gold_preproc": gold_preproc, "gold_sents": gold_sents}
    check_choice(**sentences)
    path, layer = split_layer(data)
    if output is not None:
        check_file(output, f"--output {output / 'scores.json'}")
        check_apart(output, {"documents": path, "pipeline": model})
    check_data(path)
    use_gpu(gpu_id)
    nlp = load_pipeline(model)
    check_layer(nlp, data, layer)
    examples = read_annotated(nlp, path, layer=layer, **sentences)
    with running(model):
        scores = score_pipeline(
            nlp, examples, path.name, batch_size=batch_size, layer=layer
        )
    if output is not None:
        write_json(output, _without_nan(scores))
    return scores


def score_pipeline(
    nlp: Language,
    examples: Sequence[Example],
    title: str = "",
    *,
    batch_size: int | None = None,
    layer: str = "",
) -> dict[str, Any]:
    """Have a pipeline annotate the examples, and score what it found.

    title: Of the bar that shows progress.
    batch_size: Documents a batch; the pipeline's own if None.
    layer: A span group whose confidences are looked at, too.

    Returns the scores of all components, by the names of `nlp.evaluate`, those of
    entities and relations also where their component has no scorer; `cats_acc`, with
    the names of the components where there are several classifiers, as their
    calibration errors; `spans_KEY_calibration_error` of the layer;
    `ents_`, `rel_` and `cats_calibration_error`, where there are confidences; and
    `speed`, in words a second. Scores of what is annotated nowhere are None.
    """
    started = time.perf_counter()
    annotate(nlp, examples, title, batch_size=batch_size)
    seconds = time.perf_counter() - started
    scores = Scorer(nlp).score(examples)
    if not any(each.reference.cats for each in examples):  # spaCy says 0
        of_none = {name: None for name in scores if name.startswith("cats_")}
        scores.update(of_none)
    scores.update(_left_out(examples, scores))
    scores.update(_of_confidences(nlp, examples, layer))
    n_words = sum(len(each.predicted) for each in examples)
    return {**scores, SPEED: n_words / seconds}


def _without_nan(value: Any) -> Any:
    """The same with None for what is no number, which JSON lacks."""
    if isinstance(value, Mapping):
        return {key: _without_nan(each) for key, each in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _left_out(
    examples: Sequence[Example], scores: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Scores of entities and relations that a component sets and does not score."""
    found = {what for each in examples for what in annotated_kinds(each.predicted)}
    added: dict[str, Any] = {}
    if "entities" in found and "ents_f" not in scores:
        added |= score_entities_looked_for(examples)
    if "relations" in found and "rel_f" not in scores:
        added |= score_relations(examples)
    return added


def _of_confidences(
    nlp: Language, examples: Sequence[Example], layer: str
) -> Iterator[tuple[str, float]]:
    relations = report_relations(examples, 0)
    for name, calibration in (
        ("ents", calibrate_examples(examples)),
        (f"spans_{layer}", calibrate_examples(examples, layer) if layer else None),
        ("rel", relations and relations.calibration),
    ):
        if calibration:
            yield f"{name}_calibration_error", calibration.ece
    classifiers = classifiers_of(nlp)
    for name, categories in report_classifiers(examples, 0, classifiers).items():
        of = f"_{name}" if len(classifiers) > 1 else ""
        yield f"cats_acc{of}", categories.accuracy
        yield f"cats_calibration_error{of}", categories.calibration.ece


def evaluation_tables(scores: Mapping[str, Any]) -> Iterator[Table]:
    """All scores as tables: P, R and F1, single ones, those of each type."""
    left = {name: value for name, value in scores.items() if name != SPEED}
    rows = []
    for prefix in [name[:-2] for name in left if name.endswith("_f")]:
        names = [f"{prefix}_{part}" for part in PARTS]
        if all(name in left for name in names):
            rows.append((prefix, *(percent(left.pop(name)) for name in names)))
    yield Table(("", "P", "R", "F1"), "lrrr", rows)
    single = [(k, percent(v)) for k, v in left.items() if isinstance(v, float)]
    yield Table(("score", "%"), "lr", single)
    for name, values in left.items():
        if isinstance(values, Mapping) and values:
            yield _of_types(name.removesuffix(PER_TYPE), values)


def _of_types(name: str, values: Mapping[str, Any]) -> Table:
    """A row for each type: P, R and F1, or a number."""
    if all(isinstance(each, Mapping) for each in values.values()):
        rows = [
            (label, *(percent(each.get(part)) for part in PARTS))
            for label, each in values.items()
        ]
        return Table((name, "P", "R", "F1"), "lrrr", rows)
    rows = [(label, percent(value)) for label, value in values.items()]
    return Table((name, "%"), "lr", rows)
