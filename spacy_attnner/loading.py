"""The pipeline and the GPU that a command names: loaded, run, or what is wrong."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import spacy
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.training import Example
from tqdm import tqdm

from .errors import UserError, sound
from .terminal import visible

AGAIN = "Train it again, or install what it was trained with."


def use_gpu(gpu_id: int, *, silent: bool = False) -> None:
    """Use a GPU, or the CPU if it is -1; raises UserError if there is no such GPU."""
    try:
        setup_gpu(gpu_id, silent=silent or None)
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"GPU {gpu_id} cannot be used: {error}", "Leave out --gpu-id for the CPU."
        ) from error


def running(model: str) -> AbstractContextManager[None]:
    """Say of an error of its components that the pipeline fails."""
    return sound(
        f"the pipeline {model!r} fails on the texts",
        "Train it again if it is damaged or was never trained; nlp = "
        f"spacy.load({model!r}) and nlp(TEXT) show where it fails.",
    )


def require_pipeline(model: str) -> None:
    """Raises UserError if there is neither such a folder nor such a package."""
    if not (Path(model).is_dir() or spacy.util.is_package(model)):
        raise UserError(
            f"the pipeline {model!r} is neither a folder nor an installed package",
            "Give the folder of a trained pipeline, such as training/joint/model-best.",
        )


def load_pipeline(model: str, way_out: str = AGAIN) -> Language:
    """Raises UserError if there is no such pipeline, or it does not load.

    way_out: What to do if it does not load.
    """
    require_pipeline(model)
    with sound(f"the pipeline {model!r} does not load", way_out):
        return spacy.load(model)


def annotate(
    nlp: Language,
    examples: Sequence[Example],
    title: str = "",
    *,
    batch_size: int | None = None,
    disable: Iterable[str] = (),
    progress: bool = True,
) -> None:
    """Have a pipeline annotate the predicted documents of examples.

    title: Of the bar that shows progress where stderr is a terminal.
    batch_size: Documents a batch; the pipeline's own if None.
    disable: Components that do not run.
    """
    predicted = (example.predicted for example in examples)
    docs = nlp.pipe(predicted, batch_size=batch_size, disable=disable)
    bar = tqdm(
        docs,
        total=len(examples),
        desc=visible(title),
        unit=" docs",
        leave=False,
        disable=None if progress else True,
    )
    for example, doc in zip(examples, bar, strict=True):
        example.predicted = doc
