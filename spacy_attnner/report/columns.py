"""The tables of a report as rows of strings, the same for text and HTML."""

from dataclasses import dataclass

from ..confidence.reliability import Reliability
from .content import Report
from .errors import CORRECT, ERRORS, Confusion
from .mistakes import Frequent, Mistake
from .scores import Score, ScoreTable

NONE = "-"
DIAGONAL = "Gold types down, predicted across; the diagonal holds boundary errors, too."


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
    averages = {
        "micro avg": scores.micro,
        "macro avg": scores.macro,
        "weighted avg": scores.weighted,
    }
    return _score_table("type", scores, averages)


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
    errors = sum(report.kinds[kind] for kind in ERRORS)
    rows = [(CORRECT, f"{report.kinds[CORRECT]:,}", "", "same span, same type")]
    for kind, meaning in ERRORS.items():
        n = report.kinds[kind]
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


def entities_of(mistake: Frequent | Mistake) -> tuple[str, str]:
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
        f"({len(calibration.bins)} bins): mean confidence "
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
