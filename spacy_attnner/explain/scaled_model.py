"""A copy of a component's model in which the vectors of single tokens can be scaled.

All that is asked of a model here is p(s), what it says where the vector x_i of each
token that enters an encoder is s_i · x_i, and its gradient: s_i = 0 takes a token away.
The vectors are those of words by themselves; of a pretrained encoder, the embeddings of
its word pieces, before their places are added.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy
import torch
from spacy.tokens import Doc
from thinc.api import Model, set_dropout_rate, xp2torch
from thinc.types import Floats2d

from ..models.batch import Batch
from ..models.bridge import AttnShim, device_of, from_torch, no_backprop
from ..models.chains import given_documents
from ..models.entity_embed import is_of_entities
from ..models.onnx_encoder import OnnxEncoder
from ..models.rows import Parts, flatten
from ..models.word_layers import is_of_words
from ..pipeline.upstream import gives_no_arrays, is_listener


@dataclass
class Given:
    """What the layers of a scaled model are given, and what they find.

    scales: Of the tokens of a batch, (n_tokens,), float32.
    gradient: Of what is asked with respect to them, the same shape.
    words: The tokens that are no whitespace, among them; None if all.
    """

    scales: numpy.ndarray
    gradient: numpy.ndarray
    words: numpy.ndarray | None


class ScaledModel:
    """A model's copy, without dropout, of which nothing is trained.

    model: The component's.
    upstream: Finds the model that a listener listens to; None where it has none that a
        gradient could go through.
    contextual: Whether the vectors that are scaled know their context already, because
        another package's encoder makes them: then a token's share is smeared.
    """

    def __init__(
        self, model: Model, upstream: Callable[[Any], Model | None] = lambda _: None
    ) -> None:
        self.contextual = False
        nothing = numpy.zeros(0, dtype="float32")
        self._given = Given(nothing, nothing, None)
        self._upstream = upstream
        self._shared: dict[int, Model] = {}
        self.model = self._copy(model)

    @property
    def has_gradients(self) -> bool:
        """Whether the scales have; an encoder that ONNX Runtime runs has none."""
        models = [self.model, *self._shared.values()]
        return not any(isinstance(each, OnnxEncoder) for each in modules_of(*models))

    def predict(self, docs: list[Doc], inputs: Any, scales: numpy.ndarray) -> Any:
        """The output of the model for documents with scaled tokens.

        inputs: What the model is given for them.
        scales: Of the tokens of all of them, one after the other, (n_tokens,).
        """
        self._give(docs, scales)
        return self.model.predict(inputs)

    def gradient(
        self,
        docs: list[Doc],
        inputs: Any,
        scales: numpy.ndarray,
        ask: Callable[[Any], tuple[Any, Any]],
    ) -> tuple[Any, numpy.ndarray]:
        """As `predict`, and the gradient with respect to the scales, (n_tokens,).

        ask: Gives of the output what is returned first, and the output's gradient.
        """
        self._give(docs, scales)
        Y, backprop = self.model(inputs, True)
        answer, dY = ask(Y)
        backprop(dY)
        return answer, self._given.gradient

    def attention_gradient(
        self, doc: Doc, inputs: Any, ask: Callable[[Any], tuple[Any, Any]]
    ) -> tuple[Any, numpy.ndarray]:
        """As `gradient`, with respect to factors of what is attended to each token.

        That is Σ_h a_h · ∂p/∂a_h over the heads of all attention that pools words, of
        one document, (n_tokens,). Raises ValueError where there is none.
        """
        self._give([doc], numpy.ones(len(doc)))
        pools = attending(self.model)
        if not pools:
            raise ValueError("the model has no attention that pools words")
        words, found = self._given.words, numpy.zeros(len(doc), dtype="float32")
        places = numpy.arange(len(doc)) if words is None else words
        device = next(pools[0].parameters()).device
        factors = torch.ones(len(places), device=device, requires_grad=True)
        try:
            for pool in pools:
                pool.factors = factors
            Y, backprop = self.model(inputs, True)
            answer, dY = ask(Y)
            backprop(dY)
        finally:
            for pool in pools:
                pool.factors = None
        if factors.grad is not None:
            found[places] = factors.grad.cpu().numpy()
        return answer, found

    def _give(self, docs: list[Doc], scales: numpy.ndarray) -> None:
        self._given.scales = scales.astype("float32")
        self._given.gradient = numpy.zeros_like(self._given.scales)
        self._given.words = Batch.of(docs).words

    def _copy(self, model: Model) -> Model:
        """A copy whose layers, from the documents on, scale."""
        copied = model.copy()
        layers = dict(zip(map(id, model.walk()), copied.walk(), strict=True))
        for layer in model.walk():
            own = layers[id(layer)]
            for name in layer.ref_names:  # which Thinc's copies lack
                if (ref := layer.maybe_get_ref(name)) is not None:
                    own.set_ref(name, layers[id(ref)])
            for shim in own.shims:
                shim._model.requires_grad_(False)
        set_dropout_rate(copied, 0.0)
        root = model.maybe_get_ref("tok2vec") if "tok2vec" in model.ref_names else model
        self._visit(model if root is None else root, layers)
        return copied

    def _visit(self, model: Model, layers: dict[int, Model]) -> None:
        """Make a tok2vec's copy scale.

        layers: Copies, by the id of what they are a copy of.
        """
        own = layers[id(model)]
        inner = given_documents(model)
        refs = {name: model.maybe_get_ref(name) for name in model.ref_names}
        if is_listener(model) or (inner and gives_no_arrays(inner[0])):
            self._listen(model, own)
        elif refs.get("embed") is not None:  # spaCy's encoders
            self._scale(layers[id(refs["embed"])])
        elif model.name == "transformer_encoder":
            own.layers[0]._func = partial(_forward_pieces, given=self._given)
        elif is_of_words(model) or (inner is None and not is_of_entities(model)):
            self._scale(own)
        else:
            for layer in inner or []:
                self._visit(layer, layers)

    def _scale(self, own: Model) -> None:
        own._func = partial(_forward_vectors, given=self._given, of=own._func)

    def _listen(self, listener: Model, own: Model) -> None:
        model = self._upstream(listener)
        if model is None:
            self.contextual = True
            read = partial(_forward_read, listener=listener)
            own._func = partial(_forward_vectors, given=self._given, of=read)
            return
        if id(model) not in self._shared:
            self._shared[id(model)] = self._copy(model)
        own._func = partial(_forward_shared, shared=self._shared[id(model)])


def _forward_read(
    model: Model, docs: list[Doc], is_train: bool, *, listener: Model
) -> tuple[list[Floats2d], Callable]:
    """What a listener finds on the documents."""
    return listener.predict(docs), no_backprop


def modules_of(*models: Model) -> Iterator[Any]:
    """All PyTorch modules of models."""
    for model in models:
        for layer in model.walk():
            for shim in layer.shims:
                yield from shim._model.modules()


def attending(model: Model) -> list[Any]:
    """Modules of a model that pool words by attention, with `factors`."""
    return [each for each in modules_of(model) if getattr(each, "reads_words", False)]


def _forward_shared(
    model: Model, docs: list[Doc], is_train: bool, *, shared: Model
) -> tuple[list[Floats2d], Callable]:
    return shared(docs, is_train)


def _forward_vectors(
    model: Model, docs: list[Doc], is_train: bool, *, given: Given, of: Callable
) -> tuple[list[Floats2d], Callable]:
    """What a layer predicts of tokens, scaled, (n_tokens, width) by document."""
    Ys, _ = of(model, docs, False)
    lengths = [len(Y) for Y in Ys]
    if lengths != [len(doc) for doc in docs]:
        raise ValueError(
            f"the layer {model.name!r} gives no vectors of tokens, so that none can be "
            "left out: models that read a tok2vec can be explained"
        )
    Y: Any = flatten(model, Ys)
    scales: Any = model.ops.asarray(cast(Any, given.scales))

    def backprop(dYs: list[Floats2d]) -> list[Doc]:
        dY: Any = flatten(model, dYs)
        found = (dY * Y).sum(1)
        given.gradient += model.ops.to_numpy(found)
        return []

    return Parts(Y * scales[:, None], lengths), backprop if is_train else no_backprop


def _forward_pieces(
    model: Model, pieces: Any, is_train: bool, *, given: Given
) -> tuple[Floats2d, Callable]:
    """Vectors of words, (n_words, width), of scaled embeddings of their pieces."""
    shim = cast(AttnShim, model.shims[0])
    shim._model.eval()
    words = slice(None) if given.words is None else given.words
    scales = torch.from_numpy(given.scales[words]).to(device_of(model))
    scales.requires_grad_(is_train)
    with torch.set_grad_enabled(is_train):
        Y = shim._run(lambda module: module.scaled(pieces, scales))

    def backprop(dY: Floats2d) -> list[Any]:
        gradient = xp2torch(dY, device=device_of(model))
        (found,) = torch.autograd.grad(Y, scales, gradient)
        given.gradient[words] += found.cpu().numpy()
        return []

    return from_torch(model, Y), backprop if is_train else no_backprop
