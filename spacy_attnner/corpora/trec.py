"""TREC question classification: `COARSE:fine text`, ISO-8859-1, one question a line."""

from collections.abc import Collection, Iterator
from pathlib import Path

from spacy.tokens import Doc
from spacy.vocab import Vocab

from .cats import exclusive_cats
from .errors import CorpusError, check_label, require_documents
from .lines import read_labelled_lines

ENCODING = "iso-8859-1"


def read_trec(
    path: str | Path,
    vocab: Vocab,
    *,
    fine: bool = False,
    labels: Collection[str] | None = None,
) -> Iterator[Doc]:
    """Read a TREC file: every category in `doc.cats`, the question's own at 1.0.

    vocab: The vocabulary of the documents.
    fine: Use the fine labels, e.g. "DESC:manner", instead of the coarse "DESC".
    labels: The categories. None takes those of the file, so give them where a file may
        lack some that the training data has.

    Raises CorpusError if a line or the file is malformed.
    """
    if labels is None:
        labels = {label for _, label, _ in _read_questions(path, fine)}
    return require_documents(path, _make_docs(path, vocab, fine, labels))


def _make_docs(
    path: str | Path, vocab: Vocab, fine: bool, labels: Collection[str]
) -> Iterator[Doc]:
    for number, label, words in _read_questions(path, fine):
        try:
            check_label(label, labels)
        except ValueError as error:
            raise CorpusError(path, number, str(error)) from error
        doc = Doc(vocab, words=words)
        doc.cats = exclusive_cats(label, labels)
        yield doc


def _read_questions(
    path: str | Path, fine: bool
) -> Iterator[tuple[int, str, list[str]]]:
    for number, label, words in read_labelled_lines(path, ENCODING):
        coarse, _, detail = label.partition(":")
        if not coarse or not detail:
            raise CorpusError(
                path, number, f"label {label!r} has no two levels; write `COARSE:fine`"
            )
        yield number, label if fine else coarse, words
