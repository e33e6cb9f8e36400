"""A report as one HTML page with plots that needs no other file and no network."""

import io
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..confidence.reliability import Reliability
from ..errors import UserError
from ..render.page import markup, page
from . import content
from .category_report import CategoryReport, Curve
from .comparison import Confusion, Mistake
from .content import NONE, Report, Table, percent
from .relation_report import RelationReport
from .scores import ScoreTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CSS = """
table { border-collapse: collapse; font-size: .87rem; margin: .6rem 0; }
th, td { padding: .18rem .7rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }
th { border-bottom-color: var(--soft); }
.r { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.figures { display: flex; gap: 2.2rem; margin: 1rem 0; }
.figures b { display: block; font-size: 1.5rem; }
.beside { display: flex; flex-wrap: wrap; gap: 2rem; align-items: flex-start; }
.wide { overflow-x: auto; }
.wide svg { max-width: none; }
mark { background: #ffe9a8; color: #1d2530; padding: 0 .15rem; border-radius: 2px; }
@media (prefers-color-scheme: dark) { svg { background: #fff; border-radius: 4px; } }
"""
BLUE, ORANGE, GREEN, GREY = "#4269d0", "#e8873a", "#3a9a6b", "#c3c9d4"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "spacy-attnner",  # the same report, the same file
    "text.parse_math": False,  # a $ in a label is a $
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
}
MOST_NAMED = 10  # curves in a legend; there are as many colours
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def to_html(report: Report) -> str:
    """The whole report. All words of the data are escaped.

    Raises UserError if matplotlib is missing.
    """
    parts = paragraphs([report.data, *content.summary(report)])
    if report.n_units:
        parts += [_figures(report), *_sections(report)]
    if report.relations is not None:
        parts += _relation_sections(report.relations)
    for of, found in content.category_reports(report):
        parts += _category_sections(found, of)
    return page(f"What {report.model} finds", parts, CSS)


def _sections(report: Report) -> list[str]:
    parts = [
        "<h2>Entities</h2>",
        side_by_side(
            html_table(content.entity_scores(report.entities)),
            plot_scores(report.entities),
        ),
        "<h2>Errors</h2>",
        html_table(content.kinds(report)),
        "<h3>Gold and predicted types</h3>",
        f"<p>{content.DIAGONAL}</p>",
        plot_confusion(report.confusion),
    ]
    if report.frequent:
        parts += [
            "<h3>Most frequent</h3>",
            html_table(content.frequent(report.frequent)),
        ]
    for kind, mistakes in report.examples.items():
        if mistakes:
            parts += [f"<h3>Examples: {markup(kind)}</h3>", _examples(mistakes)]
    parts += _confidence(report.calibration)
    return [*parts, "<h2>Tags</h2>", html_table(content.tag_scores(report.tags))]


def _relation_sections(found: RelationReport) -> list[str]:
    scores = found.scores
    parts = [
        "<h2>Relations</h2>",
        side_by_side(html_table(content.relation_scores(found)), plot_scores(scores)),
        "<h3>Errors</h3>",
        html_table(content.relation_kinds(found)),
    ]
    for kind, mistakes in found.examples.items():
        if mistakes:
            table = html_table(content.relation_examples(mistakes))
            parts += [f"<h3>Examples: {markup(kind)}</h3>", table]
    return parts + _confidence(found.calibration)


def _category_sections(found: CategoryReport, of: str) -> list[str]:
    parts = [
        f"<h2>Categories{markup(of)}</h2>",
        *paragraphs([content.category_summary(found)]),
        side_by_side(
            html_table(content.category_scores(found)), plot_scores(found.scores)
        ),
    ]
    if found.confusion is not None:
        parts += ["<h3>Gold and predicted categories</h3>"]
        parts += [plot_confusion(found.confusion)]
    if found.curves:
        parts += ["<h3>What the scores tell apart</h3>", plot_curves(found.curves)]
    if found.examples:
        table = html_table(content.category_examples(found.examples))
        parts += ["<h3>Documents of other categories</h3>", table]
    return parts + _confidence(found.calibration)


