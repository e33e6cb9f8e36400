"""Mistakes as they stand in the text: the most frequent ones, and some in context."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spacy.tokens import Doc, Span

from .comparison import Comparison, Entity
from .errors import ERRORS, Pair

CONTEXT = 8  # tokens on either side of a mistake


@dataclass(frozen=True)
class Mistake:
    """A wrong prediction, or a gold entity that was missed.

    kind: One of `errors.ERRORS`.
    gold_text, gold_label: The gold entity; None if there is none.
    predicted_text, predicted_label: The prediction; None if there is none.
    confidence: The prediction's.
    document: Which document, or sentence, it is in, from 0.
    left, text, right: The tokens of both entities and those around them.
    """

    kind: str
    gold_text: str | None
    gold_label: str | None
    predicted_text: str | None
    predicted_label: str | None
    confidence: float | None
    document: int
    left: str
    text: str
    right: str


@dataclass(frozen=True)
class Frequent:
    """A mistake that was made `count` times. The fields are those of `Mistake`."""

    kind: str
    gold_text: str | None
    gold_label: str | None
    predicted_text: str | None
    predicted_label: str | None
    count: int


def find_mistakes(
    comparison: Comparison, pairs: Iterable[Pair], document: int
) -> list[Mistake]:
    """The mistakes among the pairs of a document."""
    doc = comparison.doc
    return [
        _mistake(doc, pair, document, [e for e in (pair.gold, pair.predicted) if e])
        for pair in pairs
        if pair.kind in ERRORS
    ]


def most_frequent(mistakes: Iterable[Mistake], n: int) -> list[Frequent]:
    """The `n` mistakes that were made most often, with the same words and types."""
    counts = Counter(
        (m.kind, m.gold_text, m.gold_label, m.predicted_text, m.predicted_label)
        for m in mistakes
    )
    order = sorted(counts.items(), key=lambda item: -item[1])  # stable
    return [Frequent(*key, count) for key, count in order[:n]]


def pick_examples(mistakes: Sequence[Mistake], n: int) -> dict[str, list[Mistake]]:
    """Up to `n` mistakes of each kind, those that the model was surest of first.

    Sure mistakes are worth reading first: there the annotation may be wrong. What has
    no confidence stays in the order of the documents.
    """
    return {
        kind: sorted((m for m in mistakes if m.kind == kind), key=_unsureness)[:n]
        for kind in ERRORS
    }


def surface(span: Span) -> str:
    """A span's text on one line; characters that control a terminal become `�`."""
    text = " ".join(span.text.split())
    return "".join(char if char.isprintable() else "�" for char in text)


def _mistake(
    doc: Doc, pair: Pair, document: int, entities: Sequence[Entity]
) -> Mistake:
    start = min(entity.start for entity in entities)
    end = max(entity.end for entity in entities)
    gold, predicted = pair.gold, pair.predicted
    return Mistake(
        kind=pair.kind,
        gold_text=surface(doc[gold.start : gold.end]) if gold else None,
        gold_label=gold.label if gold else None,
        predicted_text=(
            surface(doc[predicted.start : predicted.end]) if predicted else None
        ),
        predicted_label=predicted.label if predicted else None,
        confidence=predicted.confidence if predicted else None,
        document=document,
        left=surface(doc[max(0, start - CONTEXT) : start]),
        text=surface(doc[start:end]),
        right=surface(doc[end : end + CONTEXT]),
    )


def _unsureness(mistake: Mistake) -> float:
    return 0.0 if mistake.confidence is None else -mistake.confidence
