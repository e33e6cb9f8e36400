"""`spacy-attnner.AttentionTextClassifier.v1`: attention pooling and an output layer."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import (
    ArgsKwargs,
    Linear,
    Model,
    Softmax,
    get_width,
    glorot_uniform_init,
    zero_init,
)
from thinc.types import Floats2d
from torch import Tensor

from ..layers.label_attention import LabelAttention
from ..layers.pooling import (
    DocumentPooling,
    Segments,
    pooled_width,
    pooling_arrays,
    segment_arrays,
)
from ..layers.sequence_encoder import at_once
from .batch import Batch
from .bridge import (
    array_output,
    device_of,
    floats_to_torch,
    from_torch,
    predict_with,
    torch_layer,
)
from .chains import chain_of_words, vectors_of_words
from .output_size import UNFITTED, grow_output
from .rows import Parts, Tok2Vec, flatten, of_tokens, rowwise, words_and_structure

POOLING, LABELS = "per_document", "labels"
WIDTH = 128  # of pooled vectors, where the tok2vec learns its own late


@registry.architectures("spacy-attnner.AttentionTextClassifier.v1")
def build_attention_text_classifier(
    tok2vec: Tok2Vec,
    exclusive_classes: bool,
    width: int | None = None,
    n_heads: int = 4,
    hidden: int = 64,
    nO: int | None = None,
    attention: Literal["additive", "self", "labels", "hierarchical"] = "additive",
    maximum: bool = True,
    mean: bool = False,
) -> Model[list[Doc], Floats2d]:
    """Token vectors pooled by attention, and an output layer.

    tok2vec: Any layer from documents to token vectors.
    exclusive_classes: Softmax if true, else one sigmoid per category.
    width: Width of the pooled vectors; if None the tok2vec's own, or 128 where that is
        not known.
    n_heads: Attention heads.
    hidden: Width of the scoring layer of additive attention.
    nO: Number of categories; found from the data if None.
    attention: "additive", a tanh layer scores the words (Lin et al. 2017); "self",
        scaled dot-product attention of words to words (Vaswani et al. 2017);
        "labels", each category has a query of its own (Mullenbach et al. 2018), and
        maximum and mean are left out; "hierarchical", words to sentences and
        sentences to the document, for long texts (Yang et al. 2016).
    maximum, mean: Whether to add the maximum and the mean of the token vectors.

    Returns probabilities, shape (n_docs, n_categories).
    """
    tok2vec_width = tok2vec.maybe_get_dim("nO")
    layers: list[Model] = [tok2vec]
    width = width or tok2vec_width or WIDTH
    if width != tok2vec_width:
        layers.append(rowwise(Linear(nO=width, nI=tok2vec_width)))
    output: Model
    if attention == "labels":
        output = _label_attention(width, nO)
        layers.append(output)
        if exclusive_classes:
            layers.append(Model("softmax", _forward_softmax))
    else:
        pooled = pooled_width(width, n_heads, attention, highest=maximum, mean=mean)
        layers.append(_pooling(width, n_heads, hidden, attention, maximum, mean))
        if exclusive_classes:
            output = Softmax(nO=nO, nI=pooled, init_W=zero_init)
        else:
            output = Linear(nO=nO, nI=pooled, init_W=zero_init)
        layers.append(output)
    if not exclusive_classes:
        layers.append(_sigmoid())
    model = chain_of_words(*layers)
    model.set_ref("tok2vec", model.layers[0])
    model.set_ref("output_layer", output)
    model.attrs["resize_output"] = grow_output  # as spaCy's categorizers ask for
    model.attrs["multi_label"] = not exclusive_classes
    model.attrs["attention"] = attention
    model.attrs.update(UNFITTED)
    model.init = partial(_init_classifier, model.init)
    return model


def _init_classifier(
    init: Callable, model: Model, X: Any = None, Y: Any = None
) -> None:
    """Initialize all layers, and take back what a calibration has set."""
    model.attrs.update(UNFITTED)
    init(model, X=X, Y=Y)


def calibrated(model: Model, Y: Any, temperature: float | None = None) -> Any:
    """Probabilities at a model's temperature and, of several labels, its offset.

    Y: What the model predicts, (n_docs, n_labels).
    temperature: Instead of the model's, and without offset, if it is not None.
    """
    attrs = UNFITTED | model.attrs  # which spaCy's models lack
    offset = attrs["log_odds_offset"] if temperature is None else 0.0
    t = attrs["temperature"] if temperature is None else temperature
    if t == 1.0 and offset == 0.0:
        return Y
    ops: Any = model.ops
    Y = Y.clip(1e-12, 1.0)
    if attrs["multi_label"]:
        return ops.sigmoid(ops.xp.log(Y / (1 - Y).clip(1e-12, 1.0)) / t + offset)
    return ops.softmax(ops.xp.log(Y) / t)


def _pooling(
    width: int, n_heads: int, hidden: int, attention: str, maximum: bool, mean: bool
) -> Model[list[Floats2d], Floats2d]:
    module = partial(
        DocumentPooling,
        width=width,
        n_heads=n_heads,
        hidden=hidden,
        attention=attention,
        highest=maximum,
        mean=mean,
    )
    pooled = pooled_width(width, n_heads, attention, highest=maximum, mean=mean)
    layer = torch_layer(
        "attention_pooling",
        module,
        convert_inputs=words_and_structure,
        convert_outputs=array_output,
        dims={"nI": width, "nO": pooled},
    )
    return Model(POOLING, _forward, init=_init, layers=[layer])


def _label_attention(width: int, nO: int | None) -> Model[list[Floats2d], Floats2d]:
    """Scores of labels, (n_docs, n_labels), of words, (n_words, width) by document."""
    layer = torch_layer(
        "label_attention",
        partial(LabelAttention, width=width),
        convert_inputs=_of_labels,
        convert_outputs=array_output,
        dims={"nI": width},
    )
    return Model(
        LABELS,
        _forward_labels,
        init=_init_labels,
        layers=[layer],
        params={"W": None, "b": None},
        dims={"nO": nO, "nI": width},
    )


def _init_labels(model: Model, X: Any = None, Y: Any = None) -> None:
    if Y is not None and model.has_dim("nO") is None:
        model.set_dim("nO", get_width(Y))
    n_labels, width = model.get_dim("nO"), model.get_dim("nI")
    model.set_param("W", glorot_uniform_init(model.ops, (n_labels, width)))
    model.set_param("b", model.ops.alloc1f(n_labels))
    model.layers[0].initialize()


def _forward_labels(
    model: Model, Xs: list[Floats2d], is_train: bool
) -> tuple[Floats2d, Callable]:
    lengths = numpy.array([len(X) for X in Xs])
    layer, W = model.layers[0], model.get_param("W")
    there = None if is_train else _there(layer, Xs, _segments)
    b: Any = model.get_param("b")
    X = flatten(model, Xs, model.get_dim("nI"))
    if not len(X):
        nothing: Any = model.ops.alloc2f(len(Xs), len(b))
        return nothing + b, lambda dY: Xs
    Y, bp = layer((X, W, b, lengths, there), is_train)

    def backprop(dY: Any) -> list[Floats2d]:
        dX, dW, db = bp(dY)
        model.inc_grad("W", dW)
        model.inc_grad("b", db)
        return Parts(dX, lengths)

    return Y, backprop


def _of_labels(
    model: Model, inputs: tuple[Any, ...], is_train: bool
) -> tuple[ArgsKwargs, Callable]:
    """`convert_inputs` of words, the vectors and biases of labels, and lengths."""
    *arrays, lengths, there = inputs

    def backprop(d_inputs: ArgsKwargs) -> list[Any]:
        return [from_torch(model, d_inputs.args[i]) for i in range(len(arrays))]

    tensors = (floats_to_torch(model, each, is_train) for each in arrays)
    return ArgsKwargs(args=(*tensors, lengths, there), kwargs={}), backprop


def text_attention(model: Model, doc: Doc) -> numpy.ndarray:
    """How much a document's tokens are attended to, shape (n_heads, n_tokens).

    Each head's weights add up to 1, and are 0 at whitespace. With attention "labels",
    the labels are the heads.
    """
    batch = Batch([doc])
    tok2vec, *layers = model.layers
    (X,), _ = vectors_of_words(tok2vec, batch, False)
    for layer in layers:
        if layer.name in (POOLING, LABELS):
            break
        (X,) = layer.predict([X])
    inner = layer.layers[0]
    tokens = floats_to_torch(inner, X, False)
    sentences = batch.sentence_lengths
    segments = Segments(tokens.device, batch.document_lengths, sentences)
    if layer.name == LABELS:
        W = floats_to_torch(inner, layer.get_param("W"), False)
        weights = predict_with(inner, lambda m: m.weights(tokens, W, segments))
    else:
        weights = predict_with(inner, lambda m: m.pool.weights(tokens, segments))
    Y: Any = of_tokens(model, from_torch(inner, weights), batch).T
    # single precision adds up the softmax of a long text to a little more than 1
    whole = Y.sum(1, dtype="float64", keepdims=True)
    return (Y / (whole + (whole == 0.0))).astype("float32")


def _forward_softmax(
    model: Model, X: Floats2d, is_train: bool
) -> tuple[Floats2d, Callable]:
    """Probabilities; the gradient that comes back is that of the logits."""
    return model.ops.softmax(X), lambda d_logits: d_logits


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


def _init(model: Model, X: Any = None, Y: Any = None) -> None:
    model.layers[0].initialize()


def _forward(
    model: Model, Xs: list[Floats2d], is_train: bool
) -> tuple[Floats2d, Callable]:
    """Pool a list with one array per document to one array for the batch."""
    lengths = numpy.array([len(X) for X in Xs])
    layer = model.layers[0]
    X = flatten(model, Xs, layer.maybe_get_dim("nI"))
    if not len(X):  # nothing that a gradient could come to
        return model.ops.alloc2f(len(Xs), layer.get_dim("nO")), lambda dY: Xs
    batch = getattr(Xs, "batch", None)
    sentences = None if batch is None else batch.sentence_lengths
    there = None
    if not is_train and (device := device_of(layer)).type != "cpu":
        settings = layer.shims[0]._model.attention, at_once(device)
        there = _there(layer, Xs, _pooled, *settings)
    Y, bp = layer((X, lengths, sentences, there), is_train)

    def backprop(dY: Any) -> list[Floats2d]:
        return Parts(bp(dY), lengths)

    return Y, backprop


def _there(layer: Model, Xs: list[Floats2d], *asked: Any) -> list[Tensor] | None:
    """What a function finds of words' documents, on the device of a layer."""
    batch = getattr(Xs, "batch", None)
    return None if batch is None else batch.there(device_of(layer), *asked)


def _segments(batch: Batch) -> list[numpy.ndarray]:
    return segment_arrays(batch.document_lengths)


def _pooled(batch: Batch, *settings: Any) -> list[numpy.ndarray]:
    lengths = batch.document_lengths, batch.sentence_lengths
    return pooling_arrays(*lengths, *settings)
