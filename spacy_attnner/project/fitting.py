"""A stored pipeline that something is fitted to: loaded, searched, written anew."""

from pathlib import Path
from typing import TypeVar

from spacy.language import Language
from spacy.pipeline import TrainablePipe

from ..atomic import check_apart, check_pipeline, is_same, replacing_pipeline
from ..errors import UserError
from ..pipelines import load_pipeline, require_pipeline, use_gpu

Pipe = TypeVar("Pipe", bound=TrainablePipe)


def check_paths(model: str, data: Path, output: Path) -> None:
    """Raises UserError where something is missing, or in the way of the output."""
    check_pipeline(output)  # first: it puts back what a killed run set aside
    require_pipeline(model)
    if not data.exists():
        raise UserError(
            f"{data} is missing", "Give a .spacy file of annotated documents."
        )
    check_apart(output, {"documents": data})
    if not is_same(output, Path(model)):
        check_apart(output, {"pipeline": model})


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
    place or, for the moment between two renames, in a hidden folder beside it, from
    where the next run puts it back.
    """
    with replacing_pipeline(output) as folder:
        nlp.to_disk(folder)
