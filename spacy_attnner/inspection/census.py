"""How many there are of everything, how long, how far apart, and examples."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy

from .gathering import Gathered
from .label_checks import Labels, n_categories
from .span_checks import Names
from .twin_checks import sentence_bounds

MOST_BINS = 30
MOST_EXAMPLES = 5  # of a label
MOST_OVERLAPS = 30  # categories in the table of those that come together


@dataclass(frozen=True)
class Amounts:
    """What a split holds. None: it is not annotated.

    with_entities: Documents in which entities are annotated, be there some or none.
    missing: Words whose entity annotation is missing, in these documents.
    new_entities: Share of the entities whose text and label are not in train.
    """

    split: str
    path: str
    documents: int
    empty: int
    sentences: int | None
    words: int
    with_entities: int
    missing: int
    entities: int
    new_entities: float | None
    with_relations: int
    relations: int
    with_categories: int


@dataclass(frozen=True)
class Spread:
    """How a number is spread over the documents, say, of a split.

    counts: How many of them are in each bin of `Measure.edges`.
    """

    n: int
    mean: float
    least: int
    median: float
    most_but_5_percent: float
    most: int
    counts: list[int]


@dataclass(frozen=True)
class Measure:
    """A number, such as the words of a document, by split.

    edges: Of the bins; the last one holds all that is above, too.
    """

    name: str
    edges: list[float]
    splits: dict[str, Spread]


@dataclass(frozen=True)
class EntityLabel:
    """counts: By split. texts: Different ones. words: A mean. examples: The most
    frequent texts, and how often they come.
    """

    label: str
    counts: dict[str, int]
    texts: int
    words: float
    examples: list[tuple[str, int]]


@dataclass(frozen=True)
class RelationLabel:
    """Of each pair of types that it joins, from head to tail, the counts by split.

    example: A relation as head, tail. across: How many join two sentences.
    """

    label: str
    counts: dict[str, int]
    joins: list[tuple[str, str, dict[str, int]]]
    example: tuple[str, str]
    across: int


@dataclass(frozen=True)
class Categories:
    """counts: Documents that each applies to, by category and split.

    numbers: How many documents have no category, one, two, …
    labels, together: The most frequent ones, and how many documents have both of two.
    """

    counts: dict[str, dict[str, int]]
    numbers: dict[int, int]
    labels: list[str]
    together: list[list[int]]


def count_amounts(gathered: Gathered, names: Names) -> list[Amounts]:
    """One for each split."""
    missing = numpy.append(0, numpy.frombuffer(gathered.missing, "b").cumsum())
    gaps = missing[gathered.ends] - missing[gathered.starts]
    lengths = gathered.ends - gathered.starts
    sentences = sentence_bounds(gathered)[0]
    new = _new_entities(gathered, names)
    found = []
    for name, path in zip(gathered.splits, gathered.paths, strict=True):
        docs = gathered.in_split(name)
        own = [doc for doc in gathered.with_entities if doc in docs]
        amounts = Amounts(
            name,
            path,
            documents=len(docs),
            empty=int((lengths[docs] == 0).sum()),
            sentences=sum(doc in docs for doc in sentences.tolist()) or None,
            words=int(lengths[docs].sum()),
            with_entities=len(own),
            missing=int(gaps[own].sum()),
            entities=sum(ent.doc in docs for ent in gathered.entities),
            new_entities=new.get(name),
            with_relations=sum(doc in docs for doc in gathered.with_relations),
            relations=sum(each.head.doc in docs for each in gathered.relations),
            with_categories=sum(doc in docs for doc in gathered.cats),
        )
        found.append(amounts)
    return found


def _new_entities(gathered: Gathered, names: Names) -> dict[str, float]:
    """Share of each other split's entities that train does not have."""
    train, *others = gathered.splits
    known, totals, new = set(), Counter(), Counter()
    for ent in gathered.entities:
        split, key = gathered.of_doc(ent.doc), (names.key(ent), ent.label)
        if split == train:
            known.add(key)
        else:
            totals[split] += 1
            new[split] += key not in known
    return {split: new[split] / totals[split] for split in others if totals[split]}


def measure_all(gathered: Gathered) -> list[Measure]:
    """Lengths, numbers of what is annotated, distances of arguments."""
    return [
        _measure(gathered, name, numpy.asarray(values), numpy.asarray(docs))
        for name, values, docs in _measured(gathered)
        if len(values)
    ]


