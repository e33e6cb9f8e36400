"""The tables of what was found, the same for text and HTML."""

from collections.abc import Iterable, Mapping

from ..report.content import NONE, Table, percent
from .census import EntityLabel, RelationLabel
from .finding import LEVELS, Finding, counted
from .gathering import Spot
from .look import Inspection

MOST_SHOWN = 12  # categories across a table
ROWS = {
    "documents": "documents",
    "empty": "without a word",
    "sentences": "sentences",
    "words": "words",
    "with_entities": "documents with entities annotated",
    "missing": "words of them without",
    "entities": "entities",
    "new_entities": "% of them that train lacks",
    "with_relations": "documents with relations annotated",
    "relations": "relations",
    "with_categories": "documents with categories",
}


def amounts(found: Inspection) -> Table:
    """What each split holds; what none has is left out."""
    rows = []
    for field, title in ROWS.items():
        values = [getattr(each, field) for each in found.amounts]
        if any(values):
            shown = percent if field == "new_entities" else _number
            rows.append((title, *map(shown, values)))
    return Table(("", *found.splits), "l" + "r" * len(found.splits), rows)


def _number(value: int | None) -> str:
    return NONE if value is None else f"{value:,}"


def measures(found: Inspection) -> Table:
    """Lengths and distances, by split."""
    rows = [
        (
            each.name if split == min(each.splits, key=found.splits.index) else "",
            split,
            f"{s.mean:,.1f}",
            *(f"{n:,.0f}" for n in (s.least, s.median, s.most_but_5_percent, s.most)),
        )
        for each in found.measures
        for split, s in each.splits.items()
    ]
    header = ("", "", "mean", "least", "median", "95 % up to", "most")
    return Table(header, "llrrrrr", rows)


def entity_labels(found: Inspection) -> Table:
    """Counts of labels, and their most frequent texts."""
    rows = [_entity_row(found, each) for each in found.entities]
    header = ("entity", *found.splits, "texts", "words", "most frequent")
    return Table(header, "l" + "r" * (len(found.splits) + 2) + "l", rows)


def _entity_row(found: Inspection, each: EntityLabel) -> tuple[str, ...]:
    examples = ", ".join(f"{text} ({n:,})" for text, n in each.examples)
    numbers = _by_split(found, each.counts), f"{each.texts:,}", f"{each.words:.1f}"
    return (each.label, *numbers[0], *numbers[1:], examples)


def _by_split(found: Inspection, counts: Mapping[str, int]) -> list[str]:
    return [f"{counts.get(split, 0):,}" for split in found.splits]


def relation_labels(found: Inspection) -> Table:
    """Counts of labels, and of the types that each joins."""
    rows = [row for each in found.relations for row in _relation_rows(found, each)]
    header = ("relation", "head -> tail", *found.splits, "across", "such as")
    return Table(header, "ll" + "r" * (len(found.splits) + 1) + "l", rows)


def _relation_rows(found: Inspection, each: RelationLabel) -> Iterable[tuple[str, ...]]:
    head, tail = each.example
    counts = _by_split(found, each.counts)
    across = f"{each.across:,}"
    yield each.label, "", *counts, across, f"{head} -> {tail}"
    for head_type, tail_type, own in each.joins:
        yield "", f"{head_type} -> {tail_type}", *_by_split(found, own), "", ""


def category_labels(found: Inspection) -> Table:
    """Documents that each category applies to, and the share."""
    categories = found.categories
    counts = categories.counts if categories else {}
    totals = [each.with_categories for each in found.amounts]
    rows = []
    for label, own in counts.items():
        row = [label]
        for split, total in zip(found.splits, totals, strict=True):
            n = own.get(split, 0)
            row += [f"{n:,}", percent(n / total) if total else NONE]
        rows.append(tuple(row))
    header = ("category", *(x for split in found.splits for x in (split, "%")))
    return Table(header, "l" + "rr" * len(found.splits), rows)


def category_numbers(found: Inspection) -> str:
    """How many documents have one category, two, …"""
    categories = found.categories
    numbers = categories.numbers if categories else {}
    words = {0: "none", 1: "one category"}
    shown = [
        f"{counted(n, 'document')} with {words.get(k, f'{k} categories')}"
        for k, n in numbers.items()
    ]
    return ", ".join(shown)


def together(found: Inspection) -> Table:
    """How many documents have both of two categories; "" where none has two."""
    categories = found.categories
    if categories is None or max(categories.numbers, default=0) < 2:
        return Table((), "", [])
    labels = categories.labels[:MOST_SHOWN]
    rows = [
        (label, *(f"{n:,}" for n in row[: len(labels)]))
        for label, row in zip(labels, categories.together, strict=False)
    ]
    return Table(("and", *labels), "l" + "r" * len(labels), rows)


def groups(found: Inspection) -> Table:
    """Spans of other groups."""
    rows = [
        (key, label, *_by_split(found, counts)) for key, label, counts in found.groups
    ]
    header = ("span group", "label", *found.splits)
    return Table(header, "ll" + "r" * len(found.splits), rows)


def unknown_words(found: Inspection) -> tuple[str, Table]:
    """Words without a vector."""
    coverage = found.coverage
    if coverage is None:
        return "", Table((), "", [])
    shares = ", ".join(f"{percent(s)} % of {x}" for x, s in coverage.shares.items())
    says = f"Words without a vector: {shares}; {coverage.n_distinct:,} different ones"
    rows = [(word, f"{n:,}") for word, n in coverage.unknown]
    return says, Table(("word", "n"), "lr", rows)


def finding_counts(found: Inspection) -> dict[str, str]:
    """How many findings there are of each level."""
    return {
        title: str(sum(each.level == level for each in found.findings))
        for level, title in LEVELS.items()
    }


def place(spot: Spot) -> str:
    """`train 12 (id)`."""
    name = f"{spot.split} {spot.number}"
    return name if spot.id is None else f"{name} ({spot.id})"


def finding_table(finding: Finding) -> Table:
    """Its most frequent cases."""
    aligns = "l" + "r" * (len(finding.header) - 1)
    return Table(finding.header, aligns, finding.rows)


def advice(found: Inspection) -> str:
    """How to go on."""
    told = found.told
    task, lang = told.task or "TASK", told.language or "LANGUAGE"
    return (
        f"To train on it: python -m spacy attn init-config {task} -o config.cfg --data "
        f"{found.amounts[0].path}" + ("" if told.language else f" --lang {lang}")
    )
