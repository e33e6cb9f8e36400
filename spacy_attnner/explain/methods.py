"""How much each token counts for a probability: four ways of finding it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy
from spacy.tokens import Doc

from ..models.entity_pairs import pair_attention, reads_words
from .scaled_model import ScaledModel, attending
from .targets import CategoryTarget, RelationTarget, Target

AT_ONCE = 16_384  # tokens of all copies of a document that are computed together
STEPS = 32  # of an integral
LEAST = 0.01  # difference of probabilities that an error is a share of
ROUNDS = 2  # of finding out where they should be


@dataclass
class Question:
    """Why a target has its probability in a document.

    doc: With what the target's component reads of it.
    target: What is asked about.
    model: Of the target's component.
    steps: Of the integral.
    """

    doc: Doc
    target: Target
    model: ScaledModel
    steps: int = STEPS

    @cached_property
    def probability(self) -> float:
        """Of the document as it is."""
        return float(self.probabilities(numpy.ones((1, len(self.doc))))[0])

    @cached_property
    def without(self) -> float:
        """Of the document with all tokens taken away."""
        return float(self.probabilities(numpy.zeros((1, len(self.doc))))[0])

    def probabilities(self, scales: numpy.ndarray) -> numpy.ndarray:
        """Of copies with scaled tokens, (n,); scales: (n, n_tokens)."""
        found = []
        for part in self._parts(scales):
            docs, inputs = self._given(len(part))
            Y = self.model.predict(docs, inputs, part.ravel())
            found.append(self.target.answer(self.model.model, docs, Y)[0])
        return numpy.concatenate(found)

    def gradients(self, scales: numpy.ndarray) -> numpy.ndarray:
        """Of each copy's probability with respect to its scales, (n, n_tokens)."""
        found = []
        for part in self._parts(scales):
            docs, inputs = self._given(len(part))
            _, gradient = self.model.gradient(
                docs, inputs, part.ravel(), self._ask(docs)
            )
            found.append(gradient.reshape(part.shape))
        return numpy.concatenate(found)

    def attention_gradient(self) -> numpy.ndarray:
        """With respect to factors of what is attended to each token, (n_tokens,)."""
        docs, inputs = self._given(1)
        return self.model.attention_gradient(self.doc, inputs, self._ask(docs))[1]

    def _given(self, n: int) -> tuple[list[Doc], Any]:
        return [self.doc] * n, self.target.inputs(self.doc, n)

    def _ask(self, docs: list[Doc]) -> Callable[[Any], tuple[Any, Any]]:
        return lambda Y: self.target.answer(self.model.model, docs, Y)

    @property
    def at_once(self) -> int:
        """How many copies of the document are computed together."""
        return max(1, AT_ONCE // max(1, len(self.doc)))

    def _parts(self, scales: numpy.ndarray) -> list[numpy.ndarray]:
        n = self.at_once
        return [scales[i : i + n] for i in range(0, len(scales), n)]


@dataclass(frozen=True)
class Weights:
    """How much each token counts.

    values: Shape (n_tokens,).
    error: Of integrated gradients, what their sum lacks of the difference between the
        document and one without tokens, as a share of it, or of 0.01 if it is less.
    """

    values: numpy.ndarray
    error: float | None = None


def integrated_gradients(question: Question) -> Weights:
    """∫ ∂p/∂s_i (t, …, t) dt from 0 to 1: what each token adds to the probability.

    Sundararajan, Taly and Yan (2017), "Axiomatic Attribution for Deep Networks", with
    token vectors of zeros as the baseline. The steps are short where p changes much,
    which it does all at once in a deep encoder. The weights add up to p minus that of a
    document without tokens.
    """
    edges = _edges(question, max(1, question.steps // 2))
    points, shares = numpy.polynomial.legendre.leggauss(2)
    half = numpy.diff(edges)[:, None] / 2
    points = (edges[:-1, None] + half * (points + 1)).ravel()
    gradients = question.gradients(_all_tokens(question, points))
    values = ((half * shares).reshape(-1, 1) * gradients).sum(0)
    difference = question.probability - question.without
    missing = abs(float(values.sum()) - difference)
    return Weights(values, missing / max(abs(difference), LEAST))


def _edges(question: Question, n: int) -> numpy.ndarray:
    """Ends of n parts of the way from 0 to 1; p changes about as much in each."""
    points = numpy.linspace(0.0, 1.0, n + 1)
    if n == 1:  # nothing between that could be moved
        return points
    p = question.probabilities(_all_tokens(question, points))
    for _ in range(ROUNDS):
        edges = _quantiles(points, p, n)
        points = numpy.concatenate([points, edges[1:-1]])
        found = question.probabilities(_all_tokens(question, edges[1:-1]))
        order = numpy.argsort(points, kind="stable")
        points, p = points[order], numpy.concatenate([p, found])[order]
    return _quantiles(points, p, n)


def _quantiles(points: numpy.ndarray, p: numpy.ndarray, n: int) -> numpy.ndarray:
    """Ends of n parts that have the same share of the way and of p's changes."""
    changes = numpy.abs(numpy.diff(p))
    changes = changes / max(changes.sum(), 1e-12) + numpy.diff(points)
    passed = numpy.concatenate([[0.0], changes.cumsum()])
    edges = numpy.interp(numpy.linspace(0.0, passed[-1], n + 1), passed, points)
    edges[[0, -1]] = 0.0, 1.0
    return edges


def _all_tokens(question: Question, scales: numpy.ndarray) -> numpy.ndarray:
    """The same scale for all tokens of a copy, (n, n_tokens)."""
    return numpy.repeat(scales[:, None], len(question.doc), axis=1)


def leave_one_out(question: Question) -> Weights:
    """p minus that of the document with the token's vector taken away."""
    n, found = len(question.doc), []
    for first in range(0, n, question.at_once):  # all at once are n² scales
        left_out = numpy.arange(first, min(n, first + question.at_once))
        scales = numpy.ones((len(left_out), n))
        scales[numpy.arange(len(left_out)), left_out] = 0.0
        found.append(question.probabilities(scales))
    return Weights(question.probability - numpy.concatenate(found))


def attention_weights(question: Question) -> Weights:
    """Attention weights, a mean over the heads; they add up to 1."""
    _require_attention(question)
    doc, target = question.doc, question.target
    if isinstance(target, RelationTarget):
        pair = (target.relation.head, target.relation.tail)
        (weights,) = pair_attention(target.pipe.model, doc, [pair])
        return Weights(weights.mean(0))
    weights = target.pipe.attention(doc)  # (n_heads, n_tokens)
    by_label = target.pipe.model.attrs["attention"] == "labels"
    if by_label and isinstance(target, CategoryTarget):
        return Weights(weights[target.pipe.labels.index(target.label)])
    return Weights(weights.mean(0))


def attention_gradient(question: Question) -> Weights:
    """Σ_h a_h · ∂p/∂a_h: attention weights times how the probability follows them."""
    _require_attention(question)
    return Weights(question.attention_gradient())


METHODS: dict[str, Callable[[Question], Weights]] = {
    "integrated_gradients": integrated_gradients,
    "leave_one_out": leave_one_out,
    "attention_gradient": attention_gradient,
    "attention": attention_weights,
}
DEFAULT = "integrated_gradients"
OF_ATTENTION = ("attention", "attention_gradient")
OF_GRADIENTS = ("integrated_gradients", "attention_gradient")


def methods_of(question: Question) -> list[str]:
    """The methods that can answer a question."""
    has_attention = _has_attention(question)
    has_gradients = question.model.has_gradients
    return [
        method
        for method in METHODS
        if (has_attention or method not in OF_ATTENTION)
        and (has_gradients or method not in OF_GRADIENTS)
    ]


def _has_attention(question: Question) -> bool:
    target = question.target
    if isinstance(target, RelationTarget):
        return reads_words(target.pipe.model)
    return isinstance(target, CategoryTarget) and bool(attending(target.pipe.model))


def _require_attention(question: Question) -> None:
    if not _has_attention(question):
        pipe = question.target.pipe
        raise ValueError(
            f"the model of {pipe.name!r} has no attention that pools words: use one of "
            f"{', '.join(m for m in METHODS if m not in OF_ATTENTION)}"
        )
