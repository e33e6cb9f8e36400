"""Texts that several splits share, or one has twice; annotated alike or not."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy
from numpy.typing import NDArray

from .finding import HURTS, MOST_SPOTS, NOTE, WRONG, Finding, counted
from .gathering import Entity, Gathered, Spot
from .near_twins import Texts

FEWEST_WORDS = 5  # of a sentence that is looked for elsewhere
LEAKS = (
    "Scores on {later} measure in part what was learnt by heart: take each such "
    "{what} out of {earlier}, or keep what belongs together in one split (convert "
    "--split with --group-key)."
)
TWICE = (
    "A text that comes often weighs more in the training and in scores: keep one of "
    "each, unless your texts repeat themselves in the same way when it is used."
)
DIFFERENT = (
    "Nothing can learn both: decide which is right, and annotate all of them so."
)


@dataclass(frozen=True)
class Units:
    """The documents, or the sentences, of all splits.

    what: "document" or "sentence". docs: The document of each, (n,).
    """

    gathered: Gathered
    what: str
    docs: NDArray
    starts: NDArray
    ends: NDArray

    @cached_property
    def texts(self) -> Texts:
        """Their words, whatever the case."""
        numbers: dict[str, int] = {}
        lower = [numbers.setdefault(s.lower(), len(numbers)) for s in self._strings]
        words = numpy.array(lower, dtype="int32")[self.gathered.flat]
        splits = self.gathered.split_of[self.docs]
        return Texts(words, self.starts, self.ends, splits)

    @property
    def _strings(self) -> list[str]:
        return self.gathered.strings or [""]

    def spot(self, unit: int) -> Spot:
        """Where one is, and its text."""
        start, end = int(self.starts[unit]), int(self.ends[unit])
        return self.gathered.spot(int(self.docs[unit]), start, end)


def documents_of(gathered: Gathered) -> Units:
    """All documents that have a word."""
    docs = numpy.flatnonzero(gathered.ends > gathered.starts)
    return Units(gathered, "document", docs, gathered.starts[docs], gathered.ends[docs])


def sentence_bounds(gathered: Gathered) -> tuple[NDArray, NDArray, NDArray]:
    """The document, the start and the end of every sentence that is known."""
    starts = numpy.array(gathered.sentence_starts, dtype="int64")
    docs = numpy.searchsorted(gathered.ends, starts, side="right")
    following = numpy.append(starts, len(gathered.words))[1:]
    return docs, starts, numpy.minimum(following, gathered.ends[docs])


def sentences_of(gathered: Gathered) -> Units | None:
    """Sentences of some words; None where documents have no more than one."""
    docs, starts, ends = sentence_bounds(gathered)
    if len(docs) <= len(set(docs.tolist())):
        return None
    long = ends - starts >= FEWEST_WORDS
    return Units(gathered, "sentence", docs[long], starts[long], ends[long])


def check_twins(gathered: Gathered) -> Iterator[Finding]:
    """What splits share, what comes twice, and what is annotated differently."""
    documents, sentences = documents_of(gathered), sentences_of(gathered)
    for units in filter(None, (documents, sentences)):
        yield from _check_units(units)
    if sentences is None:
        sentences = documents
    yield from _check_annotation(documents, sentences)


def _check_units(units: Units) -> Iterator[Finding]:
    texts = units.texts
    near: dict[int, list[int]] = defaultdict(list)
    for i, j in texts.near_pairs():
        near[int(texts.same[i])].append(int(texts.same[j]))
        near[int(texts.same[j])].append(int(texts.same[i]))
    first = _first_in_splits(texts, len(units.gathered.splits))
    for later in range(len(units.gathered.splits)):
        for earlier in range(later):
            yield from _shared(units, near, first, later, earlier)
    yield from _check_repeated(units, near)


def _first_in_splits(texts: Texts, n_splits: int) -> NDArray:
    """The first unit of each text in each split, -1 for none, (n_texts, n_splits)."""
    first = numpy.full((len(texts.firsts), n_splits), -1, dtype="int64")
    units = numpy.arange(len(texts.same))[::-1]
    first[texts.same[units], texts.splits[units]] = units
    return first


Twins = list[tuple[int, int]]  # units, the one that is told of first


def _shared(
    units: Units, near: dict[int, list[int]], first: NDArray, later: int, earlier: int
) -> Iterator[Finding]:
    """What a split has in common with one before it."""
    texts, names = units.texts, units.gathered.splits
    own = numpy.flatnonzero(texts.splits == later)
    same: Twins = []
    alike: Twins = []
    for unit in own.tolist():
        text = int(texts.same[unit])
        twins = [int(first[t, earlier]) for t in near.get(text, ())]
        if first[text, earlier] >= 0:
            same.append((unit, int(first[text, earlier])))
        elif twins and max(twins) >= 0:
            alike.append((unit, max(twins)))
    if same or alike:
        of = f" of {FEWEST_WORDS} words or more" if units.what == "sentence" else ""
        says = (
            f"{names[later]} shares {len(same) + len(alike):,} of its "
            f"{counted(len(own), units.what)}{of} with {names[earlier]}: "
            f"{_parts(same, alike)}"
        )
        way_out = LEAKS.format(
            later=names[later], earlier=names[earlier], what=units.what
        )
        kind = f"{units.what}s shared by {names[later]} and {names[earlier]}"
        n, spots = len(same) + len(alike), _of_pairs(units, same, alike)
        yield Finding(kind, HURTS, says, n, way_out, spots)


def _parts(same: Twins, alike: Twins) -> str:
    """`12 the same, 3 nearly`."""
    parts = [f"{len(same):,} the same"] * bool(same)
    return ", ".join([*parts, *[f"{len(alike):,} nearly the same"] * bool(alike)])


def _of_pairs(units: Units, same: Twins, alike: Twins) -> list[Spot]:
    """Both of some pairs, one after the other: two that are the same, one nearly."""
    distinct = [
        list(
            {int(units.texts.same[pair[0]]): pair for pair in reversed(pairs)}.values()
        )
        for pairs in (same, alike)
    ]
    first, second = (pairs[::-1] for pairs in distinct)
    shown = first[: MOST_SPOTS - min(1, len(second))] + second
    return [units.spot(unit) for pair in shown[:MOST_SPOTS] for unit in pair]


def _check_repeated(units: Units, near: dict[int, list[int]]) -> Iterator[Finding]:
    """What a split has twice or more."""
    names = units.gathered.splits
    same: Twins = []
    alike: Twins = []
    parts = []
    for split, name in enumerate(names):
        again, similar = _repeated(units, near, split)
        same += again
        alike += similar
        if again or similar:
            parts.append(f"in {name} {_parts(again, similar)}")
    if parts:
        what = f"{units.what}s repeated within a split"
        says = f"{what.capitalize()}: {'; '.join(parts)}"
        n, spots = len(same) + len(alike), _of_pairs(units, same, alike)
        yield Finding(what, NOTE, says, n, TWICE, spots)


def _repeated(
    units: Units, near: dict[int, list[int]], split: int
) -> tuple[Twins, Twins]:
    """The same texts as one before them in their split, and nearly the same ones."""
    first: dict[int, int] = {}
    same, alike = [], []
    for unit in numpy.flatnonzero(units.texts.splits == split).tolist():
        text = int(units.texts.same[unit])
        twins = [first[t] for t in near.get(text, ()) if t in first]
        if text in first:
            same.append((unit, first[text]))
        elif twins:
            alike.append((unit, twins[0]))
        first.setdefault(text, unit)
    return same, alike


# annotation: what is annotated, with its place, and how it is shown

Annotation = dict[int, list[tuple[tuple, str]]]


def _check_annotation(documents: Units, sentences: Units) -> Iterator[Finding]:
    found = (
        ("categories", documents, _categories(documents)),
        ("entities", sentences, _entities(sentences)),
        ("relations", sentences, _relations(sentences)),
    )
    for what, units, annotation in found:
        groups = _disagreeing(units, annotation)
        if groups:
            n = sum(len(group) for group in groups)
            pairs = (_two(group, annotation) for group in groups)
            spots = [
                _with_annotation(units.spot(unit), annotation[unit])
                for pair in list(pairs)[:MOST_SPOTS]
                for unit in pair
            ]
            says = (
                f"{counted(len(groups), 'text')} in several places, "
                f"{counted(n, units.what)}, with different {what}"
            )
            kind = f"same text, other {what}"
            yield Finding(kind, WRONG, says, n, DIFFERENT, spots)


def _disagreeing(units: Units, annotation: Annotation) -> list[list[int]]:
    """Units of the same text, of which at least two are annotated differently."""
    groups: dict[int, list[int]] = defaultdict(list)
    for unit in annotation:
        groups[int(units.texts.same[unit])].append(unit)
    return [
        group
        for group in groups.values()
        if len({_key(annotation[unit]) for unit in group}) > 1
    ]


def _key(annotation: list[tuple[tuple, str]]) -> tuple:
    return tuple(sorted(key for key, _ in annotation))


def _two(group: list[int], annotation: Annotation) -> tuple[int, int]:
    """The first one, and one that is annotated differently."""
    key = _key(annotation[group[0]])
    return group[0], next(unit for unit in group if _key(annotation[unit]) != key)


def _with_annotation(spot: Spot, annotation: list[tuple[tuple, str]]) -> Spot:
    shown = "; ".join(text for _, text in sorted(annotation)) or "none"
    return replace(spot, text=f"{spot.text} -> {shown}")


def _categories(units: Units) -> Annotation:
    cats = units.gathered.cats
    return {
        unit: [((c,), c) for c, value in cats[doc].items() if value > 0.5]
        for unit, doc in enumerate(units.docs.tolist())
        if doc in cats
    }


def _entities(units: Units) -> Annotation:
    """Entities of each unit, where no word's annotation is missing."""
    gathered = units.gathered
    gaps = numpy.append(0, numpy.frombuffer(gathered.missing, "b").cumsum())
    whole = gaps[units.starts] == gaps[units.ends]
    known = numpy.isin(units.docs, gathered.with_entities) & whole
    found: Annotation = {unit: [] for unit in numpy.flatnonzero(known).tolist()}
    for unit, ent in _in_units(units, gathered.entities):
        if unit in found:
            start = ent.start - int(units.starts[unit])
            key = (start, ent.end - ent.start, ent.label)
            found[unit].append((key, f"{gathered.phrase(ent)} {ent.label}"))
    return found


