"""A report as text for the terminal."""

from wasabi.tables import table
from wasabi.util import color

from ..terminal import visible
from . import columns
from .columns import NONE, Table
from .content import Report
from .mistakes import Mistake

WIDTH = 79
LONGEST = 40  # characters of an entity


def to_text(report: Report, *, colored: bool = False) -> str:
    """The whole report.

    colored: Bold headings, for a terminal.
    """
    title = visible(f"{report.model} on {report.data}")
    parts = [title, *columns.summary(report)]
    sections = [
        ("Entities", [_table(columns.entity_scores(report.entities))]),
        ("Tags", [_table(columns.tag_scores(report.tags))]),
        ("Errors", [_table(columns.kinds(report))]),
        ("Types", [columns.DIAGONAL, _table(columns.confusion(report.confusion))]),
        ("Most frequent errors", [_table(columns.frequent(report.frequent))]),
        ("Examples", _examples(report)),
        ("Confidence", _confidence(report)),
    ]
    for title, lines in sections:
        if any(lines):
            parts += ["", _heading(title, colored), *lines]
    return "\n".join(parts)


def _examples(report: Report) -> list[str]:
    lines = []
    for kind, mistakes in report.examples.items():
        if mistakes:
            lines += [f"\n{kind}", *map(_example, mistakes)]
    return lines


def _example(mistake: Mistake) -> str:
    confidence = "" if mistake.confidence is None else f" {mistake.confidence:.3f}"
    labels = f"{mistake.gold_label or NONE} -> {mistake.predicted_label or NONE}"
    left, right = _side(mistake.left, ""), _side("", mistake.right)
    context = f"{left}[{mistake.text}]{right}"
    spans = ""
    if None not in (mistake.gold_text, mistake.predicted_text):
        gold, predicted = str(mistake.gold_text), str(mistake.predicted_text)
        spans = "" if gold == predicted else f" ({gold} -> {predicted})"
    return visible(f"  {labels}{confidence}{spans}: {context}")


def _side(left: str, right: str) -> str:
    return f"{left} " if left else f" {right}" if right else ""


def _confidence(report: Report) -> list[str]:
    calibration = report.calibration
    if calibration is None:
        return []
    return [
        columns.calibration_summary(calibration),
        _table(columns.reliability(calibration)),
        _table(columns.thresholds(calibration)),
    ]


def _heading(title: str, colored: bool) -> str:
    line = f" {title} ".center(WIDTH, "=")
    return color(line, bold=True) if colored else line


def _table(content: Table) -> str:
    if not content.rows:
        return ""
    text = table(
        [tuple(map(_shorten, row)) for row in content.rows],
        header=tuple(map(visible, content.header)),
        divider=True,
        max_col=LONGEST,
        aligns=tuple(content.aligns),  # type: ignore[arg-type]
    )
    return "\n".join(line.rstrip() for line in text.rstrip("\n").split("\n"))


def _shorten(cell: str) -> str:
    cell = visible(cell)
    return cell if len(cell) <= LONGEST else f"{cell[: LONGEST - 1]}…"
