"""A batch of documents and how it is made up, found once, on the host."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy
from spacy.attrs import IS_SPACE, LOWER, ORTH, SENT_START, SHAPE, SPACY
from spacy.tokens import Doc
from spacy.vocab import Vocab

COLUMNS = (ORTH, LOWER, SHAPE, IS_SPACE, SENT_START)  # what nearly every model reads
EMBEDDED = (LOWER, SHAPE)  # which go to a device together


class Batch(list[Doc]):
    """Documents, and what models ask of them.

    Whitespace tokens are no words: doubled spaces and line breaks say nothing, and a
    model that has never met them would take them for something. Layers of this package
    are given the rows of words alone.
    """

    _words_there: Any = None

    @classmethod
    def of(cls, docs: Iterable[Doc]) -> "Batch":
        """The batch that documents are already, or a new one."""
        return docs if isinstance(docs, cls) else cls(docs)

    @cached_property
    def lengths(self) -> list[int]:
        """Tokens of each document."""
        return [len(doc) for doc in self]

    @cached_property
    def _columns(self) -> dict[int, numpy.ndarray]:
        tables = [doc.to_array(list(COLUMNS)) for doc in self]
        table = _joined(tables, (0, len(COLUMNS)))
        return dict(zip(COLUMNS, table.T, strict=True))

    def column(self, attr: int) -> numpy.ndarray:
        """An attribute of all tokens, (n_tokens,), uint64."""
        if attr not in self._columns:
            self._columns[attr] = _joined([doc.to_array(attr) for doc in self], (0,))
        return self._columns[attr]

    @cached_property
    def words(self) -> numpy.ndarray | None:
        """Places of words among the tokens, (n_words,); None where all are words."""
        spaces = self.column(IS_SPACE)
        return numpy.flatnonzero(spaces == 0) if spaces.any() else None

    def words_of(self, xp: Any) -> Any:
        """`words` as an array of NumPy's or CuPy's, copied to a device once."""
        if xp is numpy or self.words is None:
            return self.words
        if self._words_there is None:
            self._words_there = xp.asarray(self.words)
        return self._words_there

    @cached_property
    def document_lengths(self) -> numpy.ndarray:
        """Words of each document, (n_documents,), int64."""
        if self.words is None:
            return numpy.array(self.lengths, dtype="int64")
        return numpy.bincount(self._documents[self.words], minlength=len(self))

    def after_space(self, first: bool) -> numpy.ndarray:
        """Whether each token stands behind whitespace, (n_tokens,), bool.

        first: What is said of the first token of a document.
        """
        space = (self.column(SPACY) == 1) | (self.column(IS_SPACE) == 1)
        after = numpy.ones(len(space), dtype=bool)
        after[1:] = space[:-1]
        lengths = numpy.array(self.lengths, dtype="int64")
        after[(lengths.cumsum() - lengths)[lengths > 0]] = first
        return after

    @cached_property
    def _documents(self) -> numpy.ndarray:
        """The document of each token, (n_tokens,)."""
        return numpy.arange(len(self)).repeat(self.lengths)

    @cached_property
    def _sentences(self) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Words of each sentence that has some, and the document that it is of."""
        if not sum(self.lengths):
            return numpy.zeros(0, dtype="int64"), numpy.zeros(0, dtype="int64")
        starts = self.column(SENT_START) == 1
        if not starts.any():
            filled = numpy.flatnonzero(self.document_lengths)
            return self.document_lengths[filled], filled
        documents = self._documents
        starts[1:] |= documents[1:] != documents[:-1]
        starts[0] = True
        sentences = starts.cumsum() - 1  # of each token
        owners = documents[starts]
        if self.words is not None:
            sentences = sentences[self.words]
        counts = numpy.bincount(sentences, minlength=len(owners))
        return counts[counts > 0], owners[counts > 0]

    @property
    def sentence_lengths(self) -> numpy.ndarray:
        """Words of each sentence of all documents, (n_sentences,), int64.

        A document without sentence starts is one sentence, one without words has none.
        """
        return self._sentences[0]

    @cached_property
    def sentence_counts(self) -> numpy.ndarray:
        """Sentences of each document, (n_documents,), int64."""
        return numpy.bincount(self._sentences[1], minlength=len(self))

    @cached_property
    def word_numbers(self) -> numpy.ndarray:
        """Which word each is by its lower-case form, (n_words,), int64.

        Numbered through all documents: no two of them share a number.
        """
        words, own = self.distinct
        _, lower = _number(words.column(LOWER))
        numbers = lower[own] if self.words is None else lower[own][self.words]
        if len(self) == 1:
            return numbers
        documents = numpy.arange(len(self)).repeat(self.document_lengths)
        return _number(numbers + documents * (len(words) + 1))[1]

    @cached_property
    def tokens(self) -> "Words":
        """What every token is as a word by itself."""
        return Words(self)

    @cached_property
    def distinct(self) -> tuple["Words", numpy.ndarray]:
        """The distinct words of the batch, and which of them each token is."""
        first, own = _number(self.column(ORTH))
        return Words(self, first), own


def _number(values: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """A place of each distinct value, and which of them each is, int64.

    As `numpy.unique`, which wants the first place of each, for which it takes twice as
    long.
    """
    order = values.argsort()
    ordered = values[order]
    is_new = numpy.ones(len(values), dtype=bool)
    is_new[1:] = ordered[1:] != ordered[:-1]
    own = numpy.empty(len(values), dtype="int64")
    own[order] = is_new.cumsum() - 1
    return order[is_new], own


class Words:
    """Words by themselves, without their context: rows of a batch's tokens.

    rows: Tokens of the batch; all of them if None.
    """

    def __init__(self, batch: Batch, rows: numpy.ndarray | None = None) -> None:
        self._batch = batch
        self._rows = rows
        self._embedded_there: Any = None

    def __len__(self) -> int:
        return sum(self._batch.lengths) if self._rows is None else len(self._rows)

    @property
    def vocab(self) -> Vocab:
        """Of the documents, of which there has to be one."""
        return self._batch[0].vocab

    def column(self, attr: int) -> numpy.ndarray:
        """An attribute of each word, (n_words,), uint64."""
        values = self._batch.column(attr)
        return values if self._rows is None else values[self._rows]

    def column_of(self, xp: Any, attr: int) -> Any:
        """`column` as an array of NumPy's or CuPy's."""
        if xp is numpy or attr not in EMBEDDED:
            return xp.asarray(self.column(attr))
        if self._embedded_there is None:
            table = numpy.stack([self.column(each) for each in EMBEDDED])
            self._embedded_there = xp.asarray(table)
        return self._embedded_there[EMBEDDED.index(attr)]

    def distinct(self) -> tuple["Words", numpy.ndarray | None]:
        """Each word once, and which one each is; None where they are that already."""
        return self._batch.distinct if self._rows is None else (self, None)

    def strings(self) -> list[str]:
        """The words as texts."""
        strings = self.vocab.strings if len(self) else {}
        return [strings[orth] for orth in self.column(ORTH).tolist()]


def _joined(arrays: list[Any], nothing: tuple[int, ...]) -> numpy.ndarray:
    """Arrays of the documents one after the other; (0, …) where there are none."""
    if len(arrays) == 1:
        return arrays[0]
    return numpy.concatenate([numpy.zeros(nothing, dtype="uint64"), *arrays])