def _relations(units: Units) -> Annotation:
    """Relations of each unit that holds both arguments."""
    gathered = units.gathered
    known = numpy.isin(units.docs, gathered.with_relations)
    found: Annotation = {unit: [] for unit in numpy.flatnonzero(known).tolist()}
    if not found:
        return found
    heads = _in_units(units, [each.head for each in gathered.relations])
    tails = [unit for unit, _ in _in_units(units, [r.tail for r in gathered.relations])]
    for (unit, head), tail_unit, each in zip(
        heads, tails, gathered.relations, strict=True
    ):
        if unit in found and unit == tail_unit:
            start = int(units.starts[unit])
            key = (head.start - start, each.tail.start - start, each.label)
            words = gathered.phrase(head), each.label, gathered.phrase(each.tail)
            found[unit].append((key, " ".join(words)))
    return found


def _in_units(units: Units, spans: list[Entity]) -> list[tuple[int, Entity]]:
    """Spans with the unit that each begins in, -1 for none."""
    firsts = numpy.array([span.start for span in spans], dtype="int64")
    found = numpy.searchsorted(units.ends, firsts, side="right")
    found[found == len(units.ends)] = -1
    if len(units.starts):
        found[units.starts[found] > firsts] = -1
    return list(zip(found.tolist(), spans, strict=True))
