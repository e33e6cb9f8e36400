"""A report as one HTML page that needs no other file and no network."""

from collections.abc import Iterable
from html import escape

from . import columns
from .columns import NONE, Table, percent
from .content import Report
from .mistakes import Mistake
from .plots import plot_confusion, plot_reliability, plot_scores

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2530; background: #fff;
  max-width: 62rem; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.4rem 0 .6rem; border-bottom: 1px solid #dde2ea; }
h3 { font-size: .95rem; margin: 1.2rem 0 .3rem; }
p { color: #556070; margin: .3rem 0; }
table { border-collapse: collapse; font-size: .87rem; margin: .6rem 0; }
th, td { padding: .18rem .7rem; border-bottom: 1px solid #eceff4; text-align: left;
  vertical-align: top; }
th { border-bottom-color: #aab3c2; }
.r { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.figures { display: flex; gap: 2.2rem; margin: 1rem 0; }
.figures b { display: block; font-size: 1.5rem; }
.beside { display: flex; flex-wrap: wrap; gap: 2rem; align-items: flex-start; }
mark { background: #ffe9a8; padding: 0 .15rem; border-radius: 2px; }
svg { max-width: 100%; height: auto; }
"""


def to_html(report: Report) -> str:
    """The whole report. All words of the data are escaped.

    Raises UserError if matplotlib is missing.
    """
    title = escape(f"Entities of {report.model}")
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
            f"<h1>{title}</h1>",
            *_paragraphs([report.data, *columns.summary(report)]),
            _figures(report),
            *_sections(report),
            "</body>\n</html>\n",
        ]
    )


def _sections(report: Report) -> list[str]:
    parts = [
        "<h2>Entities</h2>",
        _beside(
            _table(columns.entity_scores(report.entities)),
            plot_scores(report.entities),
        ),
        "<h2>Errors</h2>",
        _table(columns.kinds(report)),
        "<h3>Gold and predicted types</h3>",
        f"<p>{columns.DIAGONAL}</p>",
        plot_confusion(report.confusion),
    ]
    if report.frequent:
        parts += ["<h3>Most frequent</h3>", _table(columns.frequent(report.frequent))]
    for kind, mistakes in report.examples.items():
        if mistakes:
            parts += [f"<h3>Examples: {escape(kind)}</h3>", _examples(mistakes)]
    if report.calibration is not None:
        parts += [
            "<h2>Confidence</h2>",
            *_paragraphs([columns.calibration_summary(report.calibration)]),
            _beside(
                plot_reliability(report.calibration),
                _table(columns.reliability(report.calibration)),
                _table(columns.thresholds(report.calibration)),
            ),
        ]
    return [*parts, "<h2>Tags</h2>", _table(columns.tag_scores(report.tags))]


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
    cells = "".join(
        f"<div><b>{value}</b>{name}</div>" for name, value in figures.items()
    )
    return f'<div class="figures">{cells}</div>'


def _examples(mistakes: Iterable[Mistake]) -> str:
    rows = []
    for mistake in mistakes:
        confidence = NONE if mistake.confidence is None else f"{mistake.confidence:.3f}"
        cells = [escape(cell) for cell in columns.entities_of(mistake)]
        context = (
            f"{escape(mistake.left)} <mark>{escape(mistake.text)}</mark> "
            f"{escape(mistake.right)}"
        )
        rows.append([*cells, confidence, context])
    return _rows(("gold", "predicted", "confidence", "context"), "llrl", rows)


def _table(table: Table) -> str:
    rows = [[escape(cell) for cell in row] for row in table.rows]
    return _rows(table.header, table.aligns, rows)


def _rows(header: Iterable[str], aligns: str, rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are HTML already; those of the header are not."""
    marks = [' class="r"' if align == "r" else "" for align in aligns]

    def line(cells: Iterable[str], name: str) -> str:
        pairs = zip(cells, marks, strict=True)
        inside = "".join(f"<{name}{mark}>{cell}</{name}>" for cell, mark in pairs)
        return f"<tr>{inside}</tr>"

    head = line(map(escape, header), "th")
    return "\n".join(["<table>", head, *(line(row, "td") for row in rows), "</table>"])


def _beside(*parts: str) -> str:
    inside = "\n".join(f"<div>{part}</div>" for part in parts)
    return f'<div class="beside">\n{inside}\n</div>'


def _paragraphs(lines: Iterable[str]) -> list[str]:
    return [f"<p>{escape(line)}</p>" for line in lines]
