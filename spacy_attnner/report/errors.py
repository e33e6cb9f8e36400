"""Kinds of errors: every entity, gold or predicted, is in exactly one."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .comparison import Comparison, Entity

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
        if _span(self.gold) == _span(self.predicted):
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
            same_span = _span(gold[g]) == _span(ent)
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


def _span(entity: Entity) -> tuple[int, int]:
    return entity.start, entity.end


def _label(entity: Entity | None) -> str | None:
    return entity.label if entity else None
