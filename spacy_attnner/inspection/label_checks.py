"""Labels: how many there are of each, in which split, under which other spelling."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from .finding import HURTS, MOST_ROWS, NOTE, WRONG, Finding, counted, some
from .gathering import Gathered, Spot
from .relation_checks import relation_spot

FEWEST = 20  # of a label in the training documents
DOMINANT = 0.9  # share of documents with one category
KINDS = ("entity", "relation", "category")
SPELLED = (
    "If they mean the same, give them one name{how}; else names that are easier to "
    "tell apart."
)
MAPPED = {"entity": ": spacy attn convert --map-labels"}
FEW = (
    "What is seen so seldom is hardly learnt, and its score says little: annotate more "
    "of it, join it with another label, or leave it out."
)
UNKNOWN = (
    "No pipeline trained on train can find it: move some of it to train, or take the "
    "label out."
)
UNSCORED = (
    "Scores there say nothing of it: deal the documents anew (--split of convert)."
)
NO_CATEGORY = (
    "attn_textcat takes one category for each document: give these one, or train "
    "attn_textcat_multilabel (init-config multilabel)."
)
MAJORITY = (
    "Always saying it has this accuracy: look at macro F1 and at each category's own, "
    "and give class_weights to the component."
)


class Labels:
    """How often each label comes, by kind and split, and where.

    counts: (kind, label) to splits to numbers; a category counts where it applies.
    """

    def __init__(self, gathered: Gathered) -> None:
        self.gathered = gathered
        self.counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._spots: dict[tuple[str, str, str], list[Callable[[], Spot]]] = {}
        for ent in gathered.entities:
            self._add("entity", ent.label, ent.doc, gathered.spot_around, ent[:3])
        for each in gathered.relations:
            args = gathered, each, each.label
            self._add("relation", each.label, each.head.doc, relation_spot, args)
        for doc, cats in gathered.cats.items():
            for label, value in cats.items():
                self.counts["category", label]  # known, though it may apply nowhere
                if value > 0.5:
                    self._add("category", label, doc, gathered.spot_of, (doc,))

    def _add(
        self, kind: str, label: str, doc: int, show: Callable, args: tuple
    ) -> None:
        split = self.gathered.of_doc(doc)
        self.counts[kind, label][split] += 1
        shown = self._spots.setdefault((kind, label, split), [])
        if not shown:
            shown.append(lambda: show(*args))

    def spot(self, kind: str, label: str, split: str) -> list[Spot]:
        """The first place of a label in a split, if there is one."""
        return [show() for show in self._spots.get((kind, label, split), ())]

    def of_kind(self, kind: str) -> dict[str, Counter[str]]:
        """The counts of a kind's labels, the most frequent first."""
        own = {label: n for (k, label), n in self.counts.items() if k == kind}
        ordered = sorted(own.items(), key=lambda item: (-item[1].total(), item[0]))
        return dict(ordered)


def check_labels(gathered: Gathered, labels: Labels) -> Iterator[Finding]:
    """All findings about labels."""
    for kind in KINDS:
        counts = labels.of_kind(kind)
        yield from _spelled_alike(labels, kind, counts)
        yield from _absent(labels, kind, counts)
        yield from _few(labels, kind, counts)
    yield from _check_categories(gathered, labels)


Counts = dict[str, Counter[str]]


def _spelled_alike(labels: Labels, kind: str, counts: Counts) -> Iterator[Finding]:
    groups: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        plain = "".join(c for c in label.casefold() if c.isalnum())
        groups[plain or label].append(label)
    found = [group for group in groups.values() if len(group) > 1]
    if found:
        shown = "; ".join(
            ", ".join(f"{label!r} {counts[label].total():,}" for label in group)
            for group in found
        )
        rarest = [(group[-1], next(iter(counts[group[-1]]), "")) for group in found]
        spots = some(x for label, s in rarest for x in labels.spot(kind, label, s))
        says = (
            f"{kind.capitalize()} labels that differ in case or spacing alone: {shown}"
        )
        n = sum(map(len, found))
        way_out = SPELLED.format(how=MAPPED.get(kind, ""))
        yield Finding(f"{kind} labels spelled alike", WRONG, says, n, way_out, spots)


def _absent(labels: Labels, kind: str, counts: Counts) -> Iterator[Finding]:
    """Labels of dev and test that train lacks, and labels of train that they lack."""
    train, *others = labels.gathered.splits
    for split in others:
        if not any(n[split] for n in counts.values()):
            continue
        unknown = {
            label: n[split] for label, n in counts.items() if n[split] > n[train] == 0
        }
        unscored = {
            label: n[train] for label, n in counts.items() if n[train] > n[split] == 0
        }
        for found, where, absent, level, way_out in (
            (unknown, split, train, HURTS, UNKNOWN),
            (unscored, train, split, NOTE, UNSCORED),
        ):
            if found:
                n = sum(found.values())
                name = f"{kind} labels of {where} that {absent} lacks"
                says = f"{name.capitalize()}: {_listed(found)}"
                spots = some(
                    x for each in found for x in labels.spot(kind, each, where)
                )
                yield Finding(name, level, says, n, way_out, spots)


def _listed(found: dict[str, int]) -> str:
    shown = [f"{label} ({n:,})" for label, n in list(found.items())[:MOST_ROWS]]
    if len(found) > len(shown):
        shown.append(f"and {len(found) - len(shown):,} more")
    return ", ".join(shown)


def _few(labels: Labels, kind: str, counts: Counts) -> Iterator[Finding]:
    train = labels.gathered.splits[0]
    few = {label: n[train] for label, n in counts.items() if 0 < n[train] < FEWEST}
    if few:
        what = f"{kind.capitalize()} labels with fewer than {FEWEST} in {train}"
        says = f"{what}: {_listed(few)}"
        spots = some(x for label in few for x in labels.spot(kind, label, train))
        yield Finding(f"few of {kind} labels", HURTS, says, len(few), FEW, spots)


def n_categories(gathered: Gathered) -> Counter[int]:
    """How many documents have no category, one, two, …; of those with annotation."""
    return Counter(
        sum(value > 0.5 for value in cats.values()) for cats in gathered.cats.values()
    )


def _check_categories(gathered: Gathered, labels: Labels) -> Iterator[Finding]:
    numbers = n_categories(gathered)
    total = numbers.total()
    if total and numbers[1] < total and numbers[1] > DOMINANT * total:
        found = [
            doc
            for doc, cats in gathered.cats.items()
            if sum(value > 0.5 for value in cats.values()) != 1
        ]
        says = (
            f"{counted(len(found), 'document')} with no category or several, where "
            "nearly all have one"
        )
        spots = some(map(gathered.spot_of, found))
        yield Finding(
            "documents without one category",
            HURTS,
            says,
            len(found),
            NO_CATEGORY,
            spots,
        )
    train = gathered.splits[0]
    n_train = sum(gathered.of_doc(doc) == train for doc in gathered.cats)
    for label, n in labels.of_kind("category").items():
        if len(labels.of_kind("category")) > 1 and n[train] > DOMINANT * n_train:
            share = n[train] / n_train
            says = f"{label} applies to {share:.1%} of the documents of {train}"
            yield Finding("a dominant category", NOTE, says, n[train], MAJORITY)
