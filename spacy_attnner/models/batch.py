"""A batch of documents and how it is made up, found once, on the host."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy
import torch
from spacy.attrs import IS_SPACE, LOWER, ORTH, SENT_START, SHAPE, SPACY
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Model, torch2xp
from torch import Tensor

from ..layers.layout import upload

COLUMNS = (ORTH, LOWER, SHAPE, IS_SPACE, SENT_START)  # what nearly every model reads
Find = Callable[..., Sequence[numpy.ndarray]]
# By the id of a model, what its batches were asked for on a device: (device, find,
# *settings). Threads may add to it at once.
_asked: dict[int, dict[tuple[Any, ...], None]] = {}


class Batch(list[Doc]):
    """Documents, and what models ask of them.

    Whitespace tokens are no words: doubled spaces and line breaks say nothing, and a
    model that has never met them would take them for something. Layers of this package
    are given the rows of words alone.
    """

    pairs: Any = None  # a `PairBatch`, where pairs of spans are scored
    _model: int | None = None

    def __init__(self, docs: Iterable[Doc] = ()) -> None:
        super().__init__(docs)
        self._here: dict[tuple[Any, ...], Sequence[numpy.ndarray]] = {}
        self._there: dict[tuple[Any, ...], list[Tensor]] = {}

    @classmethod
    def of(cls, docs: Iterable[Doc], model: Model | None = None) -> "Batch":
        """The batch that documents are already, or a new one.

        model: What predicts of them; the outermost one counts.
        """
        batch = docs if isinstance(docs, cls) else cls(docs)
        if batch._model is None and model is not None:
            batch._model = model.id
        return batch

    def here(self, find: Find, *settings: Any) -> Any:
        """What a function finds of the batch, found once."""
        key = (find, *settings)
        found = self._here.get(key)
        if found is None:
            found = self._here[key] = find(self, *settings)
        return found

    def there(
        self, device: torch.device, find: Find, *settings: Any
    ) -> list[Tensor] | None:
        """What a function finds of the batch, on a device; None on the CPU.

        What earlier batches of the same model were asked for is copied together with
        what this one is asked for first, so that from the second batch on there is one
        copy.

        find: A function of some module, from the batch and settings to integers of the
            host; it is asked of batches that have no use for it, too.
        settings: Plain values, which are remembered with it.
        """
        if device.type == "cpu":
            return None
        key = (device, find, *settings)
        if key not in self._there:
            asked = {} if self._model is None else _asked.setdefault(self._model, {})
            asked[key] = None
            self._copy(
                device,
                [k for k in list(asked) if k[0] == device and k not in self._there],
            )
        return self._there[key]

    def _copy(self, device: torch.device, keys: list[tuple[Any, ...]]) -> None:
        found = [self.here(*key[1:]) for key in keys]
        tensors = iter(upload(device, *(array for each in found for array in each)))
        for key, arrays in zip(keys, found, strict=True):
            self._there[key] = [next(tensors) for _ in arrays]

    def arrays(self, xp: Any, find: Find, *settings: Any) -> Sequence[Any]:
        """`there` as arrays of CuPy's, or what is found as arrays of NumPy's."""
        if xp is numpy:
            return self.here(find, *settings)
        device = torch.device("cuda", torch.cuda.current_device())
        return [torch2xp(x) for x in self.there(device, find, *settings) or ()]

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

    # not kept: words hold their batch, and documents in a circle stay until Python's
    # collector comes by, hundreds of megabytes of them
    @property
    def tokens(self) -> "Words":
        """What every token is as a word by itself."""
        return Words(self)

    @property
    def distinct(self) -> tuple["Words", numpy.ndarray]:
        """The distinct words of the batch, and which of them each token is."""
        first, own = self._distinct
        return Words(self, first), own

    @cached_property
    def _distinct(self) -> tuple[numpy.ndarray, numpy.ndarray]:
        return _number(self.column(ORTH))


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

    def there(
        self, device: torch.device, find: Find, *settings: Any
    ) -> list[Tensor] | None:
        """What a function finds of words on a device, as `Batch.there`."""
        every = self._rows is None
        return self._batch.there(device, _of_words, every, find, *settings)

    def arrays(self, xp: Any, find: Find, *settings: Any) -> Sequence[Any]:
        """What a function finds of words as arrays of NumPy's or CuPy's."""
        if xp is numpy:
            return find(self, *settings)
        every = self._rows is None
        return self._batch.arrays(xp, _of_words, every, find, *settings)

    def distinct(self) -> tuple["Words", numpy.ndarray | None]:
        """Each word once, and which one each is; None where they are that already."""
        return self._batch.distinct if self._rows is None else (self, None)

    def strings(self) -> list[str]:
        """The words as texts."""
        strings = self.vocab.strings if len(self) else {}
        return [strings[orth] for orth in self.column(ORTH).tolist()]


def _of_words(batch: Batch, every: bool, find: Find, *settings: Any) -> Any:
    return find(batch.tokens if every else batch.distinct[0], *settings)


def places_of_words(batch: Batch) -> list[numpy.ndarray]:
    """`Batch.words`, for a device."""
    return [] if batch.words is None else [batch.words]


def own_of_tokens(batch: Batch) -> list[numpy.ndarray]:
    """Which of the distinct words each token is, (n_tokens,)."""
    return [batch.distinct[1]]


def own_of_words(batch: Batch) -> list[numpy.ndarray]:
    """Which of the distinct words each word is, (n_words,)."""
    own = batch.distinct[1]
    return [own if batch.words is None else own[batch.words]]


def _joined(arrays: list[Any], nothing: tuple[int, ...]) -> numpy.ndarray:
    """Arrays of the documents one after the other; (0, …) where there are none."""
    if len(arrays) == 1:
        return arrays[0]
    return numpy.concatenate([numpy.zeros(nothing, dtype="uint64"), *arrays])
