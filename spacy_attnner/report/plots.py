"""The plots of a report, each as one `<svg>` element."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..confidence.reliability import Reliability
from ..errors import UserError
from .errors import Confusion
from .scores import ScoreTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


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
def drawing(width: float, height: float) -> "Iterator[tuple[Figure, Axes]]":
    """One set of axes in the style of all plots; width and height in inches."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # text is drawn by the browser, which has fonts for it
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.subplots()


def as_svg(figure: "Figure") -> str:
    """The figure without XML prolog, and without ids that other plots use, too."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata=NO_METADATA)
    text = buffer.getvalue()
    return re.sub(r'<g id="[^"]*"', "<g", text[text.index("<svg") :]).strip()
