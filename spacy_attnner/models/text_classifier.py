"""`spacy-attnner.AttentionTextClassifier.v1`: attention pooling and an output layer."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import Linear, Model, Softmax, zero_init
from thinc.types import Floats2d

from ..layers.pooling import DocumentPooling, Segments
from .batch import Batch
from .bridge import (
    array_output,
    floats_to_torch,
    from_torch,
    predict_with,
    torch_layer,
)
from .output_size import grow_output
from .rows import (
    Parts,
    Tok2Vec,
    chain_of_words,
    flatten,
    of_tokens,
    rowwise,
    vectors_of_words,
    words_and_structure,
)

POOLING = "per_document"
WIDTH = 128  # of pooled vectors, where the tok2vec learns its own late


@registry.architectures("spacy-attnner.AttentionTextClassifier.v1")
def build_attention_text_classifier(
    tok2vec: Tok2Vec,
    exclusive_classes: bool,
    width: int | None = None,
    n_heads: int = 4,
    hidden: int = 64,
    nO: int | None = None,
) -> Model[list[Doc], Floats2d]:
    """Multi-head attention pooling (Lin et al., 2017) beside max pooling.

    tok2vec: Any layer from documents to token vectors.
    exclusive_classes: Softmax if true, else one sigmoid per category.
    width: Width of the pooled vectors; if None the tok2vec's own, or 128 where that is
        not known.
    n_heads: Attention heads.
    hidden: Width of the attention's scoring layer.
    nO: Number of categories; found from the data if None.

    Returns probabilities, shape (n_docs, n_categories).
    """
    tok2vec_width = tok2vec.maybe_get_dim("nO")
    layers: list[Model] = [tok2vec]
    width = width or tok2vec_width or WIDTH
    if width != tok2vec_width:
        layers.append(rowwise(Linear(nO=width, nI=tok2vec_width)))
    pooled = (n_heads + 1) * width
    pooling = torch_layer(
        "attention_pooling",
        partial(DocumentPooling, width=width, n_heads=n_heads, hidden=hidden),
        convert_inputs=words_and_structure,
        convert_outputs=array_output,
        dims={"nI": width, "nO": pooled},
    )
    output: Model
    if exclusive_classes:
        output = Softmax(nO=nO, nI=pooled, init_W=zero_init)
        layers += [_per_document(pooling), output]
    else:
        output = Linear(nO=nO, nI=pooled, init_W=zero_init)
        layers += [_per_document(pooling), output, _sigmoid()]
    model = chain_of_words(*layers)
    model.set_ref("tok2vec", tok2vec)
    model.set_ref("output_layer", output)
    model.attrs["resize_output"] = grow_output  # as spaCy's categorizers ask for
    model.attrs["multi_label"] = not exclusive_classes
    return model


def text_attention(model: Model, doc: Doc) -> numpy.ndarray:
    """How much a document's tokens are attended to, shape (n_heads, n_tokens).

    Each head's weights add up to 1, and are 0 at whitespace.
    """
    batch = Batch([doc])
    tok2vec, *layers = model.layers
    (X,), _ = vectors_of_words(tok2vec, batch, False)
    for layer in layers:
        if layer.name == POOLING:
            break
        (X,) = layer.predict([X])
    pooling = layer.layers[0]
    tokens = floats_to_torch(pooling, X, False)
    segments = Segments(tokens.device, numpy.array([len(X)]))
    weights = predict_with(pooling, lambda m: m.pool.weights(tokens, segments))
    return of_tokens(model, from_torch(pooling, weights), batch).T


def _sigmoid() -> Model[Floats2d, Floats2d]:
    """Probabilities; the gradient that comes back is that of the logits.

    Thinc's `Logistic` multiplies it by the sigmoid's derivative, which belongs to a
    squared error; scores minus truths is the gradient of the cross-entropy.
    """

    return Model("sigmoid", _forward_sigmoid)


def _forward_sigmoid(
    model: Model, X: Floats2d, is_train: bool
) -> tuple[Floats2d, Callable]:
    return model.ops.sigmoid(X), lambda d_logits: d_logits


def _per_document(layer: Model) -> Model[list[Floats2d], Floats2d]:
    """Pool a list with one array per document to one array for the batch."""
    return Model(POOLING, _forward, init=_init, layers=[layer])


def _init(model: Model, X: Any = None, Y: Any = None) -> None:
    model.layers[0].initialize()


def _forward(
    model: Model, Xs: list[Floats2d], is_train: bool
) -> tuple[Floats2d, Callable]:
    lengths = numpy.array([len(X) for X in Xs])
    layer = model.layers[0]
    X = flatten(model, Xs, layer.maybe_get_dim("nI"))
    if not len(X):  # nothing that a gradient could come to
        return model.ops.alloc2f(len(Xs), layer.get_dim("nO")), lambda dY: Xs
    Y, bp = layer((X, lengths), is_train)

    def backprop(dY: Any) -> list[Floats2d]:
        return Parts(bp(dY), lengths)

    return Y, backprop
