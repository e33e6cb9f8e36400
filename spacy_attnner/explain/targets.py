"""What can be explained: the probability of a category, an entity or a relation.

A target says what a model is given for copies of a document, and what the model's
output means for it.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy
from spacy.tokens import Doc, Span
from thinc.api import Model

from ..confidence import confidences, get_confidence
from ..confidence.calibration import shift
from ..models.candidate_pairs import Candidates
from ..models.crf_decode import crf_entity, sequences_of
from ..models.output_size import UNFITTED
from ..models.text_classifier import calibrated
from ..relations import Relation
from ..words import words_before

Answer = tuple[numpy.ndarray, Any]  # probabilities, (n_copies,), and d_output


@dataclass(frozen=True)
class CategoryTarget:
    """A category of a text.

    pipe: The component. label: The category.
    """

    pipe: Any
    label: str

    def inputs(self, doc: Doc, n: int) -> Any:
        """What the model is given for n copies of a document."""
        return [doc] * n

    def answer(self, model: Model, docs: list[Doc], Y: Any) -> Answer:
        """Probability of each copy, and the gradient of their sum.

        As the output layers of classifiers take it: of what their softmax, or their
        sigmoids, are given.
        """
        column = self.pipe.labels.index(self.label)
        own = self.pipe.model
        Y = calibrated(own, Y)
        p = Y[:, column : column + 1]
        if own.attrs["multi_label"]:
            dY = Y * 0
            dY[:, column : column + 1] = p * (1 - p)
        else:
            dY = -Y * p
            dY[:, column : column + 1] += p
        return model.ops.to_numpy(p[:, 0]), dY / (UNFITTED | own.attrs)["temperature"]

    def held(self, doc: Doc) -> float | None:
        """The probability that a document holds, None without one."""
        return doc.cats.get(self.label)

    def described(self) -> dict[str, Any]:
        """The target as plain data."""
        return {"kind": "category", "label": self.label}


@dataclass(frozen=True)
class EntityTarget:
    """A span with a label, whether it was found or not: its marginal probability.

    pipe: The component. span: With its label.
    """

    pipe: Any
    span: Span

    def inputs(self, doc: Doc, n: int) -> Any:
        """What the model is given for n copies of a document."""
        return [doc] * n

    def answer(self, model: Model, docs: list[Doc], Y: Any) -> Answer:
        """Probability in each copy, and the gradient of their sum."""
        before = words_before(docs[0])
        start, end = int(before[self.span.start]), int(before[self.span.end])
        label = self.pipe.labels.index(self.span.label_)
        own = self.pipe.model
        return crf_entity(own, Y, (start, end, label), sequences_of(own, docs))

    def held(self, doc: Doc) -> float | None:
        """The probability that a document holds, None without one."""
        return get_confidence(self.span, self.pipe.spans_key)

    def described(self) -> dict[str, Any]:
        """The target as plain data."""
        span = self.span
        return {
            "kind": "entity",
            "label": span.label_,
            "start": span.start,
            "end": span.end,
        }


@dataclass(frozen=True)
class RelationTarget:
    """A labelled, ordered pair of spans: the probability of the relation.

    That of the label where head and tail are given, without how sure those are.

    pipe: The component. relation: With its arguments.
    """

    pipe: Any
    relation: Relation

    @cached_property
    def candidates(self) -> Candidates:
        """The pairs that the component looks at in the relation's document."""
        return self.pipe.candidates(self.relation.head.doc)

    def inputs(self, doc: Doc, n: int) -> Any:
        """What the model is given for n copies of a document."""
        return [self.candidates] * n

    def answer(self, model: Model, docs: list[Doc], Y: Any) -> Answer:
        """Probability in each copy, and the gradient of their sum.

        Raises ValueError for a pair that the component does not look at.
        """
        row = self._row
        column = self.pipe.labels.index(self.relation.label)
        logits = numpy.array([float(each[row, column]) for each in Y])
        attrs = UNFITTED | self.pipe.model.attrs
        odds = logits / attrs["temperature"] + attrs["log_odds_offset"]
        p = 1.0 / (1.0 + numpy.exp(-odds))
        dYs = [each * 0 for each in Y]
        for dY, value in zip(dYs, p.tolist(), strict=True):
            dY[row, column] = value * (1.0 - value) / attrs["temperature"]
        return p, dYs

    @cached_property
    def _row(self) -> int:
        candidates = self.candidates
        places = {(s.start, s.end, s.label_): i for i, s in enumerate(candidates.spans)}
        head, tail = (
            places.get((span.start, span.end, span.label_))
            for span in (self.relation.head, self.relation.tail)
        )
        row = None
        if head is not None and tail is not None:
            row = candidates.finder()(head, tail)
        if row is None:
            raise ValueError(
                f"{self.pipe.name!r} does not look at the pair "
                f"{self.relation.head.text!r} and {self.relation.tail.text!r}: both "
                "have to be among the spans that it reads in the document, no further "
                "apart than get_candidates allows, and of types that were joined in "
                "training where known_types_only is true"
            )
        return row

    def held(self, doc: Doc) -> float | None:
        """The probability that the relation has, but for how sure its spans are."""
        score = numpy.array([self.relation.score])
        offset = (UNFITTED | self.pipe.model.attrs)["log_odds_offset"]
        if self.pipe.entity_confidence:
            spans = [self.relation.head, self.relation.tail]
            found = confidences(doc, spans, self.candidates.spans_key)
            known = numpy.prod([1.0 if p is None else p for p in found])
            score = shift(shift(score, -offset) / max(known, 1e-6), offset)
        return float(score[0])

    def described(self) -> dict[str, Any]:
        """The target as plain data."""
        head, tail = self.relation.head, self.relation.tail
        return {
            "kind": "relation",
            "label": self.relation.label,
            "head": [head.start, head.end],
            "tail": [tail.start, tail.end],
        }


Target = CategoryTarget | EntityTarget | RelationTarget
