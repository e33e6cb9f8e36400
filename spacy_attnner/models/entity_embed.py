"""`spacy-attnner.EntityEmbed.v1`: where entities stand, as features of the words."""

from collections.abc import Callable
from typing import Any

import numpy
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import HashEmbed, Model
from thinc.types import Floats2d

from .batch import Batch
from .rows import Parts, Tok2Vec, flatten

BEGINS, GOES_ON = 1, 2


@registry.architectures("spacy-attnner.EntityEmbed.v1")
def build_entity_embed(
    width: int = 16, rows: int = 500, types: bool = True, spans_key: str = ""
) -> Tok2Vec:
    """Embed whether an entity begins with a word, goes on with it, or neither.

    With it an encoder knows what stands between two entities, as it does by the
    position indicators of Zhang and Wang (2015), "Relation Classification via Recurrent
    Neural Network". The entities have to be there before the model runs.

    width, rows: Of the hash embedding.
    types: Let the vectors differ with the entity's label.
    spans_key: Span group to take the entities from; `doc.ents` if empty.
    """
    embed = Model(
        "entity_embed",
        _forward,
        init=_init,
        layers=[HashEmbed(width, rows, seed=13)],
        dims={"nO": width},
        attrs={"types": types, "spans_key": spans_key},
    )
    # a node of its own, as in the models that are stored
    name = f"unflatten({embed.name})"
    return Model(name, _forward_parts, init=_init, layers=[embed], dims={"nO": width})


def is_of_entities(layer: Model) -> bool:
    """Whether a layer embeds entities, and sees no words."""
    return layer._func is _forward_parts


def _init(model: Model, X: Any = None, Y: Any = None) -> None:
    model.layers[0].initialize()


def _forward_parts(
    model: Tok2Vec, docs: list[Doc], is_train: bool
) -> tuple[list[Floats2d], Callable]:
    Y, bp_embed = model.layers[0](docs, is_train)

    def backprop(dYs: list[Floats2d]) -> list[Doc]:
        return bp_embed(flatten(model, dYs)) if dYs else []

    return Parts(Y, [len(doc) for doc in docs]), backprop


def _forward(
    model: Model[list[Doc], Floats2d], docs: list[Doc], is_train: bool
) -> tuple[Floats2d, Callable]:
    batch = Batch.of(docs, None if is_train else model)
    settings = model.attrs["types"], model.attrs["spans_key"]
    (ids,) = batch.arrays(model.ops.xp, _ids, *settings)
    Y, bp_embed = model.layers[0](ids.view("uint64"), is_train)

    def backprop(dY: Floats2d) -> list[Doc]:
        bp_embed(dY)
        return []

    return Y, backprop


def _ids(batch: Batch, types: bool, key: str) -> list[numpy.ndarray]:
    ids = [numpy.zeros(0, dtype="uint64")]
    for doc in batch:
        spans = doc.spans.get(key, []) if key else doc.ents
        ids.append(_entity_ids(len(doc), spans, types))
    return [numpy.concatenate(ids)]


def _entity_ids(n_tokens: int, spans: Any, types: bool) -> numpy.ndarray:
    """What each word is to the entities, (n_tokens,), 0 outside of them.

    Of spans that overlap, the last one counts.
    """
    ids = numpy.zeros(n_tokens, dtype="uint64")
    for span in spans:
        label = span.label & ~3 if types else 0  # room for what follows
        ids[span.start : span.end] = label | GOES_ON
        ids[span.start : span.start + 1] = label | BEGINS
    return ids
