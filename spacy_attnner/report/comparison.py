"""The gold and the predicted entities of a document over the same tokens: which belong
together, what kind of error each is, and how it stands in the text."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from spacy.tokens import Doc, Span
from spacy.training import Example

from ..confidence import confidences
from ..hidden import shown

CORRECT = "correct"
TYPE = "type"
BOUNDARY = "boundary"
BOTH = "boundary+type"
MISSED = "missed"
SPURIOUS = "spurious"
ERRORS = {
    TYPE: "same span, another type",
    BOUNDARY: "overlapping span, same type",
    BOTH: "overlapping span, another type",
    MISSED: "gold entity without a prediction",
    SPURIOUS: "prediction without a gold entity",
}
T = TypeVar("T")
CONTEXT = 8  # tokens on either side of a mistake


@dataclass(frozen=True)
class Entity:
    """An entity over the tokens of the reference.

    start, end: Its tokens, the end exclusive.
    label: Its type.
    confidence: The probability that the model gave it, None for gold entities and for
        those of components that give none.
    """

    start: int
    end: int
    label: str
    confidence: float | None = None

    @property
    def span(self) -> tuple[int, int]:
        """Its tokens, the end exclusive."""
        return self.start, self.end

    @property
    def key(self) -> tuple[int, int, str]:
        """What has to be the same for a prediction to be correct."""
        return self.start, self.end, self.label


@dataclass(frozen=True)
class Comparison:
    """A document with its gold and its predicted entities.

    doc: The reference, whose tokens count.
    gold: Its annotated entities.
    predicted: The predictions that are right or wrong.
    ignored: Predictions over tokens whose annotation is missing: neither.
    missing: Those tokens.
    """

    doc: Doc
    gold: Sequence[Entity]
    predicted: Sequence[Entity]
    ignored: Sequence[Entity] = ()
    missing: frozenset[int] = frozenset()


def compare(example: Example, layer: str = "") -> Comparison | None:
    """Bring the entities of an example onto the tokens of its reference.

    As in `spacy.scorer.get_ner_prf`, a prediction covers all gold tokens from the first
    to the last that it is aligned to, and is ignored if the annotation of one of them
    is missing. Returns None where nothing is annotated.

    layer: The span group whose entities they are, of which all is annotated, instead of
        `doc.ents`.
    """
    reference = example.reference
    missing: frozenset[int] = frozenset()
    if layer:
        if layer not in reference.spans:
            return None
    elif reference.has_annotation("ENT_IOB"):
        missing = frozenset(token.i for token in reference if token.ent_iob == 0)
    else:
        return None
    spans = _spans_of(reference, layer)
    gold = [Entity(span.start, span.end, span.label_) for span in spans]
    predicted, ignored = [], []
    for entity in _aligned(example, layer):
        is_known = missing.isdisjoint(range(entity.start, entity.end))
        (predicted if is_known else ignored).append(entity)
    return Comparison(reference, gold, predicted, ignored, missing)


def _spans_of(doc: Doc, layer: str) -> list[Span]:
    return list(doc.spans.get(layer, ()) if layer else doc.ents)


def _aligned(example: Example, layer: str) -> list[Entity]:
    doc = example.predicted
    x2y = example.alignment.x2y
    entities = []
    spans = _spans_of(doc, layer)
    for ent, confidence in zip(spans, confidences(doc, spans, layer), strict=True):
        indices = x2y[ent.start : ent.end]
        if len(indices):
            start, end = int(indices[0]), int(indices[-1]) + 1
            entities.append(Entity(start, end, ent.label_, confidence))
    return entities


@dataclass(frozen=True)
class Pair:
    """A gold entity and the prediction that belongs to it; one of them may be None."""

    gold: Entity | None
    predicted: Entity | None

    @property
    def kind(self) -> str:
        """`correct`, or one of `ERRORS`."""
        if self.gold is None:
            return SPURIOUS
        if self.predicted is None:
            return MISSED
        same_type = self.gold.label == self.predicted.label
        if self.gold.span == self.predicted.span:
            return CORRECT if same_type else TYPE
        return BOUNDARY if same_type else BOTH


@dataclass(frozen=True)
class Confusion:
    """How many pairs there are of every gold and predicted type.

    labels: The types of rows and columns but for the last one of each, "none".
    counts: `counts[gold][predicted]`; the last column counts what was missed, the last
        row what was spurious. The diagonal holds boundary errors, too.
    """

    labels: list[str]
    counts: list[list[int]]


def pair_entities(gold: Sequence[Entity], predicted: Sequence[Entity]) -> list[Pair]:
    """Pair entities that overlap, each with one other at most.

    The same span goes first, then the same type, then the larger overlap. What is left
    over is missed or spurious: of two predictions over one gold entity, the second is
    spurious.

    gold: Entities that do not overlap each other.
    """
    gold_at = {i: g for g, ent in enumerate(gold) for i in range(ent.start, ent.end)}
    candidates = []
    for p, ent in enumerate(predicted):
        tokens = range(ent.start, ent.end)
        overlaps = Counter(gold_at[i] for i in tokens if i in gold_at)
        for g, overlap in overlaps.items():
            same_span = gold[g].span == ent.span
            same_type = gold[g].label == ent.label
            candidates.append((not same_span, not same_type, -overlap, g, p))
    paired: dict[int, int] = {}
    free = set(range(len(predicted)))
    for *_, g, p in sorted(candidates):
        if g not in paired and p in free:
            paired[g] = p
            free.remove(p)
    pairs = [
        Pair(ent, predicted[paired[g]] if g in paired else None)
        for g, ent in enumerate(gold)
    ]
    return pairs + [Pair(None, predicted[p]) for p in sorted(free)]


def pair_comparison(comparison: Comparison) -> list[Pair]:
    """The pairs of a document."""
    return pair_entities(comparison.gold, comparison.predicted)


def count_kinds(pairs: Iterable[Pair]) -> dict[str, int]:
    """How many pairs there are of each kind, `correct` first."""
    counts = Counter(pair.kind for pair in pairs)
    return {kind: counts[kind] for kind in (CORRECT, *ERRORS)}


def confuse(pairs: Sequence[Pair]) -> Confusion:
    """Count the pairs of every gold and predicted type."""
    found = {ent.label for pair in pairs for ent in (pair.gold, pair.predicted) if ent}
    labels = sorted(found)
    index: dict[str | None, int] = {label: i for i, label in enumerate(labels)}
    index[None] = len(labels)
    counts = [[0] * len(index) for _ in index]
    for pair in pairs:
        row, column = index[_label(pair.gold)], index[_label(pair.predicted)]
        counts[row][column] += 1
    return Confusion(labels, counts)


def _label(entity: Entity | None) -> str | None:
    return entity.label if entity else None


@dataclass(frozen=True)
class Error:
    """What is wrong.

    kind: One of `ERRORS`.
    gold_text, gold_label: The gold entity; None if there is none.
    predicted_text, predicted_label: The prediction; None if there is none.
    """

    kind: str
    gold_text: str | None
    gold_label: str | None
    predicted_text: str | None
    predicted_label: str | None


@dataclass(frozen=True)
class Frequent(Error):
    """An error that was made `count` times."""

    count: int


@dataclass(frozen=True)
class Mistake(Error):
    """A wrong prediction, or a gold entity that was missed, in its place.

    confidence: The prediction's.
    document: Which document, or sentence, it is in, from 0.
    left, text, right: The tokens of both entities and those around them.
    """

    confidence: float | None
    document: int
    left: str
    text: str
    right: str


def find_mistakes(
    comparison: Comparison, pairs: Iterable[Pair], document: int
) -> list[Mistake]:
    """The mistakes among the pairs of a document."""
    doc = comparison.doc
    return [_mistake(doc, pair, document) for pair in pairs if pair.kind in ERRORS]


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
    no confidence is taken from all documents, in their order.
    """
    found = {}
    for kind in ERRORS:
        own = [mistake for mistake in mistakes if mistake.kind == kind]
        found[kind] = surest(own, [mistake.confidence for mistake in own], n)
    return found


