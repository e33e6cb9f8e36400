"""Categories that exclude each other, the way spaCy's `textcat` wants them."""

from collections.abc import Collection


def exclusive_cats(label: str, labels: Collection[str]) -> dict[str, float]:
    """1.0 for one label and 0.0 for every other, in alphabetical order."""
    return {each: float(each == label) for each in sorted(labels)}
