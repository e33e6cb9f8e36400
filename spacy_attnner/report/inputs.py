"""The pipeline and the documents of a report, or what is wrong with them."""

import zlib
from pathlib import Path

import spacy
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.training import Example

from ..project.errors import ProjectError
from ..project.sentences import make_corpus


def check_data(data: Path) -> None:
    """Raises ProjectError if there is no `.spacy` file to read."""
    way_out = (
        f"Convert it: python -m spacy attn convert {data} {data.with_suffix('.spacy')}"
    )
    if not data.exists():
        raise ProjectError(
            f"{data} does not exist", "Give a .spacy file of annotated documents."
        )
    if data.is_dir() and not any(data.rglob("*.spacy")):
        raise ProjectError(f"the folder {data} holds no .spacy file", "Give one.")
    if data.is_file() and data.suffix != ".spacy":
        raise ProjectError(f"{data} is not a .spacy file", way_out)


def use_gpu(gpu_id: int) -> None:
    """Raises ProjectError if there is no such GPU."""
    try:
        setup_gpu(gpu_id)
    except (ValueError, RuntimeError) as error:
        raise ProjectError(
            f"GPU {gpu_id} cannot be used: {error}", "Leave out --gpu-id for the CPU."
        ) from error


def load_pipeline(model: str) -> Language:
    """Raises ProjectError if there is no such pipeline, or it does not load."""
    if not (Path(model).is_dir() or spacy.util.is_package(model)):
        raise ProjectError(
            f"the pipeline {model!r} is neither a folder nor an installed package",
            "Give the folder of a trained pipeline, such as training/ner/model-best.",
        )
    try:
        return spacy.load(model)
    except (OSError, ValueError, ImportError) as error:
        raise ProjectError(
            f"the pipeline {model!r} does not load: {error}",
            "Train it again, or install what it was trained with.",
        ) from error


def read_examples(
    nlp: Language, data: Path, *, gold_preproc: bool = False, gold_sents: bool = False
) -> list[Example]:
    """Read annotated documents, with their sentence starts, or their sentences.

    Raises ProjectError if there is none, or none has its entities annotated.
    """
    corpus = make_corpus(data, gold_preproc=gold_preproc, gold_sents=gold_sents)
    try:
        examples = list(corpus(nlp))
    except (OSError, ValueError, KeyError, TypeError, zlib.error) as error:
        raise ProjectError(
            f"{data} cannot be read: {error}", "Make it again; it may be cut short."
        ) from error
    if not examples:
        raise ProjectError(
            f"{data} holds no document", "Give a file of annotated documents."
        )
    references = [example.reference for example in examples]
    if not any(doc.has_annotation("ENT_IOB") for doc in references):
        raise ProjectError(
            f"no entities are annotated in the {len(references):,} documents of {data}",
            "Annotate entities; in JSONL, a document without any has the key "
            '"entities" with an empty list.',
        )
    return examples
