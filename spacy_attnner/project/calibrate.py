"""Calibrate a stored pipeline's `attn_ner` on a `.spacy` file."""

import os
from pathlib import Path

import spacy
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.training import Example
from wasabi import msg

from ..calibration import Calibration, NothingPredicted
from ..pipeline.ner import AttnNER
from .atomic import begin_beside, partial_of, remove
from .calibration_data import annotate_before, read_examples
from .errors import ProjectError
from .sentences import check_choice, has_sentences


def calibrate_pipeline(
    model: str,
    data: Path,
    output: Path,
    *,
    component: str | None = None,
    gold_preproc: bool = False,
    gold_sents: bool = False,
    margin: float,
    min_entities: int = 0,
    gpu_id: int = -1,
    progress: bool = True,
) -> Calibration | None:
    """Load a pipeline, calibrate it and write it to `output`, complete or not at all.

    model: A pipeline's folder or the name of an installed one.
    component: Name of the `attn_ner` component, needed if there are several.
    gold_preproc: Predict gold sentences one by one instead of whole documents.
    gold_sents: Predict whole documents that have their gold sentence starts.
    margin: As for `AttnNER.calibrate`.
    min_entities: With fewer predicted entities of known correctness, the pipeline is
        written as it is, with a warning.

    Returns None if there were too few. Raises ProjectError where something is missing
    or cannot be calibrated.
    """
    sentences = {"gold_preproc": gold_preproc, "gold_sents": gold_sents}
    check_choice(**sentences)
    output = output.resolve()  # of a link, the folder that it points to
    _check_paths(model, data, output)
    setup_gpu(gpu_id, silent=True)
    try:
        nlp = spacy.load(model)
    except (OSError, ValueError) as error:
        raise ProjectError(
            f"the pipeline {model!r} does not load: {error}",
            "Give a folder that `spacy train` wrote, or an installed pipeline.",
        ) from error
    name, pipe = find_component(nlp, component)
    examples, groups = read_examples(nlp, data, **sentences)
    if gold_preproc or gold_sents:
        has_sentences(examples, data)
    annotate_before(nlp, name, examples, progress)
    try:
        result = _fit(
            pipe,
            examples,
            groups,
            margin=margin,
            min_entities=min_entities,
            progress=progress,
        )
    except ValueError as error:
        raise ProjectError(
            f"{name!r} cannot be calibrated on {data}",
            str(error)[:1].upper() + str(error)[1:] + ".",
        ) from error
    if result is None:
        msg.warn(
            f"Fewer than {min_entities} entities are predicted in {data}: "
            "the confidences stay as they are"
        )
    write_pipeline(nlp, output)
    return result


def _fit(
    pipe: AttnNER,
    examples: list[Example],
    groups: list[int],
    *,
    margin: float,
    min_entities: int,
    progress: bool,
) -> Calibration | None:
    """None, and a model as it was, with fewer than `min_entities`."""
    names = ("temperature", "log_odds_offset")
    old = {name: pipe.model.attrs[name] for name in names}
    try:
        result = pipe.calibrate(
            examples, groups=groups, margin=margin, progress=progress
        )
    except NothingPredicted:
        if min_entities:
            return None
        raise
    if result.n_entities < min_entities:
        pipe.model.attrs.update(old)
        return None
    return result


def _check_paths(model: str, data: Path, output: Path) -> None:
    if not (Path(model).is_dir() or spacy.util.is_package(model)):
        raise ProjectError(
            f"there is no pipeline {model!r}",
            "Give a folder that `spacy train` wrote, or an installed pipeline.",
        )
    if not data.exists():
        raise ProjectError(
            f"{data} is missing", "Give a .spacy file with gold entities."
        )
    if output.exists() and not (output / "meta.json").is_file():
        raise ProjectError(
            f"{output} is there and is no pipeline",
            "Give a folder that is not there yet, or a pipeline's to replace it.",
        )


def find_component(nlp: Language, name: str | None) -> tuple[str, AttnNER]:
    """The pipeline's `attn_ner`: the one of that name, or the only one.

    Raises ProjectError where there is none, or several and no name.
    """
    found = {key: pipe for key, pipe in nlp.pipeline if isinstance(pipe, AttnNER)}
    if name is not None:
        if name not in found:
            raise ProjectError(
                f"the pipeline has no attn_ner component {name!r}",
                f"It has {sorted(found)}; all its components: {nlp.pipe_names}.",
            )
        return name, found[name]
    if not found:
        raise ProjectError(
            "the pipeline has no attn_ner component",
            f"Its components are {nlp.pipe_names}; only attn_ner is calibrated.",
        )
    if len(found) > 1:
        raise ProjectError(
            f"the pipeline has several attn_ner components: {sorted(found)}",
            "Say which one: --component NAME. Each is calibrated by itself.",
        )
    return next(iter(found.items()))


def write_pipeline(nlp: Language, output: Path) -> None:
    """Write a pipeline beside its place, then swap it in.

    Whenever the process is killed, the old pipeline or the new one is complete: in its
    place or, for the moment between two renames, as `FOLDER.old` beside it.
    """
    old = output.with_name(output.name + ".old")
    try:
        nlp.to_disk(begin_beside(output))
        remove(old)
        if output.exists():
            os.replace(output, old)
        os.replace(partial_of(output), output)
    except BaseException:
        if old.exists() and not output.exists():
            os.replace(old, output)
        remove(partial_of(output))
        raise
    remove(old)
