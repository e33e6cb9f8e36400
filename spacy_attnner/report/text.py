"""A report as text for the terminal."""

from wasabi.tables import table as format_table
from wasabi.util import color

from ..confidence.reliability import Reliability
from ..terminal import visible
from . import content
from .comparison import Mistake
from .content import NONE, Report, Table
from .relation_report import RelationMistake

WIDTH = 79
LONGEST = 40  # characters of an entity


def to_text(report: Report, *, colored: bool = False) -> str:
    """The whole report.

    colored: Bold headings, for a terminal.
    """
    title = visible(f"{report.model} on {report.data}")
    parts = [title, *content.summary(report)]
    sections = [
        *(_entities(report) if report.n_units else []),
        *_relations(report),
        *_categories(report),
    ]
    for title, lines in sections:
        if any(lines):
            parts += ["", heading(title, colored), *lines]
    return "\n".join(parts)


Sections = list[tuple[str, list[str]]]


def _entities(report: Report) -> Sections:
    return [
        ("Entities", [text_table(content.entity_scores(report.entities))]),
        ("Tags", [text_table(content.tag_scores(report.tags))]),
        ("Errors", [text_table(content.kinds(report))]),
        ("Types", [content.DIAGONAL, text_table(content.confusion(report.confusion))]),
        ("Most frequent errors", [text_table(content.frequent(report.frequent))]),
        ("Examples", _examples(report)),
        ("Confidence", _confidence(report.calibration)),
    ]


def _relations(report: Report) -> Sections:
    found = report.relations
    if found is None:
        return []
    examples = []
    for kind, mistakes in found.examples.items():
        if mistakes:
            examples += [f"\n{kind}", *map(_relation_example, mistakes)]
    return [
        ("Relations", [text_table(content.relation_scores(found))]),
        ("Errors of relations", [text_table(content.relation_kinds(found))]),
        ("Examples of relations", examples),
        ("Scores of relations", _confidence(found.calibration)),
    ]


def _categories(report: Report) -> Sections:
    sections = []
    for of, found in content.category_reports(report):
        scores = text_table(content.category_scores(found))
        sections.append(("Categories", [content.category_summary(found), scores], of))
        if found.confusion is not None:
            table = text_table(content.confusion(found.confusion))
            sections.append(("Confusion of categories", [table], of))
        examples = [
            visible(f"  {each.gold} -> {each.predicted} {each.score:.3f}: {each.text}")
            for each in found.examples
        ]
        sections.append(("Documents of other categories", examples, of))
        sections.append(
            ("Probabilities of categories", _confidence(found.calibration), of)
        )
    return [(title + visible(of), lines) for title, lines, of in sections]


def _relation_example(mistake: RelationMistake) -> str:
    score = "" if mistake.score is None else f" {mistake.score:.3f}"
    pair = f"{mistake.gold or NONE} -> {mistake.predicted or NONE}"
    return visible(f"  {pair}{score}: {mistake.text}")


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


def _confidence(calibration: Reliability | None) -> list[str]:
    if calibration is None:
        return []
    return [
        content.calibration_summary(calibration),
        text_table(content.reliability(calibration)),
        text_table(content.thresholds(calibration)),
    ]


def heading(title: str, colored: bool) -> str:
    """A line with a title; bold where it is `colored`."""
    line = f" {title} ".center(WIDTH, "=")
    return color(line, bold=True) if colored else line


def text_table(table: Table) -> str:
    """A table; "" for one without rows."""
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
