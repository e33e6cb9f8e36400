"""All that a report says, and its tables, which are the same for text and HTML."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from spacy.training import Example

from ..confidence.reliability import Reliability, measure_reliability
from .category_report import CategoryReport, WrongCategory, report_classifiers
from .comparison import (
    CORRECT,
    ERRORS,
    Comparison,
    Confusion,
    Error,
    Frequent,
    Mistake,
    Pair,
    compare,
    confuse,
    count_kinds,
    find_mistakes,
    most_frequent,
    pair_comparison,
    pick_examples,
)
from .relation_report import (
    RELATION_ERRORS,
    RelationMistake,
    RelationReport,
    report_relations,
)
from .scores import Score, ScoreTable, score_entities, score_tags

NONE = "-"
DIAGONAL = "Gold types down, predicted across; the diagonal holds boundary errors, too."


@dataclass(frozen=True)
class Report:
    """What a pipeline finds in annotated documents.

    model, data: What was evaluated on what.
    unit: "documents", "documents with sentence starts" or "sentences": what the
        pipeline was given.
    n_units, n_tokens: How many of them have their entities annotated.
    n_unannotated: How many have no entity annotation and were left out.
    n_ignored: Predictions over tokens whose annotation is missing.
    entities: Scores of exact spans and types.
    tags: Scores of IOB2 tags.
    kinds: How many entities are correct, and how many there are of each kind of error.
    confusion: Gold against predicted types.
    frequent: The most frequent mistakes.
    examples: Some mistakes of each kind, in context.
    calibration: None for a pipeline without confidences.
    relations: None where none are annotated.
    categories: Of each classifier of which some are annotated, by its name.
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
    relations: RelationReport | None = None
    categories: dict[str, CategoryReport] = field(default_factory=dict)

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
    classifiers: Mapping[str, Mapping[str, Any]] | None = None,
    layer: str = "",
) -> Report:
    """Compare the predictions of examples with their references.

    n_errors: How many of the most frequent mistakes are listed, and how many examples
        of each kind are shown.
    classifiers: What `report_categories` is told of the pipeline's, by their names.
    layer: The span group whose entities are compared, instead of `doc.ents`.
    """
    examples = list(examples)
    compared = [compare(example, layer) for example in examples]
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
        relations=report_relations(examples, n_errors),
        categories=report_classifiers(examples, n_errors, classifiers or {}),
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


def calibrate_examples(
    examples: Iterable[Example], layer: str = ""
) -> Reliability | None:
    """The confidences of predicted entities; None if there are none."""
    comparisons = filter(None, (compare(each, layer) for each in examples))
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


@dataclass(frozen=True)
class Table:
    """Cells, and how each column stands: one letter each, `l` or `r`."""

    header: tuple[str, ...]
    aligns: str
    rows: list[tuple[str, ...]]


def percent(value: float | None) -> str:
    """A share as a percentage with two digits, as spaCy prints it; a dash for None."""
    return NONE if value is None else f"{100 * value:.2f}"


def entity_scores(scores: ScoreTable) -> Table:
    """P, R and F1 of every type, then the averages."""
    return _score_table("type", scores, _averages(scores))


def _averages(scores: ScoreTable) -> dict[str, Score]:
    return {
        "micro avg": scores.micro,
        "macro avg": scores.macro,
        "weighted avg": scores.weighted,
    }


def tag_scores(scores: ScoreTable) -> Table:
    """P, R and F1 of every tag; their micro average is the accuracy."""
    table = _score_table(
        "tag", scores, {"macro avg": scores.macro, "weighted avg": scores.weighted}
    )
    micro = scores.micro
    accuracy = ("accuracy", "", "", percent(micro.f1), f"{micro.support:,}")
    table.rows.insert(len(scores.per_label), accuracy)
    return table


def kinds(report: Report) -> Table:
    """How many entities are correct, and how many errors there are of each kind."""
    return _kinds(report.kinds, ERRORS, "same span, same type")


def relation_kinds(relations: RelationReport) -> Table:
    """How many relations are correct, and how many errors there are of each kind."""
    right = "same label, direction and arguments"
    return _kinds(relations.kinds, RELATION_ERRORS, right)


def relation_scores(relations: RelationReport) -> Table:
    """P, R and F1 of every label, then the averages."""
    return _score_table("relation", relations.scores, _averages(relations.scores))


def relation_examples(mistakes: list[RelationMistake]) -> Table:
    """Wrong relations of one kind in their place."""
    rows = [
        (
            each.gold or NONE,
            each.predicted or NONE,
            NONE if each.score is None else f"{each.score:.3f}",
            each.text,
        )
        for each in mistakes
    ]
    return Table(("gold", "predicted", "score", "context"), "llrl", rows)


def category_reports(report: Report) -> Iterator[tuple[str, CategoryReport]]:
    """The categories of each classifier, with its name after a colon where there are
    several.
    """
    for name, each in report.categories.items():
        yield f": {name}" if len(report.categories) > 1 else "", each


