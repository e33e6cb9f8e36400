"""Calibrate a stored pipeline's `attn_ner` on a `.spacy` file."""

import os
from pathlib import Path

import spacy
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Corpus, Example
from tqdm import tqdm

from ..calibration import Calibration
from ..pipeline.ner import AttnNER
from .atomic import begin_beside, partial_of, remove
from .errors import ProjectError


def calibrate_pipeline(
    model: str,
    data: Path,
    output: Path,
    *,
    component: str | None = None,
    sentences: bool = False,
    margin: float,
    gpu_id: int = -1,
    progress: bool = True,
) -> Calibration:
    """Load a pipeline, calibrate it and write it to `output`, complete or not at all.

    model: A pipeline's folder or the name of an installed one.
    component: Name of the `attn_ner` component, needed if there are several.
    sentences: Predict gold sentences one by one instead of whole documents.

    Raises ProjectError where something is missing or cannot be calibrated.
    """
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
    examples, groups = read_examples(nlp, data, sentences)
    annotate_before(nlp, name, examples, progress)
    try:
        result = pipe.calibrate(
            examples, groups=groups, margin=margin, progress=progress
        )
    except ValueError as error:
        raise ProjectError(
            f"{name!r} cannot be calibrated on {data}",
            str(error)[:1].upper() + str(error)[1:] + ".",
        ) from error
    write_pipeline(nlp, output)
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


def read_examples(
    nlp: Language, data: Path, sentences: bool
) -> tuple[list[Example], list[int]]:
    """Examples of a `.spacy` file, and the number of each one's document.

    Raises ProjectError where the file cannot be read or holds no documents.
    """
    try:
        docs = list(DocBin().from_disk(data).get_docs(nlp.vocab))
    except Exception as error:  # zlib, msgpack and the file system have their own
        raise ProjectError(
            f"{data} cannot be read: {error}",
            "Give a .spacy file, as `spacy convert` or `spacy attn convert` write it.",
        ) from error
    corpus = Corpus(data)
    make = corpus.make_examples_gold_preproc if sentences else corpus.make_examples
    examples, groups = [], []
    for number, doc in enumerate(docs):
        if len(doc):
            for example in make(nlp, [doc]):
                examples.append(example)
                groups.append(number)
    if not examples:
        raise ProjectError(
            f"{data} holds no documents with tokens",
            "Give annotated documents that the pipeline was not trained on.",
        )
    return examples, groups


def annotate_before(
    nlp: Language, name: str, examples: list[Example], progress: bool
) -> None:
    """Run the components that come before `name` over the predicted documents."""
    at = nlp.pipe_names.index(name)
    if not at:
        return
    docs = nlp.pipe(
        [example.predicted for example in examples], disable=nlp.pipe_names[at:]
    )
    disable = None if progress else True  # None: unless stderr is no terminal
    bar = tqdm(docs, total=len(examples), unit=" docs", disable=disable)
    for example, doc in zip(examples, bar, strict=True):
        example.predicted = doc


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
