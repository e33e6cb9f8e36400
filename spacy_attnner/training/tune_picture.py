"""A picture of a search: scores by trial, and what they depend on."""

from typing import Any

from ..report.html import BLUE, GREY, ORANGE, as_svg, drawing, require_matplotlib


def study_picture(study: Any, done: list[Any], importances: dict[str, float]) -> str:
    """An SVG: each trial's score and the best so far, and the importances.

    done: The trials that have a score.

    Raises UserError where Matplotlib is missing.
    """
    require_matplotlib()
    pruned = [
        (each.number, max(each.intermediate_values.values()))
        for each in study.trials
        if each.state.name == "PRUNED" and each.intermediate_values
    ]
    names = list(importances)
    with drawing(7.2, 3.0 + 0.3 * len(names)) as (figure, axes):
        if names:
            axes.remove()
            heights = [2.4, 0.3 * len(names) + 0.3]
            axes, below = figure.subplots(2, height_ratios=heights)
            shares = list(importances.values())
            bars = below.barh(range(len(names)), shares, color=BLUE)
            below.bar_label(bars, fmt=lambda x: f"{100 * x:.0f} %", padding=2)
            below.set_yticks(range(len(names)), _ends(names))
            below.invert_yaxis()
            below.set_xlim(0, 1.1 * max(shares, default=1.0) or 1.0)
            below.set_xlabel("importance")
        axes.plot(
            [each.number for each in done],
            [each.value for each in done],
            "o",
            color=BLUE,
            markersize=4,
            label="score",
        )
        if pruned:
            axes.plot(*zip(*pruned, strict=True), "x", color=GREY, label="pruned")
        best: list[float] = []
        for each in done:
            best.append(max([each.value, *best[-1:]]))
        axes.step(
            [each.number for each in done],
            best,
            where="post",
            color=ORANGE,
            label="best so far",
        )
        axes.set_xlabel("trial")
        axes.set_ylabel("score")
        axes.legend(loc="lower right")
        return as_svg(figure)


def _ends(paths: list[str]) -> list[str]:
    """Of each path the end, of two names or more, that no other has."""
    parts = [path.split(".") for path in paths]

    def end(own: list[str]) -> str:
        sizes = range(2, len(own) + 1)
        alone = (n for n in sizes if [p[-n:] for p in parts].count(own[-n:]) == 1)
        return ".".join(own[-next(alone, len(own)) :])

    return [end(own) for own in parts]
