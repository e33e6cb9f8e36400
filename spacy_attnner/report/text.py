"""A report as text for the terminal."""

from wasabi.tables import table as format_table
from wasabi.util import color

from ..terminal import visible
from . import content
from .comparison import Mistake
from .content import NONE, Report, Table

WIDTH = 79
LONGEST = 40  # characters of an entity


def to_text(report: Report, *, colored: bool = False) -> str:
    """The whole report.

    colored: Bold headings, for a terminal.
    """
    title = visible(f"{report.model} on {report.data}")
    parts = [title, *content.summary(report)]
    sections = [
        ("Entities", [_table(content.entity_scores(report.entities))]),
        ("Tags", [_table(content.tag_scores(report.tags))]),
        ("Errors", [_table(content.kinds(report))]),
        ("Types", [content.DIAGONAL, _table(content.confusion(report.confusion))]),
        ("Most frequent errors", [_table(content.frequent(report.frequent))]),
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
        content.calibration_summary(calibration),
        _table(content.reliability(calibration)),
        _table(content.thresholds(calibration)),
    ]


def _heading(title: str, colored: bool) -> str:
    line = f" {title} ".center(WIDTH, "=")
    return color(line, bold=True) if colored else line


def _table(table: Table) -> str:
    if not table.rows:
        return ""
    text = format_table(
        [tuple(map(_shorten, row)) for row in table.rows],
        header=tuple(map(visible, table.header)),
        divider=True,
        max_col=LONGEST,
        aligns=tuple(table.aligns),  # type: ignore[arg-type]
    )
    return "\n".join(line.rstrip() for line in text.rstrip("\n").split("\n"))


def _shorten(cell: str) -> str:
    cell = visible(cell)
    return cell if len(cell) <= LONGEST else f"{cell[: LONGEST - 1]}…"
