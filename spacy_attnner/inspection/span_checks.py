"""Entities: annotated here and not there, under two labels, with ragged edges."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cached_property

import numpy
from numpy.typing import NDArray

from .finding import HURTS, MOST_ROWS, NOTE, WRONG, Finding, counted, some
from .gathering import Entity, Gathered, Spot
from .near_twins import sequence_keys

LONGEST_NAME = 12  # words of an entity that is looked for elsewhere
MISSED = (
    "Look at the places: annotate what was overlooked. What is left out on purpose, "
    "because it means something else there, stays as it is."
)
TWO_LABELS = (
    "Right for a name of two things, such as a city and its team. Where it is not, "
    "change the rarer label."
)
RAGGED = "Convert again with --trim, which leaves them out of the entities."
CROSSING = (
    "A sentence splitter was wrong, or the entity is: correct one of them. Readers of "
    "single sentences cut such an entity in two."
)


class Names:
    """The texts of entities: which labels each has, and where it stands without one."""

    def __init__(self, gathered: Gathered) -> None:
        self.gathered = gathered
        self.labels: dict[tuple[int, ...], Counter[str]] = defaultdict(Counter)
        self.first: dict[tuple[tuple[int, ...], str], Entity] = {}
        for ent in gathered.entities:
            name = self.key(ent)
            self.labels[name][ent.label] += 1
            self.first.setdefault((name, ent.label), ent)

    def key(self, entity: Entity) -> tuple[int, ...]:
        """The words of an entity."""
        return tuple(self.gathered.words[entity.start : entity.end])

    def text(self, name: tuple[int, ...]) -> str:
        """What they read."""
        return " ".join(self.gathered.strings[word] for word in name)

    @cached_property
    def elsewhere(self) -> dict[tuple[int, ...], list[int]]:
        """Where each name stands without a label, as the words that it begins with.

        Its words are all annotated as being outside, in documents with entities.
        """
        outside = _outside(self.gathered)
        before = numpy.append(0, outside.cumsum())
        found: dict[tuple[int, ...], list[int]] = defaultdict(list)
        by_length: dict[int, list[tuple[int, ...]]] = defaultdict(list)
        for name in self.labels:
            by_length[len(name)].append(name)
        for length, names in by_length.items():
            if length <= LONGEST_NAME:
                for place in self._places(names, length, before):
                    name = tuple(self.gathered.words[place : place + length])
                    if name in self.labels:
                        found[name].append(place)
        return found

    def _places(
        self, names: list[tuple[int, ...]], length: int, before: NDArray
    ) -> list[int]:
        """Words that begin one of the names, as far as a key tells."""
        gathered = self.gathered
        wanted = numpy.array(names, dtype="int32").ravel()
        keys = sequence_keys(wanted, length)[::length]
        own = sequence_keys(gathered.flat, length)
        places = numpy.flatnonzero(numpy.isin(own, keys))
        free = before[places + length] - before[places] == length
        docs = numpy.searchsorted(gathered.ends, places, side="right")
        return places[free & (places + length <= gathered.ends[docs])].tolist()


def _outside(gathered: Gathered) -> NDArray:
    """Which words are annotated as being in no entity, bool, (n_words,)."""
    known = numpy.zeros(len(gathered), dtype=bool)
    known[gathered.with_entities] = True
    outside = numpy.repeat(known, gathered.ends - gathered.starts)
    outside &= numpy.frombuffer(gathered.missing, "b") == 0
    for ent in gathered.entities:
        outside[ent.start : ent.end] = False
    return outside


def check_spans(gathered: Gathered, names: Names) -> Iterator[Finding]:
    """All findings about entities."""
    yield from _overlooked(gathered, names)
    yield from _two_labels(gathered, names)
    yield from _ragged(gathered)
    yield from _punctuated(gathered)
    yield from _crossing(gathered)


def _overlooked(gathered: Gathered, names: Names) -> Iterator[Finding]:
    """Names that are annotated more often than not, and the places where not."""
    found = [
        (name, names.labels[name].total(), places)
        for name, places in names.elsewhere.items()
        if names.labels[name].total() > len(places)
    ]
    if not found:
        return
    # most first: often a name, and often not annotated
    found.sort(key=lambda each: -len(each[2]) * each[1] / (each[1] + len(each[2])))
    n = sum(len(places) for *_, places in found)
    says = (
        f"{counted(len(found), 'text')} annotated as an entity in "
        f"{counted(sum(count for _, count, _ in found), 'place')} and not in "
        f"{counted(n, 'other')}"
    )
    rows = [
        (names.text(name), f"{count:,}", f"{len(places):,}")
        for name, count, places in found[:MOST_ROWS]
    ]
    spots = some(_without_label(gathered, *each) for each in found)
    header = ("text", "annotated", "not")
    kind = "annotated here and not there"
    yield Finding(kind, HURTS, says, n, MISSED, spots, header, rows)


def _without_label(
    gathered: Gathered, name: tuple[int, ...], count: int, places: list[int]
) -> Spot:
    """The first place of a name where it is not annotated."""
    doc = int(numpy.searchsorted(gathered.ends, places[0], side="right"))
    note = f" ({count:,} annotated, {len(places):,} not)"
    return gathered.spot_around(doc, places[0], places[0] + len(name), note)


def _two_labels(gathered: Gathered, names: Names) -> Iterator[Finding]:
    found = [(name, labels) for name, labels in names.labels.items() if len(labels) > 1]
    if not found:
        return
    # most first: names of which nearly all have one label
    found.sort(key=lambda each: -(each[1].most_common(1)[0][1] ** 2) / each[1].total())
    spots, rows = [], []
    for name, labels in found[:MOST_ROWS]:
        counts = ", ".join(f"{label} {n:,}" for label, n in labels.most_common())
        rarest = labels.most_common()[-1][0]
        ent = names.first[name, rarest]
        note = f" {rarest} ({counts})"
        spots.append(gathered.spot_around(ent.doc, ent.start, ent.end, note))
        rows.append((names.text(name), counts))
    n = sum(labels.total() - max(labels.values()) for _, labels in found)
    yield Finding(
        "same text, other label",
        NOTE,
        f"{counted(len(found), 'text')} annotated under several labels; {n:,} entities "
        "have another than the most frequent one of their text",
        n,
        TWO_LABELS,
        some(spots),
        ("text", "labels"),
        rows,
    )


def _ragged(gathered: Gathered) -> Iterator[Finding]:
    ragged = [ent for ent in gathered.entities if ent.ragged]
    says = "with whitespace at an edge"
    yield from _said_of(gathered, ragged, "whitespace at edges", WRONG, says, RAGGED)


def _said_of(
    gathered: Gathered,
    entities: list[Entity],
    kind: str,
    level: str,
    says: str,
    way_out: str,
) -> Iterator[Finding]:
    """What is to be said of some entities, nothing if there are none."""
    if not entities:
        return
    n = len(entities)
    says = f"{counted(n, 'entity', 'entities')} {says}"
    spots = (
        gathered.spot_around(ent.doc, ent.start, ent.end, f" {ent.label}")
        for ent in entities
    )
    yield Finding(kind, level, says, n, way_out, some(spots))


def _punctuated(gathered: Gathered) -> Iterator[Finding]:
    """Entities that begin or end with a word of punctuation alone."""
    plain = numpy.array(
        [not any(c.isalnum() for c in string) for string in gathered.strings],
        dtype=bool,
    )
    flat = gathered.words
    found = [
        ent
        for ent in gathered.entities
        if plain[flat[ent.start]] or plain[flat[ent.end - 1]]
    ]
    says = "with punctuation at an edge"
    way_out = "Right where it belongs to the name. Else convert again with --trim."
    yield from _said_of(gathered, found, "punctuation at edges", NOTE, says, way_out)


def _crossing(gathered: Gathered) -> Iterator[Finding]:
    starts = numpy.array(gathered.sentence_starts, dtype="int64")
    bounds = numpy.array([ent[1:3] for ent in gathered.entities], dtype="int64")
    if not (len(starts) and len(bounds)):
        return
    # of the starts before its end, one lies behind its own start
    n = numpy.searchsorted(starts, bounds[:, 1], side="left")
    before = starts[numpy.maximum(n - 1, 0)]
    crossing = numpy.flatnonzero((n > 0) & (before > bounds[:, 0]))
    found = [gathered.entities[i] for i in crossing.tolist()]
    says = "over the end of a sentence"
    yield from _said_of(gathered, found, "over sentence ends", WRONG, says, CROSSING)
