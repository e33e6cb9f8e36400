"""CoNLL-2003: named entities, one token a line in four columns.

    -DOCSTART- -X- O O

    Ada NNP I-NP I-PER
    slept VBD I-VP O

The last column holds the entity tag, IOB1 or IOB2. A blank line ends a sentence and a
`-DOCSTART-` line begins a document. Before the first of those, or in a file that has
none, every sentence is a document of its own.
"""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from spacy.tokens import Doc
from spacy.vocab import Vocab

from .errors import CorpusError, Repairs, check_label, require_documents
from .lines import read_lines, split_columns
from .tags import decode_iob, set_tagged_entities, split_tag

DOCSTART = "-DOCSTART-"
NO_DOCUMENTS = "sentence outside any -DOCSTART- document: made a document of its own"
Sentence = list[tuple[str, str]]  # (word, tag) of each token


def read_conll2003(
    path: str | Path,
    vocab: Vocab,
    *,
    sentences: bool = False,
    labels: Collection[str] | None = None,
    repairs: Repairs | None = None,
) -> Iterator[Doc]:
    """Read a CoNLL-2003 file, entities and sentence starts annotated.

    vocab: The vocabulary of the documents.
    sentences: Make one document of every sentence.
    labels: The entity labels allowed; None allows any.
    repairs: Counts the sentences that stand outside any document.

    Raises CorpusError if a line or the file is malformed.
    """
    repairs = Repairs() if repairs is None else repairs
    found = _read_sentences(path, labels)
    documents = _split(found) if sentences else _group(found, path, repairs)
    return require_documents(path, (_make_doc(vocab, doc) for doc in documents))


def _read_sentences(
    path: str | Path, labels: Collection[str] | None
) -> Iterator[tuple[int, Sentence]]:
    """Yield (first line, sentence), the sentence empty for a `-DOCSTART-` line."""
    sentence: Sentence = []
    first = 0
    for number, line in read_lines(path):
        columns = split_columns(line)
        starts_document = columns[:1] == [DOCSTART]
        if columns and not starts_document:
            first = first if sentence else number
            sentence.append(_parse_row(columns, labels, path, number))
            continue
        if sentence:
            yield first, sentence
            sentence = []
        if starts_document:
            yield number, []
    if sentence:
        yield first, sentence


def _parse_row(
    columns: list[str],
    labels: Collection[str] | None,
    path: str | Path,
    number: int,
) -> tuple[str, str]:
    if len(columns) != 4:
        raise CorpusError(
            path,
            number,
            f"{len(columns)} columns in {' '.join(columns)!r}; "
            "write 4: word, part of speech, chunk, entity tag",
        )
    word, tag = columns[0], columns[3]
    try:
        prefix, label = split_tag(tag)
        if prefix != "O":
            check_label(label, labels)
    except ValueError as error:
        raise CorpusError(path, number, str(error)) from error
    return word, tag


def _split(found: Iterable[tuple[int, Sentence]]) -> Iterator[list[Sentence]]:
    for _, sentence in found:
        if sentence:
            yield [sentence]


def _group(
    found: Iterable[tuple[int, Sentence]], path: str | Path, repairs: Repairs
) -> Iterator[list[Sentence]]:
    document: list[Sentence] | None = None
    for number, sentence in found:
        if not sentence:
            if document:
                yield document
            document = []
        elif document is None:
            repairs.record(NO_DOCUMENTS, path, number, f"sentence {sentence[0][0]!r} …")
            yield [sentence]
        else:
            document.append(sentence)
    if document:
        yield document


def _make_doc(vocab: Vocab, sentences: list[Sentence]) -> Doc:
    words = [word for sentence in sentences for word, _ in sentence]
    starts: list[bool | int | None] = []
    for sentence in sentences:
        starts += [i == 0 for i in range(len(sentence))]
    # without `spaces` spaCy trains on these words instead of tokenizing anew
    doc = Doc(vocab, words=words, sent_starts=starts)
    spans = []
    offset = 0
    for sentence in sentences:
        for span in decode_iob(tag for _, tag in sentence):
            start, end = span.start + offset, span.end + offset
            spans.append(span._replace(start=start, end=end))
        offset += len(sentence)
    set_tagged_entities(doc, spans)
    return doc
