"""Relations that contradict each other, or that no component will find."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from .finding import HURTS, NOTE, WRONG, Finding, counted, some
from .gathering import Entity, Gathered, Joined, Spot

RARE = 0.1  # share of a label's relations between two types that come the other way
SYMMETRIC = 0.5  # share of a label's pairs that are annotated in both directions
SEVERAL = (
    "Decide which of the labels is right. If both are, attn_rel learns both where "
    "exclusive = false in its model."
)
BOTH_WAYS = "A relation from head to tail is not one from tail to head: drop one."
TURNED = "Turn those round whose head and tail were mixed up."
LOOSE = (
    "attn_rel joins the entities of doc.ents: annotate the arguments as entities, or "
    "give it their span group as spans_key."
)


def check_relations(gathered: Gathered) -> Iterator[Finding]:
    """All findings about relations."""
    relations = gathered.relations
    yield from _several_labels(gathered, relations)
    yield from _both_ways(gathered, relations)
    yield from _turned(gathered, relations)
    loose = [each for each in relations if each.loose]
    if loose:
        says = f"{counted(len(loose), 'relation')} with an argument that is no entity"
        spots = some(_spots(gathered, loose))
        kind = "arguments that are no entities"
        yield Finding(kind, HURTS, says, len(loose), LOOSE, spots)


def _several_labels(
    gathered: Gathered, relations: Iterable[Joined]
) -> Iterator[Finding]:
    by_pair: dict[tuple, list[Joined]] = defaultdict(list)
    for each in relations:
        by_pair[each.head, each.tail].append(each)
    found = [pair for pair in by_pair.values() if len({r.label for r in pair}) > 1]
    if found:
        says = f"{counted(len(found), 'pair')} of entities under several labels"
        spots = some(
            relation_spot(gathered, pair[0], " and ".join(r.label for r in pair))
            for pair in found
        )
        kind = "relations with several labels"
        yield Finding(kind, WRONG, says, len(found), SEVERAL, spots)


def _both_ways(gathered: Gathered, relations: Iterable[Joined]) -> Iterator[Finding]:
    """Pairs that a label joins both ways, though it mostly does not."""
    known = {(each.head, each.tail, each.label): each for each in relations}
    doubled = [
        each for each in known.values() if (each.tail, each.head, each.label) in known
    ]
    counts = Counter(each.label for each in known.values())
    twice = Counter(each.label for each in doubled)
    found = [
        each
        for each in doubled
        if each.head < each.tail and twice[each.label] < SYMMETRIC * counts[each.label]
    ]
    if found:
        says = f"{counted(len(found), 'pair')} of entities joined in both directions"
        spots = some(_spots(gathered, found))
        kind = "relations in both directions"
        yield Finding(kind, WRONG, says, len(found), BOTH_WAYS, spots)


def _turned(gathered: Gathered, relations: Iterable[Joined]) -> Iterator[Finding]:
    """Relations whose types are those of nearly all others the other way round."""
    counts = Counter((r.label, r.head.label, r.tail.label) for r in relations)
    rare = {
        (label, head, tail)
        for (label, head, tail), n in counts.items()
        if head != tail and n < RARE * (n + counts.get((label, tail, head), 0))
    }
    found = [r for r in relations if (r.label, r.head.label, r.tail.label) in rare]
    if found:
        rows = [
            (*key, f"{n:,}", f"{counts.get((key[0], key[2], key[1]), 0):,}")
            for key, n in counts.items()
            if key in rare
        ]
        yield Finding(
            "types the other way round",
            NOTE,
            f"{counted(len(found), 'relation')} from a type to another that nearly all "
            "of the label join the other way round",
            len(found),
            TURNED,
            some(_spots(gathered, found)),
            ("relation", "head", "tail", "so", "other way"),
            rows,
        )


def _spots(gathered: Gathered, relations: Iterable[Joined]) -> Iterator[Spot]:
    for each in relations:
        yield relation_spot(gathered, each, each.label)


def relation_spot(gathered: Gathered, relation: Joined, label: str) -> Spot:
    """A relation: head, label, tail, and where they stand."""
    head, tail = relation.head, relation.tail
    start, end = min(head.start, tail.start), max(head.end, tail.end)
    joined = f"{_named(gathered, head)} - {label} -> {_named(gathered, tail)}"
    text = f"{joined}: {gathered.text(start, end)}"
    return gathered.spot(head.doc, start, end, text)


def _named(gathered: Gathered, entity: Entity) -> str:
    return f"{gathered.phrase(entity)} ({entity.label})"
