"""`spacy-attnner.InnerProductPairs.v1`: the plain form of entity-pair attention."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy
from spacy.util import registry
from thinc.api import Model
from thinc.types import Floats2d

from ..layers.inner_product import InnerProductPairs
from ..layers.layout import upload
from ..layers.pair_logits import candidate_logits
from .batch import Batch
from .bridge import apply_function, device_of_array
from .candidate_pairs import Candidates
from .entity_pairs import of_known_width, pair_model
from .output_size import UNFITTED
from .rows import Parts, Tok2Vec, flatten


@registry.architectures("spacy-attnner.InnerProductPairs.v1")
def build_inner_product_pairs(
    tok2vec: Tok2Vec,
    hidden: int = 128,
    type_width: int = 32,
    width: int | None = None,
    nO: int | None = None,
) -> Model[list[Candidates], list[Floats2d]]:
    """Entity-pair attention in its plain form: a(e_i, e_j) = e_iᵀ W_l e_j for label l,
    softmax over the candidates e_i of e_j, of which "no relation" is one.

    The component compares the softmax with its threshold. At most one candidate of an
    entity can have more than half of it, so each entity is the tail of at most one
    relation of a label; `EntityPairAttention.v1` has no such limit.

    tok2vec: Any layer from documents to token vectors.
    hidden: Width of e.
    type_width: Width of the embedding of entity types; 0 for none.
    width: Width of the token vectors, where the tok2vec does not know its own; if
        neither does, they are projected to `hidden`.
    nO: Number of relation labels; found from the data if None.

    Returns one array per document, the log odds of each pair, (n_pairs, n_labels).
    """
    tok2vec, width = of_known_width(tok2vec, width, hidden)
    make_module = partial(
        InnerProductPairs,
        width=width,
        hidden=hidden,
        type_width=type_width,
    )
    products = pair_model(tok2vec, make_module, hidden, context=0, max_context=1, nO=nO)
    return Model(
        "inner_product_pairs",
        _forward,
        init=_init,
        layers=[products],
        refs={name: products.get_ref(name) for name in products.ref_names},
        attrs=dict(UNFITTED),
    )


def _init(model: Model, X: list[Candidates] | None = None, Y: Any = None) -> None:
    model.attrs.update(UNFITTED)
    model.layers[0].initialize(X=X)


def _forward(
    model: Model, batch: list[Candidates], is_train: bool
) -> tuple[list[Floats2d], Callable]:
    scores, bp_products = model.layers[0](batch, is_train)
    counts = [len(c) for c in batch]
    flat = flatten(model, scores)
    docs: Any = getattr(scores, "batch", None)
    device = device_of_array(flat)
    (groups,) = (docs and docs.there(device, _groups)) or upload(device, _tails(batch))
    n_spans = sum(len(c.spans) for c in batch)
    function = partial(candidate_logits, groups=groups, n_groups=n_spans)
    logits, bp_function = apply_function(model, function, flat, is_train)

    def backprop(dYs: list[Floats2d]) -> Any:
        return bp_products(Parts(bp_function(flatten(model, dYs)), counts))

    return Parts(logits, counts), backprop


def _groups(docs: Batch) -> list[numpy.ndarray]:
    return [] if docs.pairs is None else [docs.pairs.arrays[1][:, 1]]


def _tails(batch: list[Candidates]) -> numpy.ndarray:
    """The tail of each pair, numbered over the batch, (n_pairs,)."""
    tails, n_spans = [], 0
    for c in batch:
        tails.append(c.pairs[:, 1] + n_spans)
        n_spans += len(c.spans)
    return numpy.concatenate(tails)
