"""`spacy-attnner.CharacterCNN.v1`."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy
from spacy.attrs import ORTH
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import ArgsKwargs, Model
from thinc.types import Floats2d

from ..layers.characters import CharacterCNN, character_ids
from .bridge import array_output, ints_to_torch, torch_layer
from .lists import unflatten

CACHE_SIZE = 200_000  # words whose characters are remembered


@registry.architectures("spacy-attnner.CharacterCNN.v1")
def build_character_cnn(
    width: int = 60,
    embed_width: int = 30,
    kernel_size: int = 3,
    max_length: int = 24,
) -> Model[list[Doc], list[Floats2d]]:
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
        convert_inputs=_CharacterInputs(max_length),
        convert_outputs=array_output,
        dims={"nO": width},
    )
    return unflatten(layer)


class _CharacterInputs:
    """Turns documents into the characters of their distinct words."""

    def __init__(self, max_length: int) -> None:
        self.max_length = max_length
        self.cache: dict[int, list[int]] = {}

    def __call__(
        self, model: Model, docs: list[Doc], is_train: bool
    ) -> tuple[ArgsKwargs, Callable]:
        orths = numpy.concatenate(
            [numpy.zeros(0, dtype="uint64"), *(doc.to_array(ORTH) for doc in docs)]
        ).astype("uint64")
        distinct, words = numpy.unique(orths, return_inverse=True)
        strings = docs[0].vocab.strings if docs else None
        rows = [self._ids(int(orth), strings) for orth in distinct]
        characters = numpy.zeros(
            (len(rows), max(map(len, rows), default=1) or 1), dtype="int64"
        )
        for i, row in enumerate(rows):
            characters[i, : len(row)] = row
        args = (ints_to_torch(model, characters), ints_to_torch(model, words))
        return ArgsKwargs(args=args, kwargs={}), lambda d_inputs: []

    def _ids(self, orth: int, strings: Any) -> list[int]:
        ids = self.cache.get(orth)
        if ids is None:
            ids = character_ids(strings[orth], self.max_length)
            if len(self.cache) >= CACHE_SIZE:
                self.cache.clear()
            self.cache[orth] = ids
        return ids
