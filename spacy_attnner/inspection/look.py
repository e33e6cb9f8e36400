"""From `.spacy` files to all that is said of them, and its files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..atomic import write_json, write_text
from ..recipes.recipe import STDOUT
from ..report.run import check_reports
from .census import (
    Amounts,
    Categories,
    EntityLabel,
    Measure,
    RelationLabel,
    count_amounts,
    count_categories,
    count_entities,
    count_groups,
    count_relations,
    measure_all,
)
from .finding import HURTS, LEVELS, NOTE, Finding, counted, some
from .fit_checks import Coverage, check_vectors, check_window, cover, make_window
from .gathering import SPLITS, Gathered, gather
from .label_checks import Labels, check_labels
from .relation_checks import check_relations
from .span_checks import Names, check_spans
from .told import Told, tell
from .twin_checks import check_twins

NOT_ANNOTATED = (
    "A document without annotation is not one without {}: nothing is learnt from it. "
    "Where there are none to be found, say so (in JSONL, an empty {})."
)
EMPTY = "They train nothing: leave them out."


@dataclass(frozen=True)
class Inspection:
    """What annotated documents hold, and what is wrong with them.

    told: What `init-config` takes from them. amounts: By split.
    groups: Span groups that hold no relations: key, label, counts by split.
    coverage: None without vectors.
    findings: The gravest first.
    """

    told: Told
    amounts: list[Amounts]
    measures: list[Measure]
    entities: list[EntityLabel]
    relations: list[RelationLabel]
    categories: Categories | None
    groups: list[tuple[str, str, Mapping[str, int]]]
    coverage: Coverage | None
    findings: list[Finding]

    @property
    def splits(self) -> list[str]:
        """Their names."""
        return [each.split for each in self.amounts]

    def to_dict(self) -> dict[str, Any]:
        """Dicts, lists, strings and numbers, for JSON."""
        return asdict(self)


def inspect_data(
    paths: Sequence[Path],
    *,
    vectors: str = "",
    encoder: str = "",
    window: int | None = None,
    progress: bool = False,
) -> Inspection:
    """Look through the documents of train and, where they are there, dev and test.

    paths: A `.spacy` file or a folder of them for each.
    vectors: A pipeline with static vectors, its folder or its package.
    encoder: A transformer's folder or its name on the hub.
    window: What is seen at once, in the encoder's word pieces, or else in words; the
        encoder's own if None.
    progress: Show bars on stderr, if that is a terminal.

    Raises UserError if one of them cannot be used.
    """
    gathered = gather(paths, progress=progress)
    labels, names = Labels(gathered), Names(gathered)
    coverage = cover(gathered, vectors) if vectors else None
    findings = list(_all_findings(gathered, labels, names))
    own = make_window(gathered, encoder, window)
    findings += check_window(gathered, own) if own else ()
    findings += check_vectors(gathered, coverage) if coverage else ()
    order = list(LEVELS)
    return Inspection(
        tell(gathered),
        count_amounts(gathered, names),
        measure_all(gathered),
        count_entities(gathered, labels, names),
        count_relations(gathered, labels),
        count_categories(gathered, labels),
        count_groups(gathered),
        coverage,
        sorted(findings, key=lambda each: order.index(each.level)),
    )


def _all_findings(
    gathered: Gathered, labels: Labels, names: Names
) -> Iterator[Finding]:
    yield from check_twins(gathered)
    yield from check_labels(gathered, labels)
    yield from check_spans(gathered, names)
    yield from check_relations(gathered)
    yield from _unannotated(gathered)


def _unannotated(gathered: Gathered) -> Iterator[Finding]:
    """Documents without words, and such without what others have."""
    empty = [i for i in range(len(gathered)) if gathered.starts[i] == gathered.ends[i]]
    if empty:
        says = f"{counted(len(empty), 'document')} without a word"
        spots = some(map(gathered.spot_of, empty))
        yield Finding("empty documents", NOTE, says, len(empty), EMPTY, spots)
    for what in ("entities", "relations", "categories"):
        known = (
            gathered.cats if what == "categories" else getattr(gathered, f"with_{what}")
        )
        absent = sorted(set(range(len(gathered))) - set(known) - set(empty))
        if known and absent:
            says = f"{counted(len(absent), 'document')} without annotation of {what}"
            spots = some(map(gathered.spot_of, absent))
            kind = f"{what} not annotated"
            nothing = "object" if what == "categories" else "list"
            advice = NOT_ANNOTATED.format(what, nothing)
            yield Finding(kind, HURTS, says, len(absent), advice, spots)


def write_inspection(
    paths: Sequence[Path],
    *,
    json_path: Path | None = None,
    html_path: Path | None = None,
    **settings: Any,
) -> Inspection:
    """`inspect_data`, and its files; `STDOUT` as `json_path` is the caller's.

    Raises UserError if something cannot be used; no file is written then.
    """
    from .data_page import inspection_page

    inputs = {f"documents of {name}": p for name, p in zip(SPLITS, paths, strict=False)}
    named = {key: settings.get(key) or "" for key in ("vectors", "encoder")}
    json_file = None if json_path == STDOUT else json_path
    check_reports({**inputs, **named}, json_file, html_path)
    found = inspect_data(paths, **settings)
    if json_file is not None:
        write_json(json_file, found.to_dict())
    if html_path is not None:
        write_text(html_path, inspection_page(found))
    return found
