"""The documents of a report, or what is wrong with them."""

from pathlib import Path

from spacy.language import Language
from spacy.training import Example

from ..corpora.training_data import make_corpus
from ..errors import UserError, sound


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


def read_examples(
    nlp: Language, data: Path, *, gold_preproc: bool = False, gold_sents: bool = False
) -> list[Example]:
    """Read annotated documents, with their sentence starts, or their sentences.

    Raises UserError if there is none, or none has its entities annotated.
    """
    corpus = make_corpus(data, gold_preproc=gold_preproc, gold_sents=gold_sents)
    with sound(f"{data} cannot be read", "Make it again; it may be cut short."):
        examples = list(corpus(nlp))
    if not examples:
        raise UserError(
            f"{data} holds no document", "Give a file of annotated documents."
        )
    references = [example.reference for example in examples]
    if not any(doc.has_annotation("ENT_IOB") for doc in references):
        raise UserError(
            f"no entities are annotated in the {len(references):,} documents of {data}",
            "Annotate entities; in JSONL, a document without any has the key "
            '"entities" with an empty list.',
        )
    return examples
