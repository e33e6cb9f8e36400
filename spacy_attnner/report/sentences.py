"""How commands show the gold sentences of documents to a pipeline, if at all."""

from collections.abc import Iterable
from pathlib import Path

from spacy.training import Corpus, Example

from ..corpora.gold_sentences import create_gold_sentences
from ..errors import UserError
from ..terminal import msg


def check_choice(*, gold_preproc: bool, gold_sents: bool) -> None:
    """Raises UserError for both at once."""
    if gold_preproc and gold_sents:
        raise UserError(
            "--gold-preproc and --gold-sents exclude each other",
            "--gold-sents keeps documents whole and says where their sentences begin; "
            "--gold-preproc makes a document of every sentence.",
        )


def make_corpus(data: Path, *, gold_preproc: bool, gold_sents: bool) -> Corpus:
    """A reader of whole documents, or of their sentences.

    gold_preproc: Gold tokens, and an example of every sentence.
    gold_sents: Whole documents, with the gold sentence starts set on `predicted`.
    """
    augmenter = create_gold_sentences() if gold_sents else None
    return Corpus(data, gold_preproc=gold_preproc, augmenter=augmenter)


def has_sentences(examples: Iterable[Example], data: Path) -> bool:
    """Whether sentences are annotated in any example; warns if not."""
    if any(each.reference.has_annotation("SENT_START") for each in examples):
        return True
    msg.warn(f"No sentences are annotated in {data}: it is read as whole documents")
    return False
