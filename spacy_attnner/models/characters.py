"""`spacy-attnner.CharacterCNN.v1`."""

from collections.abc import Callable
from functools import partial

import numpy
from spacy.attrs import ORTH
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import ArgsKwargs, Model
from thinc.types import Floats2d

from ..layers.characters import CharacterCNN, character_ids
from .bridge import array_output, ints_to_torch, torch_layer
from .lists import unflatten


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
        convert_inputs=partial(_inputs, max_length=max_length),
        convert_outputs=array_output,
        dims={"nO": width},
    )
    return unflatten(layer)


def _inputs(
    model: Model, docs: list[Doc], is_train: bool, *, max_length: int
) -> tuple[ArgsKwargs, Callable]:
    """The characters of the documents' distinct words, and the word of each token."""
    orths = numpy.concatenate(
        [numpy.zeros(0, dtype="uint64"), *(doc.to_array(ORTH) for doc in docs)]
    ).astype("uint64")
    distinct, words = numpy.unique(orths, return_inverse=True)
    strings = [docs[0].vocab.strings[orth] for orth in distinct.tolist()]
    characters = character_ids(strings, max_length)
    args = (ints_to_torch(model, characters), ints_to_torch(model, words))
    return ArgsKwargs(args=args, kwargs={}), lambda d_inputs: []