def category_scores(categories: CategoryReport) -> Table:
    """P, R and F1 of every category, areas under its curves, then the averages."""
    table = _score_table("category", categories.scores, _averages(categories.scores))
    rows = []
    for row in table.rows:
        curve = categories.curves.get(row[0])
        areas = (curve.auc, curve.average_precision) if curve else (None, None)
        rows.append((*row, *map(percent, areas)))
    return Table((*table.header, "ROC AUC", "AP"), table.aligns + "rr", rows)


def category_examples(wrong: list[WrongCategory]) -> Table:
    """Documents whose category is wrong."""
    rows = [
        (each.gold, each.predicted, f"{each.score:.3f}", each.text) for each in wrong
    ]
    return Table(("gold", "predicted", "score", "text"), "llrl", rows)


def category_summary(categories: CategoryReport) -> str:
    """How many documents are right."""
    what = "the most probable category is right"
    if not categories.exclusive:
        least = categories.threshold
        what = "all categories are right, from "
        what += "its own threshold on" if least is None else f"a score of {least:g} on"
    share = percent(categories.accuracy)
    return f"In {share} % of {categories.n_documents:,} documents {what}."


def _kinds(counts: dict[str, int], meanings: dict[str, str], right: str) -> Table:
    errors = sum(counts[kind] for kind in meanings)
    rows = [(CORRECT, f"{counts[CORRECT]:,}", "", right)]
    for kind, meaning in meanings.items():
        n = counts[kind]
        share = percent(n / errors if errors else None)
        rows.append((kind, f"{n:,}", share, meaning))
    return Table(("kind", "n", "% of errors", ""), "lrrl", rows)


def confusion(matrix: Confusion) -> Table:
    """Gold types down, predicted types across."""
    labels = [*matrix.labels, "none"]
    rows = [
        (label, *(f"{n:,}" for n in row))
        for label, row in zip(labels, matrix.counts, strict=True)
    ]
    return Table(("gold \\ predicted", *labels), "l" + "r" * len(labels), rows)


def frequent(mistakes: list[Frequent]) -> Table:
    """Text and types of the most frequent mistakes."""
    rows = [
        (f"{mistake.count:,}", mistake.kind, *entities_of(mistake))
        for mistake in mistakes
    ]
    return Table(("n", "kind", "gold", "predicted"), "rlll", rows)


def entities_of(mistake: Error) -> tuple[str, str]:
    """The gold entity and the predicted one, each with its type."""
    return (
        _entity(mistake.gold_text, mistake.gold_label),
        _entity(mistake.predicted_text, mistake.predicted_label),
    )


def reliability(calibration: Reliability) -> Table:
    """The bins that hold something."""
    rows = [
        (
            f"{b.low:.3f}-{b.high:.3f}",
            f"{b.n:,}",
            percent(b.confidence),
            percent(b.correct),
        )
        for b in calibration.bins
        if b.n
    ]
    return Table(("confidence", "n", "mean", "% correct"), "lrrr", rows)


def thresholds(calibration: Reliability) -> Table:
    """What is left above each threshold."""
    rows = [
        (
            f"{kept.threshold:g}",
            percent(kept.kept),
            percent(kept.precision),
            percent(kept.recall),
        )
        for kept in calibration.thresholds
    ]
    return Table(("threshold", "% kept", "P", "R"), "lrrr", rows)


def summary(report: Report) -> list[str]:
    """What was evaluated, and what was left out."""
    lines = [f"{report.n_units:,} {report.unit}, {report.n_tokens:,} tokens"]
    if not report.n_units:
        return []
    if report.n_unannotated:
        lines.append(
            f"{report.n_unannotated:,} more without entity annotation left out"
        )
    if report.n_ignored:
        lines.append(
            f"{report.n_ignored:,} predictions over tokens whose annotation is missing "
            "left out"
        )
    return lines


def calibration_summary(calibration: Reliability) -> str:
    """The figures of all predictions together."""
    line = (
        f"Expected calibration error {percent(calibration.ece)} % "
        f"({len(calibration.bins)} bins; of right ones, by chance, about "
        f"{percent(calibration.by_chance)} %): mean confidence "
        f"{percent(calibration.confidence)} %, correct {percent(calibration.correct)} "
        f"% of {calibration.n:,} predictions"
    )
    if calibration.without:
        line += f"; {calibration.without:,} without a confidence left out"
    return line


def _score_table(name: str, scores: ScoreTable, averages: dict[str, Score]) -> Table:
    rows = [
        (label, *map(percent, (s.precision, s.recall, s.f1)), f"{s.support:,}")
        for label, s in {**scores.per_label, **averages}.items()
    ]
    return Table((name, "P", "R", "F1", "support"), "lrrrr", rows)


def _entity(text: str | None, label: str | None) -> str:
    return NONE if text is None else f"{text} [{label}]"
