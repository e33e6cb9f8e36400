"""From a pipeline and a `.spacy` file to a report and its files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.pipeline.textcat import TextCategorizer
from spacy.pipeline.textcat_multilabel import MultiLabel_TextCategorizer
from spacy.tokens import Doc
from spacy.training import Example

from ..atomic import check_apart, check_file, is_same, write_text
from ..corpora.layers import check_layer, move_entities, split_layer
from ..corpora.training_data import check_choice, has_sentences, make_corpus
from ..errors import UserError, sound
from ..loading import annotate, load_pipeline, running, use_gpu
from ..relations import has_relations
from .content import Report, make_report
from .html import require_matplotlib, to_html


def report_pipeline(
    model: str,
    data: Path | str,
    *,
    json_path: Path | None = None,
    html_path: Path | None = None,
    gpu_id: int = -1,
    gold_preproc: bool = False,
    gold_sents: bool = False,
    n_errors: int = 10,
    batch_size: int | None = None,
) -> Report:
    """Let a pipeline read annotated documents, and compare what it finds.

    model: A pipeline's folder, or the name of an installed one.
    data: A `.spacy` file, or a folder of them. Of KEY=FILE, the entities are taken for
        spans of the group KEY.
    json_path, html_path: Files to write the report to.
    gpu_id: GPU, or -1 for the CPU.
    gold_preproc: Use the gold tokens, and predict sentence by sentence.
    gold_sents: Predict whole documents that have their gold sentence starts.
    n_errors: How many of the most frequent mistakes are listed, and how many examples
        of each kind are shown.
    batch_size: Documents a batch; the pipeline's own if None.

    Raises UserError if one of them cannot be used; no file is written then.
    """
    sentences = {"gold_preproc": gold_preproc, "gold_sents": gold_sents}
    check_choice(**sentences)
    path, layer = split_layer(data)
    check_reports({"documents": path, "pipeline": model}, json_path, html_path)
    check_data(path)
    use_gpu(gpu_id)
    nlp = load_pipeline(model)
    check_layer(nlp, data, layer)
    examples = read_annotated(nlp, path, layer=layer, **sentences)
    unit = _unit(examples, path, **sentences)
    with running(model):
        annotate(nlp, examples, path.name, batch_size=batch_size)
    _check_predictions(nlp, model, examples, layer)
    report = make_report(
        examples,
        model=model,
        data=str(data),
        unit=unit,
        n_errors=n_errors,
        classifiers=classifiers_of(nlp),
        layer=layer,
    )
    files = {}
    if json_path is not None:
        content = json.dumps(report.to_dict(), indent=2, ensure_ascii=False)
        files[json_path] = content + "\n"
    if html_path is not None:
        files[html_path] = to_html(report)
    for path, text in files.items():
        write_text(path, text)
    return report


def check_reports(
    inputs: Mapping[str, Path | str], json_path: Path | None, html_path: Path | None
) -> None:
    """Raises UserError if a report cannot be written to these files.

    inputs: What is read, which no file may replace, by what it holds.
    """
    for option, path in (("--json", json_path), ("--html", html_path)):
        if path is not None:
            check_file(path, f"{option} {path / 'report'}.{option[2:]}")
            check_apart(path, inputs)
    if json_path is not None and html_path and is_same(json_path, html_path):
        raise UserError(
            f"--json and --html are both {json_path}", "Name two different files."
        )
    if html_path is not None:
        require_matplotlib()


def check_data(data: Path) -> None:
    """Raises UserError if there is no `.spacy` file to read."""
    way_out = (
        f"Convert it: python -m spacy attn convert {data} {data.with_suffix('.spacy')}"
    )
    if not data.exists():
        raise UserError(
            f"{data} does not exist", "Give a .spacy file of annotated documents."
        )
    if data.is_dir() and not any(data.rglob("*.spacy")):
        raise UserError(f"the folder {data} holds no .spacy file", "Give one.")
    if data.is_file() and data.suffix != ".spacy":
        raise UserError(f"{data} is not a .spacy file", way_out)


def read_annotated(
    nlp: Language, data: Path, *, layer: str = "", **sentences: bool
) -> list[Example]:
    """As `read_examples`, of documents that have something to compare with.

    Raises UserError also if nothing is annotated.
    """
    examples = read_examples(nlp, data, layer=layer, **sentences)
    if not any(annotated_kinds(each.reference, layer) for each in examples):
        raise UserError(
            "no entities, relations or categories are annotated in the "
            f"{len(examples):,} documents of {data}",
            "Annotate some; in JSONL, a document without entities has the key "
            '"entities" with an empty list.',
        )
    return examples


def read_examples(
    nlp: Language,
    data: Path,
    *,
    layer: str = "",
    gold_preproc: bool = False,
    gold_sents: bool = False,
) -> list[Example]:
    """Read documents, with their sentence starts, or their sentences.

    layer: The span group that their entities belong into, if that is not `doc.ents`.

    Raises UserError if there is none.
    """
    corpus = make_corpus(data, gold_preproc=gold_preproc, gold_sents=gold_sents)
    with sound(f"{data} cannot be read", "Make it again; it may be cut short."):
        examples = list(corpus(nlp))
    if not examples:
        raise UserError(
            f"{data} holds no document", "Give a file of annotated documents."
        )
    for example in examples if layer else ():
        move_entities(example, layer)
    return examples


def annotated_kinds(doc: Doc, layer: str = "") -> set[str]:
    """What is annotated in a document, or found.

    layer: The span group that entities are in, if that is not `doc.ents`.
    """
    found = {
        "entities": layer in doc.spans if layer else doc.has_annotation("ENT_IOB"),
        "relations": has_relations(doc),
        "categories": bool(doc.cats),
    }
    return {what for what, is_there in found.items() if is_there}


def classifiers_of(nlp: Language) -> dict[str, dict[str, Any]]:
    """What `report_categories` is told of each of a pipeline's classifiers: whether its
    categories exclude each other, its threshold, or that of each category, its labels
    and those of the others.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, pipe in nlp.pipeline:
        ours: Any = pipe
        if isinstance(pipe, MultiLabel_TextCategorizer):
            has_own = ours.cfg.get("thresholds")
            least = ours.least_of_labels() if has_own else ours.cfg["threshold"]
            found[name] = {"exclusive": False, "threshold": least}
        elif isinstance(pipe, TextCategorizer):
            found[name] = {"exclusive": True}
        else:
            continue
        found[name]["labels"] = ours.labels
    labels = {name: set(each["labels"]) for name, each in found.items()}
    for name, each in found.items():
        each["others"] = set().union(*labels.values()) - labels[name]
    return found


def _unit(
    examples: list[Example], data: Path, *, gold_preproc: bool, gold_sents: bool
) -> str:
    if not (gold_preproc or gold_sents) or not has_sentences(examples, data):
        return "documents"
    return "sentences" if gold_preproc else "documents with sentence starts"


def _check_predictions(
    nlp: Language, model: str, examples: list[Example], layer: str
) -> None:
    """Raises UserError where nothing of what is annotated was found.

    Components that set entities say of every token whether it is in one.
    """
    annotated: set[str] = set()
    found: set[str] = set()
    for each in examples:
        annotated |= annotated_kinds(each.reference, layer)
        found |= annotated_kinds(each.predicted, layer)
    if annotated & found:
        return
    names = ", ".join(nlp.pipe_names) or "none"
    raise UserError(
        f"the pipeline {model!r} sets no {' and no '.join(sorted(annotated))}; its "
        f"components: {names}",
        "Give a pipeline with a component for them, such as attn_ner for entities.",
    )
