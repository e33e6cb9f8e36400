"""What documents hold and what is wrong with them, for the terminal."""

from textwrap import fill

from ..report.content import Table
from ..report.text import WIDTH, heading, text_table
from ..terminal import visible
from . import summary
from .finding import LEVELS, Finding
from .look import Inspection

INDENT = "  "


def inspection_text(found: Inspection, *, colored: bool = False) -> str:
    """All of it; the findings at the end, where they are seen.

    colored: Bold headings, for a terminal.
    """
    parts = ["; ".join(f"{each.split}: {each.path}" for each in found.amounts)]
    unknown = summary.unknown_words(found)
    sections: list[tuple[str, str, Table]] = [
        ("Documents", "", summary.amounts(found)),
        ("Lengths and distances", "", summary.measures(found)),
        ("Entities", "", summary.entity_labels(found)),
        ("Relations", "", summary.relation_labels(found)),
        (
            "Categories",
            summary.category_numbers(found),
            summary.category_labels(found),
        ),
        ("Categories that come together", "", summary.together(found)),
        ("Other spans", "", summary.groups(found)),
        ("Vectors", *unknown),
    ]
    for title, line, table in sections:
        if line or table.rows:
            lines = filter(None, (line, text_table(table)))
            parts += ["", heading(title, colored), *lines]
    return "\n".join([*parts, *_findings(found, colored), "", summary.advice(found)])


def _findings(found: Inspection, colored: bool) -> list[str]:
    parts = []
    for level, title in LEVELS.items():
        own = [each for each in found.findings if each.level == level]
        if own:
            parts += ["", heading(f"{title}: {len(own)}", colored)]
            for each in own:
                parts += _lines(each)
    return parts or ["", heading("Nothing wrong found", colored)]


def _lines(finding: Finding) -> list[str]:
    spots = [
        visible(f"{INDENT}{summary.place(spot)}: {spot.text}") for spot in finding.spots
    ]
    way_out = fill(
        finding.way_out,
        WIDTH,
        initial_indent=f"{INDENT}-> ",
        subsequent_indent=f"{INDENT}   ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return ["", visible(f"* {finding.says}"), *spots, way_out]
