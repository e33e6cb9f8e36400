"""Draw an ablation: each row's scores of one column on dev and test, as SVG.

    python benchmarks/ablation_plot.py benchmarks/results/relations_ablation.json \\
      --column "strict"

A dot is a training with one seed, a bar their mean. The first row's means go on as
lines. The picture lies beside the results, with the ending .svg.
"""

import argparse
import json
import statistics
from pathlib import Path

from spacy_attnner.report.html import BLUE, ORANGE, as_svg, drawing

OFFSETS = {"dev": (-0.17, BLUE), "test": (0.17, ORANGE)}


def plot_ablation(runs: list[dict], column: str) -> str:
    """The rows from top to bottom, in the order in which they were first run."""
    rows = list(dict.fromkeys(run["row"] for run in runs))
    with drawing(7.2, 0.9 + 0.34 * len(rows)) as (figure, axes):
        for split, (offset, color) in OFFSETS.items():
            for y, row in enumerate(rows):
                scores = [r[f"{split}, {column}"] for r in runs if r["row"] == row]
                mean = statistics.mean(scores)
                places = [y + offset] * len(scores)
                axes.plot(scores, places, "o", color=color, alpha=0.45, markersize=4)
                axes.plot(
                    *([mean, mean], [y + offset - 0.15, y + offset + 0.15]),
                    color=color,
                    linewidth=2,
                    label=None if y else split,
                )
                if not y:
                    axes.axvline(mean, color=color, linewidth=0.6, linestyle="--")
        axes.set_yticks(range(len(rows)), rows)
        axes.invert_yaxis()
        axes.set_xlabel(f"F1, {column}")
        axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
        return as_svg(figure)


def main() -> None:
    """Parse the command line, write the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="what an ablation wrote")
    parser.add_argument("--column", required=True, help='"strict", "entities", …')
    options = parser.parse_args()
    runs = json.loads(options.results.read_text())["runs"]
    names = {key.split(", ", 1)[1] for key in runs[0] if ", " in key}
    if options.column not in names:
        parser.error(f"no column {options.column!r}: there are {sorted(names)}")
    plot = plot_ablation(runs, options.column)
    options.results.with_suffix(".svg").write_text(plot + "\n")


if __name__ == "__main__":
    main()