def _confidence(calibration: Reliability | None) -> list[str]:
    if calibration is None:
        return []
    return [
        "<h3>Confidence</h3>",
        *paragraphs([content.calibration_summary(calibration)]),
        side_by_side(
            plot_reliability(calibration),
            html_table(content.reliability(calibration)),
            html_table(content.thresholds(calibration)),
        ),
    ]


def _figures(report: Report) -> str:
    micro = report.entities.micro
    figures = {
        "F1": percent(micro.f1),
        "precision": percent(micro.precision),
        "recall": percent(micro.recall),
        "gold entities": f"{micro.support:,}",
    }
    if report.calibration is not None:
        figures["calibration error"] = percent(report.calibration.ece)
    return large_figures(figures)


def large_figures(figures: Mapping[str, str]) -> str:
    """Numbers that stand out, by what they are."""
    cells = "".join(
        f"<div><b>{markup(value)}</b>{markup(name)}</div>"
        for name, value in figures.items()
    )
    return f'<div class="figures">{cells}</div>'


def _examples(mistakes: Iterable[Mistake]) -> str:
    rows = []
    for mistake in mistakes:
        confidence = NONE if mistake.confidence is None else f"{mistake.confidence:.3f}"
        cells = [markup(cell) for cell in content.entities_of(mistake)]
        context = (
            f"{markup(mistake.left)} <mark>{markup(mistake.text)}</mark> "
            f"{markup(mistake.right)}"
        )
        rows.append([*cells, confidence, context])
    return html_rows(("gold", "predicted", "confidence", "context"), "llrl", rows)


def html_table(table: Table) -> str:
    """A table; its cells are escaped."""
    rows = [[markup(cell) for cell in row] for row in table.rows]
    return html_rows(table.header, table.aligns, rows)


def html_rows(header: Iterable[str], aligns: str, rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are HTML already; those of the header are not."""
    marks = [' class="r"' if align == "r" else "" for align in aligns]

    def line(cells: Iterable[str], name: str) -> str:
        pairs = zip(cells, marks, strict=True)
        inside = "".join(f"<{name}{mark}>{cell}</{name}>" for cell, mark in pairs)
        return f"<tr>{inside}</tr>"

    head = line(map(markup, header), "th")
    return "\n".join(["<table>", head, *(line(row, "td") for row in rows), "</table>"])


def side_by_side(*parts: str) -> str:
    """Parts of a page in a row, as long as they fit."""
    inside = "\n".join(f"<div>{part}</div>" for part in parts)
    return f'<div class="beside">\n{inside}\n</div>'


def paragraphs(lines: Iterable[str]) -> list[str]:
    """A paragraph for each line, escaped."""
    return [f"<p>{markup(line)}</p>" for line in lines]


def require_matplotlib() -> None:
    """Raises UserError if the plots cannot be drawn."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"the HTML report needs matplotlib, which does not import: {error}",
            "Install it: pip install 'spacy-attnner[report]'; or leave out --html.",
        ) from error


def plot_scores(scores: ScoreTable) -> str:
    """Precision, recall and F1 of every type as bars."""
    labels = list(scores.per_label)
    height = 0.9 + 0.55 * len(labels)
    with drawing(6.4, height) as (figure, axes):
        for i, (name, color) in enumerate(
            (("precision", BLUE), ("recall", ORANGE), ("f1", GREEN))
        ):
            values = [getattr(score, name) for score in scores.per_label.values()]
            rows = [row + 0.26 * (i - 1) for row in range(len(labels))]
            bars = axes.barh(rows, values, 0.24, color=color, label=name.capitalize())
            axes.bar_label(bars, fmt=lambda x: f"{100 * x:.1f}", padding=2, fontsize=7)
        axes.set_yticks(range(len(labels)), labels)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.08)
        axes.grid(axis="x", color=GREY, linewidth=0.5)
        axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
        return as_svg(figure)


