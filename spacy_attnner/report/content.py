"""All that a report says, before it becomes text, JSON or HTML."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from spacy.training import Example

from ..confidence.reliability import Reliability, measure_reliability
from .comparison import Comparison, compare
from .errors import CORRECT, Confusion, Pair, confuse, count_kinds, pair_comparison
from .mistakes import Frequent, Mistake, find_mistakes, most_frequent, pick_examples
from .scores import ScoreTable, score_entities
from .tags import score_tags


@dataclass(frozen=True)
class Report:
    """The entities of a pipeline on annotated documents.

    model, data: What was evaluated on what.
    unit: "documents", "documents with sentence starts" or "sentences": what the
        pipeline was given.
    n_units, n_tokens: How many of them are annotated.
    n_unannotated: How many have no entity annotation and were left out.
    n_ignored: Predictions over tokens whose annotation is missing.
    entities: Scores of exact spans and types.
    tags: Scores of IOB2 tags.
    kinds: How many entities are correct, and how many there are of each kind of error.
    confusion: Gold against predicted types.
    frequent: The most frequent mistakes.
    examples: Some mistakes of each kind, in context.
    calibration: None for a pipeline without confidences.
    """

    model: str
    data: str
    unit: str
    n_units: int
    n_tokens: int
    n_unannotated: int
    n_ignored: int
    entities: ScoreTable
    tags: ScoreTable
    kinds: dict[str, int]
    confusion: Confusion
    frequent: list[Frequent]
    examples: dict[str, list[Mistake]]
    calibration: Reliability | None

    def to_dict(self) -> dict[str, Any]:
        """Dicts, lists, strings and numbers, for JSON."""
        return asdict(self)


def make_report(
    examples: Iterable[Example],
    *,
    model: str = "",
    data: str = "",
    unit: str = "documents",
    n_errors: int = 10,
) -> Report:
    """Compare the predictions of examples with their references.

    n_errors: How many of the most frequent mistakes are listed, and how many examples
        of each kind are shown.
    """
    compared = [compare(example) for example in examples]
    comparisons = [each for each in compared if each is not None]
    pairs = [pair_comparison(comparison) for comparison in comparisons]
    flat = [pair for of_document in pairs for pair in of_document]
    mistakes = _all_mistakes(compared, pairs)
    return Report(
        model=model,
        data=data,
        unit=unit,
        n_units=len(comparisons),
        n_tokens=sum(len(comparison.doc) for comparison in comparisons),
        n_unannotated=len(compared) - len(comparisons),
        n_ignored=sum(len(comparison.ignored) for comparison in comparisons),
        entities=score_entities(comparisons),
        tags=score_tags(comparisons),
        kinds=count_kinds(flat),
        confusion=confuse(flat),
        frequent=most_frequent(mistakes, n_errors),
        examples=pick_examples(mistakes, n_errors),
        calibration=_calibrate(flat),
    )


def _all_mistakes(
    compared: Sequence[Comparison | None], pairs: Iterable[list[Pair]]
) -> list[Mistake]:
    """`compared` counts the documents; `pairs` are there for the annotated ones."""
    annotated = ((i, each) for i, each in enumerate(compared) if each is not None)
    return [
        mistake
        for (i, comparison), of_document in zip(annotated, pairs, strict=True)
        for mistake in find_mistakes(comparison, of_document, i)
    ]


def calibrate_examples(examples: Iterable[Example]) -> Reliability | None:
    """The confidences of predicted entities; None if there are none."""
    comparisons = filter(None, map(compare, examples))
    return _calibrate([pair for each in comparisons for pair in pair_comparison(each)])


def _calibrate(pairs: Sequence[Pair]) -> Reliability | None:
    predictions = [pair for pair in pairs if pair.predicted]
    scored = [
        (pair.predicted.confidence, pair.kind == CORRECT)
        for pair in predictions
        if pair.predicted and pair.predicted.confidence is not None
    ]
    if not scored:
        return None
    confidences, correct = zip(*scored, strict=True)
    return measure_reliability(
        confidences,
        correct,
        n_gold=sum(pair.gold is not None for pair in pairs),
        without=len(predictions) - len(scored),
    )