def surest(found: Sequence[T], scores: Sequence[float | None], n: int) -> list[T]:
    """The `n` with the highest scores; for want of them, others at even distances."""
    pairs = list(zip(found, scores, strict=True))
    scored = [(each, score) for each, score in pairs if score is not None]
    best = [each for each, _ in sorted(scored, key=lambda pair: -pair[1])[:n]]
    others = [each for each, score in pairs if score is None]
    n_others = min(n - len(best), len(others))
    return best + [others[i * len(others) // n_others] for i in range(n_others)]


def surface(span: Span) -> str:
    """A span's text on one line; characters that control a terminal become `�`."""
    return shown(" ".join(span.text.split()))


def _mistake(doc: Doc, pair: Pair, document: int) -> Mistake:
    gold, predicted = pair.gold, pair.predicted
    entities = [entity for entity in (gold, predicted) if entity]
    start = min(entity.start for entity in entities)
    end = max(entity.end for entity in entities)
    return Mistake(
        kind=pair.kind,
        gold_text=surface(doc[gold.start : gold.end]) if gold else None,
        gold_label=_label(gold),
        predicted_text=(
            surface(doc[predicted.start : predicted.end]) if predicted else None
        ),
        predicted_label=_label(predicted),
        confidence=predicted.confidence if predicted else None,
        document=document,
        left=surface(doc[max(0, start - CONTEXT) : start]),
        text=surface(doc[start:end]),
        right=surface(doc[end : end + CONTEXT]),
    )
