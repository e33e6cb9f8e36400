"""What is wrong with documents, or will hurt: how often, where, what to do."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from .gathering import Spot

MOST_SPOTS = 3  # or pairs of them
MOST_ROWS = 20  # of a finding's table
WRONG, HURTS, NOTE = "wrong", "hurts", "note"
LEVELS = {
    WRONG: "Wrong",
    HURTS: "Will hurt",
    NOTE: "Worth knowing",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    kind: What it is, the same in every version. level: `WRONG`, `HURTS` or `NOTE`.
    says: A sentence with the numbers. n: How many there are.
    way_out: What to do.
    spots: Some of the places.
    header, rows: A table of the most frequent ones.
    """

    kind: str
    level: str
    says: str
    n: int
    way_out: str
    spots: list[Spot] = field(default_factory=list)
    header: tuple[str, ...] = ()
    rows: list[tuple[str, ...]] = field(default_factory=list)


def some(spots: Iterable[Spot]) -> list[Spot]:
    """As many as are shown."""
    return list(islice(spots, MOST_SPOTS))


def counted(n: int, what: str, many: str | None = None) -> str:
    """`1 document`, `2,000 documents`."""
    return f"{n:,} {what if n == 1 else many or what + 's'}"