def _measured(gathered: Gathered) -> Iterator[tuple[str, Any, Any]]:
    """Numbers, and the document of each."""
    yield "words a document", gathered.ends - gathered.starts, range(len(gathered))
    docs, starts, ends = sentence_bounds(gathered)
    if len(docs) > len(set(docs.tolist())):  # documents are no sentences
        yield "words a sentence", ends - starts, docs
    entities, relations = gathered.entities, gathered.relations
    counts = Counter(ent.doc for ent in entities)
    known = gathered.with_entities
    yield "entities a document", [counts[doc] for doc in known], known
    lengths = [ent.end - ent.start for ent in entities]
    yield "words an entity", lengths, [ent.doc for ent in entities]
    between = [
        max(0, max(r.head.start, r.tail.start) - min(r.head.end, r.tail.end))
        for r in relations
    ]
    yield "words between arguments", between, [each.head.doc for each in relations]


def _measure(
    gathered: Gathered, name: str, values: numpy.ndarray, docs: numpy.ndarray
) -> Measure:
    low, high = int(values.min()), int(numpy.percentile(values, 99)) + 1
    width = max(1, -(-(high - low) // MOST_BINS))
    edges = numpy.arange(low, high + width, width)
    spreads = {}
    for i, split in enumerate(gathered.splits):
        own = values[gathered.split_of[docs] == i]
        if len(own):
            counts, _ = numpy.histogram(own.clip(max=edges[-1]), edges)
            median, high_end = numpy.percentile(own, [50, 95]).tolist()
            spreads[split] = Spread(
                len(own),
                float(own.mean()),
                int(own.min()),
                median,
                high_end,
                int(own.max()),
                counts.tolist(),
            )
    return Measure(name, edges.tolist(), spreads)


def count_entities(
    gathered: Gathered, labels: Labels, names: Names
) -> list[EntityLabel]:
    """One for each label, the most frequent first."""
    texts: dict[str, Counter[tuple[int, ...]]] = defaultdict(Counter)
    lengths: Counter[str] = Counter()
    for name, own in names.labels.items():
        for label, n in own.items():
            texts[label][name] += n
            lengths[label] += n * len(name)
    return [
        EntityLabel(
            label,
            dict(counts),
            len(texts[label]),
            lengths[label] / counts.total(),
            [
                (names.text(name), n)
                for name, n in texts[label].most_common(MOST_EXAMPLES)
            ],
        )
        for label, counts in labels.of_kind("entity").items()
    ]


def count_relations(gathered: Gathered, labels: Labels) -> list[RelationLabel]:
    """One for each label, the most frequent first."""
    joins: dict[str, dict[tuple[str, str], Counter[str]]] = defaultdict(dict)
    across: Counter[str] = Counter()
    examples: dict[str, tuple[str, str]] = {}
    starts = numpy.array(gathered.sentence_starts, dtype="int64")
    for each in gathered.relations:
        head, tail = each.head, each.tail
        own = joins[each.label].setdefault((head.label, tail.label), Counter())
        own[gathered.of_doc(head.doc)] += 1
        first, last = sorted((head.start, tail.start))
        n = numpy.searchsorted(starts, [first, last], side="right")
        across[each.label] += int(n[1] > n[0])
        words = gathered.phrase(head), gathered.phrase(tail)
        examples.setdefault(each.label, words)
    return [
        RelationLabel(
            label,
            dict(counts),
            [
                (*types, dict(own))
                for types, own in sorted(
                    joins[label].items(), key=lambda item: -item[1].total()
                )
            ],
            examples[label],
            across[label],
        )
        for label, counts in labels.of_kind("relation").items()
    ]


def count_categories(gathered: Gathered, labels: Labels) -> Categories | None:
    """None where there is none."""
    counts = labels.of_kind("category")
    if not counts:
        return None
    shown = list(counts)[:MOST_OVERLAPS]
    place = {label: i for i, label in enumerate(shown)}
    together = numpy.zeros((len(shown), len(shown)), dtype="int64")
    for cats in gathered.cats.values():
        own = [place[c] for c, value in cats.items() if value > 0.5 and c in place]
        together[numpy.ix_(own, own)] += 1
    numbers = n_categories(gathered)
    return Categories(
        {label: dict(n) for label, n in counts.items()},
        {n: numbers[n] for n in sorted(numbers)},
        shown,
        together.tolist(),
    )


def count_groups(
    gathered: Gathered,
) -> list[tuple[str, str, Mapping[str, int]]]:
    """Other span groups: key, label, and how many spans there are by split."""
    found: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for (split, key, label), n in sorted(gathered.groups.items()):
        found[key, label][split] = n
    return [(key, label, counts) for (key, label), counts in found.items()]
