"""`spacy-attnner.CharacterCNN.v1`."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy
import torch
from spacy.attrs import ORTH
from spacy.util import registry
from thinc.api import ArgsKwargs, Model
from thinc.types import Floats2d

from ..layers.characters import CharacterCNN, character_ids
from .batch import Words
from .bridge import (
    AttnShim,
    array_output,
    from_torch,
    ints_to_torch,
    predict_with,
    torch_layer,
)
from .rows import Tok2Vec
from .word_layers import tok2vec_of_words

REMEMBERED = 2**14  # words whose vectors are kept from one prediction to the next


@registry.architectures("spacy-attnner.CharacterCNN.v1")
def build_character_cnn(
    width: int = 60,
    embed_width: int = 30,
    kernel_size: int = 3,
    max_length: int = 24,
) -> Tok2Vec:
    """Token vectors out of characters (Ma and Hovy, 2016).

    width: Width of the output.
    embed_width: Width of a character's embedding.
    kernel_size: Characters that a filter sees; odd.
    max_length: Characters read of a word; of longer ones the two ends.
    """
    if max_length < 2:
        raise ValueError(f"max_length {max_length} is less than 2 characters")
    layer = torch_layer(
        "character_cnn",
        partial(
            CharacterCNN, embed_width=embed_width, width=width, kernel_size=kernel_size
        ),
        convert_inputs=partial(_inputs, max_length=max_length),
        convert_outputs=array_output,
        dims={"nO": width},
        predict=partial(_predict, max_length=max_length),
    )
    return tok2vec_of_words(layer)


def _inputs(
    model: Model, words: Words, is_train: bool, *, max_length: int
) -> tuple[ArgsKwargs, Callable]:
    """The characters of the distinct words, and the word of each token."""
    distinct, own = words.distinct()
    characters = character_ids(distinct.strings(), max_length)
    args = ints_to_torch(model, characters, own)
    return ArgsKwargs(args=tuple(args), kwargs={}), lambda d_inputs: []


def _predict(model: Model, words: Words, *, max_length: int) -> Floats2d:
    distinct, own = words.distinct()
    notes = cast(AttnShim, model.shims[0]).notes
    memory = notes.get("words")
    if memory is None:
        tables = predict_with(model, lambda module: module.tables())
        memory = notes.setdefault("words", WordMemory(tables))
    tables = memory.tables
    if not tables.is_cpu:
        there = distinct.there(tables.device, _characters, max_length) or []
        # to be copied with the batch, they are known before what is remembered is
        Y = predict_with(model, lambda m: m.encode_there(*there, tables))
        X: Any = from_torch(model, Y)
    else:
        strings = distinct.vocab.strings if len(distinct) else {}

        def encode(orths: list[int]) -> numpy.ndarray:
            texts = [strings[orth] for orth in orths]
            return predict_with(
                model, lambda m: m.encode(texts, max_length, tables)
            ).numpy()

        X = memory.look_up(distinct.column(ORTH).tolist(), encode)
        X = model.ops.asarray(X)
    return X if own is None else X[model.ops.xp.asarray(own)]


def _characters(words: Words, max_length: int) -> list[numpy.ndarray]:
    return [character_ids(words.strings(), max_length)]


class WordMemory:
    """Vectors of words that were seen lately, as long as the weights stay the same.

    Words are told apart by the hashes of their strings, so that nothing here keeps a
    string alive. Where another thread is busy with it, it is passed over.

    tables: What words are encoded with, of the same weights.
    """

    def __init__(self, tables: torch.Tensor) -> None:
        self.tables = tables
        self._rows: dict[int, int] = {}
        self._vectors = numpy.zeros((REMEMBERED, tables.shape[-1]), dtype="float32")
        self._lock = threading.Lock()

    def look_up(
        self, orths: list[int], encode: Callable[[list[int]], numpy.ndarray]
    ) -> numpy.ndarray:
        """Vectors of distinct words, (n_words, width).

        encode: Finds the vectors of words that are not here.
        """
        if len(orths) > REMEMBERED or not self._lock.acquire(blocking=False):
            return encode(orths)
        try:
            new = [orth for orth in orths if orth not in self._rows]
            if len(self._rows) + len(new) > REMEMBERED:
                self._rows, new = {}, orths
            if new:
                first, end = len(self._rows), len(self._rows) + len(new)
                self._vectors[first:end] = encode(new)
                self._rows.update(zip(new, range(first, end), strict=True))
            rows = self._rows
            return self._vectors[[rows[orth] for orth in orths]]
        finally:
            self._lock.release()
