"""The relations that were found against the annotated ones."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from spacy.tokens import Doc
from spacy.training import Example

from ..annotated import RELATIONS, annotated_labels
from ..confidence.reliability import Reliability, measure_reliability
from ..relations import Relation, get_relations, has_relations
from ..scoring import argument_key
from .comparison import CONTEXT, CORRECT, MISSED, SPURIOUS, surest, surface
from .scores import ScoreTable, score_labels

LABEL = "label"
DIRECTION = "direction"
ARGUMENT = "argument"
RELATION_ERRORS = {
    LABEL: "same arguments, another label",
    DIRECTION: "same arguments, the other way round",
    ARGUMENT: "same label, other boundaries or types of an argument",
    MISSED: "gold relation without a prediction",
    SPURIOUS: "prediction without a gold relation",
}
Place = tuple[int, int, str]  # characters and type of an argument


@dataclass(frozen=True)
class RelationMistake:
    """A wrong prediction, or a gold relation that was missed, in its place.

    kind: One of `RELATION_ERRORS`.
    gold, predicted: "head LABEL tail"; None if there is none.
    score: The prediction's.
    document: Which document it is in, from 0.
    text: The words around both arguments.
    """

    kind: str
    gold: str | None
    predicted: str | None
    score: float | None
    document: int
    text: str


@dataclass(frozen=True)
class RelationReport:
    """The relations of a pipeline on annotated documents.

    n_documents: How many of them are annotated.
    scores: Of relations whose label, direction and arguments are right.
    kinds: How many relations are correct, and how many errors there are of each kind.
    examples: Some mistakes of each kind, the surest predictions first.
    calibration: Of the scores; None where nothing was predicted.
    """

    n_documents: int
    scores: ScoreTable
    kinds: dict[str, int]
    examples: dict[str, list[RelationMistake]]
    calibration: Reliability | None


@dataclass(frozen=True)
class _Found:
    """A relation by its characters."""

    head: Place
    tail: Place
    label: str
    relation: Relation

    @property
    def key(self) -> tuple[Place, Place, str]:
        return self.head, self.tail, self.label


def report_relations(
    examples: Iterable[Example], n_examples: int
) -> RelationReport | None:
    """Compare predicted relations with annotated ones; None if none are annotated.

    n_examples: How many mistakes of each kind are shown.
    """
    counts: dict[str, Counter[str]]
    counts = {name: Counter() for name in ("correct", "predicted", "gold")}
    mistakes: list[RelationMistake] = []
    judged: list[tuple[float, bool]] = []
    n_documents = 0
    for number, example in enumerate(examples):
        if not has_relations(example.reference):
            continue
        n_documents += 1
        gold, predicted = _of(example.reference), _looked_for(example)
        right = {each.key for each in gold} & {each.key for each in predicted}
        counts["gold"].update(each.label for each in gold)
        counts["predicted"].update(each.label for each in predicted)
        counts["correct"].update(label for *_, label in right)
        judged += [(each.relation.score, each.key in right) for each in predicted]
        mistakes += _mistakes(
            [each for each in gold if each.key not in right],
            [each for each in predicted if each.key not in right],
            number,
        )
    if not n_documents:
        return None
    kinds = Counter(each.kind for each in mistakes)
    kinds[CORRECT] = counts["correct"].total()
    labels = sorted({*counts["gold"], *counts["predicted"]})
    return RelationReport(
        n_documents,
        score_labels(labels, *counts.values()),
        {kind: kinds[kind] for kind in (CORRECT, *RELATION_ERRORS)},
        {kind: _shown(mistakes, kind, n_examples) for kind in RELATION_ERRORS},
        _reliability(judged, counts["gold"].total()),
    )


def _of(doc: Doc) -> list[_Found]:
    return [
        _Found(argument_key(each.head), argument_key(each.tail), each.label, each)
        for each in get_relations(doc)
    ]


def _looked_for(example: Example) -> list[_Found]:
    """Predictions of labels that were looked for in the reference."""
    labels = annotated_labels(example.reference, RELATIONS)
    found = _of(example.predicted)
    return [each for each in found if labels is None or each.label in labels]


def _mistakes(
    gold: list[_Found], predicted: list[_Found], document: int
) -> list[RelationMistake]:
    """Pair what is wrong, each with one other at most, the closest kinds first."""
    made = []
    for kind in (LABEL, DIRECTION, ARGUMENT):
        for theirs in list(predicted):
            match = next((own for own in gold if _is(kind, own, theirs)), None)
            if match is not None:
                gold.remove(match)
                predicted.remove(theirs)
                made.append(_mistake(kind, match, theirs, document))
    made += [_mistake(MISSED, each, None, document) for each in gold]
    return made + [_mistake(SPURIOUS, None, each, document) for each in predicted]


def _is(kind: str, gold: _Found, predicted: _Found) -> bool:
    if kind == LABEL:
        return (gold.head, gold.tail) == (predicted.head, predicted.tail)
    if kind == DIRECTION:
        turned = gold.tail[:2], gold.head[:2]
        return turned == (predicted.head[:2], predicted.tail[:2])
    return gold.label == predicted.label and all(
        own[0] < other[1] and other[0] < own[1]
        for own, other in ((gold.head, predicted.head), (gold.tail, predicted.tail))
    )


def _mistake(
    kind: str, gold: _Found | None, predicted: _Found | None, document: int
) -> RelationMistake:
    shown: Any = gold or predicted
    spans = shown.relation.head, shown.relation.tail
    doc = spans[0].doc
    start = max(0, min(span.start for span in spans) - CONTEXT)
    end = max(span.end for span in spans) + CONTEXT
    return RelationMistake(
        kind,
        _described(gold),
        _described(predicted),
        None if predicted is None else predicted.relation.score,
        document,
        surface(doc[start:end]),
    )


def _described(found: _Found | None) -> str | None:
    if found is None:
        return None
    head, tail = (
        f"{surface(span)} [{span.label_}]"
        for span in (found.relation.head, found.relation.tail)
    )
    return f"{head} {found.label} {tail}"


def _shown(
    mistakes: Sequence[RelationMistake], kind: str, n: int
) -> list[RelationMistake]:
    own = [each for each in mistakes if each.kind == kind]
    return surest(own, [each.score for each in own], n)


def _reliability(judged: list[tuple[float, bool]], n_gold: int) -> Reliability | None:
    scored = [(p, is_right) for p, is_right in judged if 0.0 <= p <= 1.0]
    if not scored:
        return None
    scores, correct = zip(*scored, strict=True)
    without = len(judged) - len(scored)
    return measure_reliability(scores, correct, n_gold=n_gold, without=without)
