"""SST-2: `label text` with 0 for a negative sentence and 1 for a positive one."""

from collections.abc import Collection, Iterator
from pathlib import Path

from spacy.tokens import Doc
from spacy.vocab import Vocab

from .cats import exclusive_cats
from .errors import CorpusError, check_label, require_documents
from .lines import read_labelled_lines

LABELS = {"0": "NEGATIVE", "1": "POSITIVE"}


def read_sst2(
    path: str | Path, vocab: Vocab, *, labels: Collection[str] | None = None
) -> Iterator[Doc]:
    """Read an SST-2 file: NEGATIVE and POSITIVE in `doc.cats`, the right one at 1.0.

    vocab: The vocabulary of the documents.
    labels: The categories allowed; None allows both.

    Raises CorpusError if a line or the file is malformed.
    """
    return require_documents(path, _make_docs(path, vocab, labels))


def _make_docs(
    path: str | Path, vocab: Vocab, labels: Collection[str] | None
) -> Iterator[Doc]:
    for number, digit, words in read_labelled_lines(path, "utf-8"):
        if digit not in LABELS:
            raise CorpusError(
                path, number, f"label {digit!r}; write 0 (negative) or 1 (positive)"
            )
        try:
            check_label(LABELS[digit], labels)
        except ValueError as error:
            raise CorpusError(path, number, str(error)) from error
        doc = Doc(vocab, words=words)
        doc.cats = exclusive_cats(LABELS[digit], LABELS.values())
        yield doc