def plot_confusion(confusion: Confusion) -> str:
    """Gold against predicted types; a shade is a share of the gold type."""
    labels = [*confusion.labels, "none"]
    size = 1.6 + 0.62 * len(labels)
    shares = [[n / max(1, sum(row)) for n in row] for row in confusion.counts]
    with drawing(size, size * 0.86) as (figure, axes):
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for i, row in enumerate(confusion.counts):
            for j, n in enumerate(row):
                color = "white" if shares[i][j] > 0.5 else "black"
                axes.text(j, i, f"{n:,}", ha="center", va="center", color=color)
        axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
        axes.set_yticks(range(len(labels)), labels)
        axes.set_xlabel("predicted")
        axes.set_ylabel("gold")
        axes.spines[:].set_visible(False)
        return f'<div class="wide">{as_svg(figure)}</div>'


def plot_curves(curves: Mapping[str, Curve]) -> str:
    """Receiver operating characteristics, and precision over recall, by category.

    Of many categories, those that are told apart worst are named; the others are grey.
    """
    named = sorted(curves, key=lambda label: curves[label].auc)[:MOST_NAMED]
    with drawing(8.4, 3.9, columns=2) as (figure, (left, right)):
        for label in sorted(curves, key=named.__contains__):  # grey ones behind
            look: dict[str, Any] = {"linewidth": 0.6, "color": GREY}
            if label in named:
                look = {"linewidth": 1.2, "color": f"C{named.index(label)}"}
            left.plot(*zip(*curves[label].roc, strict=True), label=label, **look)
            right.plot(*zip(*curves[label].pr, strict=True), **look)
        left.plot([0, 1], [0, 1], "--", color="black", linewidth=0.8)
        for axes, x, y in (
            (left, "false positive rate", "true positive rate"),
            (right, "recall", "precision"),
        ):
            axes.set_xlim(0, 1)
            axes.set_ylim(0, 1.02)
            axes.set_xlabel(x)
            axes.set_ylabel(y)
        lines = {line.get_label(): line for line in left.lines}
        handles = [lines[label] for label in curves if label in named]
        legend = left.legend(handles=handles, loc="lower right", fontsize=7)
        legend.set_in_layout(False)  # a long name would leave no room for the axes
        return as_svg(figure)


def plot_reliability(calibration: Reliability) -> str:
    """Share that is correct against confidence; the diagonal is perfect calibration."""
    filled = [b for b in calibration.bins if b.n]
    width = 1 / len(calibration.bins)
    with drawing(4.6, 4.2) as (figure, axes):
        middles = [(b.low + b.high) / 2 for b in filled]
        heights = [b.correct or 0.0 for b in filled]
        axes.bar(middles, heights, 0.92 * width, color=BLUE, label="correct")
        axes.plot(
            [b.confidence or 0.0 for b in filled],
            heights,
            "o",
            color=ORANGE,
            markersize=4,
            label="mean confidence",
        )
        axes.plot([0, 1], [0, 1], "--", color="black", linewidth=0.8)
        for x, height, each in zip(middles, heights, filled, strict=True):
            axes.text(
                *(x, height + 0.01, f"{each.n:,}"),
                ha="center",
                fontsize=6,
                color="#444",
            )
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.06)
        axes.set_xlabel("confidence")
        axes.set_ylabel("share correct")
        axes.legend(loc="upper left")
        return as_svg(figure)


@contextmanager
def drawing(
    width: float, height: float, columns: int = 1
) -> "Iterator[tuple[Figure, Any]]":
    """Axes in the style of all plots, one or several; width and height in inches."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # text is drawn by the browser, which has fonts for it
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.subplots(ncols=columns)


def as_svg(figure: "Figure") -> str:
    """The figure without XML prolog, and without ids that other plots use, too."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata=NO_METADATA)
    text = buffer.getvalue()
    return re.sub(r'<g id="[^"]*"', "<g", text[text.index("<svg") :]).strip()
