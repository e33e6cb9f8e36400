"""Shares of a corpus for training, development and test: by document, group and label.

Groups that hold a rare label are dealt first, each to the part that lacks that label
most (after Sechidis et al. 2011, https://doi.org/10.1007/978-3-642-23808-6_10). The
same file, shares and seed give the same parts, in any process.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path

from .complaints import CorpusError
from .documents import ID
from .record import Record

PARTS = ("train", "dev", "test")


def parse_shares(text: str) -> list[float]:
    """The shares of "80/10/10", or of "80/20" without a test part.

    Returns them as fractions. Raises ValueError for anything else.
    """
    try:
        shares = [float(part) for part in text.split("/")]
    except ValueError:
        shares = []
    if len(shares) not in (2, 3) or not all(0 < each < float("inf") for each in shares):
        raise ValueError(
            f"{text!r} are no shares; give those of train, dev and test, like 80/10/10,"
            " or of train and dev, like 80/20"
        )
    return [each / sum(shares) for each in shares]


def plan_split(
    records: Iterable[tuple[int, Record]],
    shares: Sequence[float],
    *,
    path: Path,
    group_key: str | None = None,
    seed: int = 0,
) -> list[int]:
    """Which part each record of a corpus goes to.

    records: Each with the number of its unit, whose records stay together.
    path: The file, for errors.
    group_key: A key of `meta`, or "id": records with the same value stay together.

    Raises CorpusError if no record has this key.
    """
    groups: dict[Hashable, list[int]] = defaultdict(list)
    labels: dict[Hashable, set[str]] = defaultdict(set)
    keyed = 0
    for number, (unit, record) in enumerate(records):
        group = _group_of(record, group_key)
        keyed += group is not None
        key = ("unit", unit) if group is None else ("group", group)
        groups[key].append(number)
        labels[key] |= _labels_of(record)
    if group_key and not keyed and groups:
        message = f"--group-key {group_key}: no record has this key in its meta"
        raise CorpusError(path, None, message)
    sizes = [len(numbers) for numbers in groups.values()]
    parts = _deal(sizes, [labels[key] for key in groups], shares, seed)
    plan = [0] * sum(sizes)
    for numbers, part in zip(groups.values(), parts, strict=True):
        for number in numbers:
            plan[number] = part
    return plan


def _group_of(record: Record, group_key: str | None) -> str | None:
    if group_key is None:
        return None
    value = record.id if group_key == ID else record.meta.get(group_key)
    return None if value is None else str(value)


def _labels_of(record: Record) -> set[str]:
    found = {f"entity {mention.label}" for mention in record.entities or ()}
    found |= {f"relation {link.label}" for link in record.relations or ()}
    return found | {f"cat {label}" for label, p in (record.cats or {}).items() if p}


def _deal(
    sizes: Sequence[int], labels: Sequence[set[str]], shares: Sequence[float], seed: int
) -> list[int]:
    """The part of each group, those with the rarest labels first."""
    counts = Counter(label for found in labels for label in found)
    order = list(range(len(sizes)))
    draw = random.Random(seed)
    draw.shuffle(order)
    rarest = [min(found, key=lambda x: (counts[x], x), default="") for found in labels]
    counts[""] = len(sizes) + 1  # groups without a label go last
    order.sort(key=lambda i: counts[rarest[i]])
    room = [share * sum(sizes) for share in shares]
    lacks = {label: [n * share for share in shares] for label, n in counts.items()}
    lacks[""] = room
    parts = [0] * len(sizes)
    for i in order:
        wants = lacks[rarest[i]]
        part = max(range(len(shares)), key=lambda p: (wants[p], room[p], -p))
        parts[i] = part
        room[part] -= sizes[i]
        for each in labels[i]:
            lacks[each][part] -= 1
    return parts
