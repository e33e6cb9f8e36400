"""A stored pipeline that something is fitted to: loaded, searched, written anew."""

import os
from pathlib import Path
from typing import TypeVar

from spacy.language import Language
from spacy.pipeline import TrainablePipe

from ..atomic import begin_beside, partial_of, remove
from ..errors import UserError
from ..pipelines import load_pipeline, require_pipeline, use_gpu

Pipe = TypeVar("Pipe", bound=TrainablePipe)


def check_paths(model: str, data: Path, output: Path) -> None:
    """Raises UserError where something is missing, or in the way of the output."""
    require_pipeline(model)
    if not data.exists():
        raise UserError(
            f"{data} is missing", "Give a .spacy file of annotated documents."
        )
    if output.exists() and not (output / "meta.json").is_file():
        raise UserError(
            f"{output} is there and is no pipeline",
            "Give a folder that is not there yet, or a pipeline's to replace it.",
        )


def load_fitted(model: str, gpu_id: int) -> Language:
    """Load a pipeline; raises UserError if it does not load, or not there."""
    use_gpu(gpu_id, silent=True)
    return load_pipeline(model)


def find_component(
    nlp: Language, kind: type[Pipe], factory: str, name: str | None
) -> tuple[str, Pipe]:
    """The pipeline's component of a kind: the one of that name, or the only one.

    factory: What that kind is called.

    Raises UserError where there is none, or several and no name.
    """
    found: dict[str, Pipe] = {
        key: pipe for key, pipe in nlp.pipeline if isinstance(pipe, kind)
    }
    if name is not None:
        if name not in found:
            raise UserError(
                f"the pipeline has no {factory} component {name!r}",
                f"It has {sorted(found)}; all its components: {nlp.pipe_names}.",
            )
        return name, found[name]
    if not found:
        raise UserError(
            f"the pipeline has no {factory} component",
            f"Its components are {nlp.pipe_names}; only {factory} is fitted.",
        )
    if len(found) > 1:
        raise UserError(
            f"the pipeline has several {factory} components: {sorted(found)}",
            "Say which one: --component NAME. Each is fitted by itself.",
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
