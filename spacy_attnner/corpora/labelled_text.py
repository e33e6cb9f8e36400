"""Text with a category, `label text` on a line: TREC's questions and SST-2."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from spacy.tokens import Doc
from spacy.vocab import Vocab

from .reading import Labels, Source, check_label, split_columns

TREC_ENCODING = "iso-8859-1"
SST2_LABELS = {"0": "NEGATIVE", "1": "POSITIVE"}


def read_trec(
    path: str | Path, vocab: Vocab, *, fine: bool = False, labels: Labels = None
) -> Iterator[Doc]:
    """Read a TREC file, `COARSE:fine text` in ISO-8859-1, one question a line.

    Every category is in `doc.cats`, the question's own at 1.0.

    vocab: The vocabulary of the documents.
    fine: Use the fine labels, e.g. "DESC:manner", instead of the coarse "DESC".
    labels: The categories. None takes those of the file, so give them where a file may
        lack some that the training data has.

    Raises CorpusError if a line or the file is malformed.
    """
    source = Source(path, labels)
    return source.documents(_read_trec(source, vocab, fine))


def _read_trec(source: Source, vocab: Vocab, fine: bool) -> Iterator[Doc]:
    labels = source.labels
    if labels is None:
        labels = {label for label, _ in _read_questions(source, fine)}
    yield from make_docs(vocab, _read_questions(source, fine), labels)


def _read_questions(source: Source, fine: bool) -> Iterator[tuple[str, list[str]]]:
    for label, words in _read_labelled(source, TREC_ENCODING):
        coarse, _, detail = label.partition(":")
        if not coarse or not detail:
            raise ValueError(f"label {label!r} has no two levels; write `COARSE:fine`")
        yield label if fine else coarse, words


def read_sst2(
    path: str | Path, vocab: Vocab, *, labels: Labels = None
) -> Iterator[Doc]:
    """Read an SST-2 file, `0 text` for a negative sentence and `1 text` for a positive.

    NEGATIVE and POSITIVE are in `doc.cats`, the right one at 1.0.

    vocab: The vocabulary of the documents.
    labels: The categories allowed; None allows both.

    Raises CorpusError if a line or the file is malformed.
    """
    source = Source(path, labels)
    sentences = _read_sentences(source)
    return source.documents(make_docs(vocab, sentences, SST2_LABELS.values()))


def _read_sentences(source: Source) -> Iterator[tuple[str, list[str]]]:
    for digit, words in _read_labelled(source, "utf-8"):
        if digit not in SST2_LABELS:
            raise ValueError(f"label {digit!r}; write 0 (negative) or 1 (positive)")
        check_label(SST2_LABELS[digit], source.labels)
        yield SST2_LABELS[digit], words


def _read_labelled(source: Source, encoding: str) -> Iterator[tuple[str, list[str]]]:
    """The label and the words of each line; blank lines are passed over."""
    for line in source.lines(encoding):
        label, *words = split_columns(line) or [""]
        if label and not words:
            raise ValueError(f"no text after {line!r}; write `label text`")
        if label:
            yield label, words


def make_docs(
    vocab: Vocab, texts: Iterable[tuple[str, list[str]]], labels: Collection[str]
) -> Iterator[Doc]:
    """Documents of words, with categories that exclude each other."""
    for label, words in texts:
        check_label(label, labels)
        doc = Doc(vocab, words=words)
        doc.cats = {each: float(each == label) for each in sorted(labels)}
        yield doc
