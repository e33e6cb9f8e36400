"""The same as one HTML page with plots that needs no other file and no network."""

from html import escape

from ..render.page import markup, page
from ..report.html import (
    BLUE,
    CSS,
    GREEN,
    ORANGE,
    as_svg,
    drawing,
    html_table,
    large_figures,
    paragraphs,
    side_by_side,
)
from . import summary
from .census import Categories, Measure
from .finding import LEVELS, Finding
from .look import Inspection

COLORS = (BLUE, ORANGE, GREEN)
MOST_BARS = 25
PAGE_CSS = CSS + ".way { color: var(--ink); } li { margin: .3rem 0; }\n"


def inspection_page(found: Inspection) -> str:
    """The whole page. All words of the data are escaped.

    Raises UserError if matplotlib is missing.
    """
    names = ", ".join(each.path for each in found.amounts)
    parts = [
        *paragraphs([f"{each.split}: {each.path}" for each in found.amounts]),
        large_figures(summary.finding_counts(found)),
        *_findings(found),
        "<h2>Documents</h2>",
        html_table(summary.amounts(found)),
        "<h2>Lengths and distances</h2>",
        html_table(summary.measures(found)),
        side_by_side(*map(plot_measure, found.measures)),
        *_labels(found),
        *paragraphs([summary.advice(found)]),
    ]
    return page(f"What {names} holds", parts, PAGE_CSS)


def _findings(found: Inspection) -> list[str]:
    parts = []
    for level, title in LEVELS.items():
        own = [each for each in found.findings if each.level == level]
        if own:
            parts.append(f"<h2>{escape(title)}</h2>")
            parts += [part for each in own for part in _finding(each)]
    return parts


def _finding(finding: Finding) -> list[str]:
    spots = "".join(
        f"<li><b>{escape(summary.place(spot))}</b>: {markup(spot.text)}</li>"
        for spot in finding.spots
    )
    parts = [f"<h3>{markup(finding.says)}</h3>", f"<ul>{spots}</ul>" if spots else ""]
    if finding.rows:
        parts.append(html_table(summary.finding_table(finding)))
    return [*parts, f'<p class="way">{escape(finding.way_out)}</p>']


def _labels(found: Inspection) -> list[str]:
    parts = []
    if found.entities:
        counts = {each.label: each.counts for each in found.entities}
        parts += ["<h2>Entities</h2>", html_table(summary.entity_labels(found))]
        parts.append(plot_counts(counts, found.splits))
    if found.relations:
        counts = {each.label: each.counts for each in found.relations}
        parts += ["<h2>Relations</h2>", html_table(summary.relation_labels(found))]
        parts.append(plot_counts(counts, found.splits))
    if found.categories is not None:
        parts += ["<h2>Categories</h2>", *paragraphs([summary.category_numbers(found)])]
        parts.append(html_table(summary.category_labels(found)))
        parts.append(plot_counts(found.categories.counts, found.splits))
        if max(found.categories.numbers, default=0) > 1:
            parts.append("<h3>Categories that come together</h3>")
            parts.append(plot_together(found.categories))
    if found.groups:
        parts += ["<h2>Other spans</h2>", html_table(summary.groups(found))]
    says, table = summary.unknown_words(found)
    if says:
        parts += ["<h2>Vectors</h2>", *paragraphs([says]), html_table(table)]
    return parts


def plot_counts(counts: dict[str, dict[str, int]], splits: list[str]) -> str:
    """How often each label comes in each split, as bars."""
    labels = list(counts)[:MOST_BARS]
    with drawing(6.4, 0.9 + 0.4 * len(labels)) as (figure, axes):
        height = 0.8 / len(splits)
        for i, (split, color) in enumerate(zip(splits, COLORS, strict=False)):
            values = [counts[label].get(split, 0) for label in labels]
            rows = [
                row + height * (i - (len(splits) - 1) / 2) for row in range(len(labels))
            ]
            bars = axes.barh(rows, values, 0.9 * height, color=color, label=split)
            axes.bar_label(bars, fmt="{:,.0f}", padding=2, fontsize=7)
        axes.set_yticks(range(len(labels)), labels)
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
        return as_svg(figure)


def plot_measure(measure: Measure) -> str:
    """How a number is spread over the splits, as shares."""
    with drawing(4.4, 2.6) as (figure, axes):
        width = measure.edges[1] - measure.edges[0]
        for (name, spread), color in zip(measure.splits.items(), COLORS, strict=False):
            shares = [100 * n / spread.n for n in spread.counts]
            axes.stairs(shares, measure.edges, color=color, label=name, linewidth=1.4)
        last = measure.edges[-1]
        axes.set_xlabel(f"{measure.name} ({last - width:,.0f} or more at the end)")
        axes.set_ylabel("%")
        axes.legend(fontsize=7)
        return as_svg(figure)


def plot_together(categories: Categories) -> str:
    """How many documents have both of two categories."""
    labels, counts = categories.labels, categories.together
    shares = [[n / max(1, row[i]) for n in row] for i, row in enumerate(counts)]
    size = 1.6 + 0.5 * len(labels)
    with drawing(size, size * 0.86) as (figure, axes):
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for i, row in enumerate(counts):
            for j, n in enumerate(row):
                color = "white" if shares[i][j] > 0.5 else "black"
                axes.text(
                    *(j, i, f"{n:,}"), ha="center", va="center", color=color, fontsize=7
                )
        axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
        axes.set_yticks(range(len(labels)), labels)
        axes.spines[:].set_visible(False)
        return as_svg(figure)
