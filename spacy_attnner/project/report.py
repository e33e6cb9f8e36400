"""The scores of the project as a Markdown page."""

from typing import Any

HEADLINE = (
    ("ents_f", "entity F1"),
    ("rel_f", "strict relation F1"),
    ("rel_boundaries_f", "relation F1, boundaries"),
    ("cats_acc", "accuracy"),
    ("cats_macro_f", "macro F1"),
)
PER_LABEL = ("ents_per_type", "rel_f_per_type", "cats_f_per_type")


def make_report(source: dict[str, Any], results: dict[str, Any]) -> str:
    """A page with one table of all tasks and one per-label table for each.

    source: The content of `SOURCE.json`. results: Scores by task.
    """
    lines = ["# Test scores", "", f"Corpora: {source['name']}. {source['description']}"]
    lines += ["", *_overview(results), *_calibrations(results)]
    for result in results.values():
        lines += ["", f"## {result['title']}", "", *_per_label(result["scores"])]
    return "\n".join(lines) + "\n"


def percent(value: float | None) -> str:
    """A share as a percentage with two digits, a dash for None."""
    return "-" if value is None else f"{100 * value:.2f}"


def _overview(results: dict[str, Any]) -> list[str]:
    rows = [("task", "documents", "score", "value", "words/s")]
    for result in results.values():
        for key, name in HEADLINE:
            if key in result["scores"]:
                rows.append(
                    (
                        result["title"],
                        f"{result['documents']:,}",
                        name,
                        percent(result["scores"][key]),
                        f"{result['words_per_second']:,}",
                    )
                )
    return table(rows)


def _calibrations(results: dict[str, Any]) -> list[str]:
    names = {
        "entities": "entities",
        "correct": "correct",
        "confidence": "mean confidence",
        "ece_uncalibrated": "ECE before",
        "ece": "ECE",
    }
    rows: list[tuple[str, ...]] = [("task", *names.values())]
    for result in results.values():
        if values := result.get("calibration"):
            n, *shares = (values[key] for key in names)
            rows.append((result["title"], f"{n:,}", *map(percent, shares)))
    if len(rows) == 1:
        return []
    return [
        "",
        "## Confidences of entities",
        "",
        "Percentages. ECE: expected calibration error, before and after calibration.",
        "",
        *table(rows),
    ]


def _per_label(scores: dict[str, Any]) -> list[str]:
    rows: list[tuple[str, ...]] = [("label", "precision", "recall", "F1")]
    for key in PER_LABEL:
        for label, values in sorted((scores.get(key) or {}).items()):
            rows.append((label, *(percent(values[k]) for k in ("p", "r", "f"))))
    return table(rows)


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """A Markdown table; the first row is its head, numbers stand right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    return [lines[0], rule, *lines[1:]]
