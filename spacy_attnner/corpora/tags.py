"""Tags of tokens as entities: IOB1, IO, BIO, BIOES (IOBES), BMES and BILUO (BILOU).

One reading serves them all. `B`, `S` and `U` begin an entity, `E`, `L`, `S` and `U` end
one, and `I`, or BMES's `M`, goes on with one of its type or begins one, as in IOB1
(Ramshaw & Marcus 1995, https://aclanthology.org/W95-0107) and IO; in the other schemes
that is a flaw, which is repaired and counted. Tags in lower case (`b-per`, `o`) and
turned ones (`PER-B`) are read as well, where all of them are. For BILOU see Ratinov &
Roth 2009, https://aclanthology.org/W09-1119.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .record import Mention

if TYPE_CHECKING:
    from .reading import Source

OUTSIDE = ("O", "_", "-", "")
BEGIN, END = "BSU", "ESLU"
PREFIXED = re.compile(r"([BIESLUM])[-_](\S.*)")
BARE = frozenset("BIESLUM")
TURNED = re.compile(r"(\S*\w)[-_]([BIESLUM])")
UNFITTING = "tag that does not fit its scheme: read as the entity that it means"


class Tagged(NamedTuple):
    """An entity: its tokens, its type, and the places of tags that do not fit."""

    start: int
    end: int
    label: str
    flaws: tuple[int, ...] = ()


def fits(tag: str) -> bool:
    """Whether it is outside of entities, or has the prefix of a scheme."""
    return tag in OUTSIDE or bool(PREFIXED.fullmatch(tag))


def is_tag(tag: str) -> bool:
    """Whether it cannot be but a tag, as "O" and "B-PER" are."""
    return tag == "O" or bool(PREFIXED.fullmatch(tag))


def is_prefixed(tags: Iterable[str]) -> bool:
    """Whether there are tags of entities, and most of them have such prefixes."""
    tags = list(tags)
    spelt = spelling_of(tags)
    inside = [each for tag in tags if (each := spelt(tag)) not in OUTSIDE]
    return sum(map(fits, inside)) > len(inside) / 2


def are_bare(tags: Iterable[str]) -> bool:
    """Whether there are tags of entities, and they are prefixes alone."""
    inside = {tag for tag in tags if tag not in OUTSIDE}
    return inside <= BARE and not inside.isdisjoint("BI")


def split_prefix(tag: str, prefixed: bool) -> tuple[str, str]:
    """The prefix and the label of a tag, ("", "") outside of entities.

    prefixed: Whether tags have prefixes; without them a tag is a label, as in IO.

    Raises ValueError if the tag is malformed.
    """
    if tag in OUTSIDE:
        return "", ""
    if not prefixed:
        return "I", tag
    found = PREFIXED.fullmatch(tag)
    if not found:
        raise ValueError(
            f"tag {tag!r} is none of O, B-TYPE, I-TYPE and, of other schemes, E-, S-, "
            "L-, U- and M-TYPE; correct it, or name the column of tags with --columns"
        )
    return found[1], found[2]


def decode_scheme(
    tags: Sequence[tuple[str, str]], offset: int, begins: bool, ends: bool
) -> list[Tagged]:
    """The entities of one sentence.

    tags: Prefix and label of each token.
    offset: The place of the first token.
    begins, ends: Whether the scheme marks first and last tokens, see `marks`.
    """
    found: list[Tagged] = []
    is_open = False
    for i, (prefix, label) in enumerate(tags, offset):
        last = found[-1] if is_open else None
        goes_on = prefix not in BEGIN and last is not None and last.label == label
        if last and ends and not goes_on:  # it was not closed
            found[-1] = last._replace(flaws=(*last.flaws, i - 1))
        if prefix and last and goes_on:
            found[-1] = last._replace(end=i + 1)
        elif prefix:
            flaw = prefix not in BEGIN and (begins or prefix in END)
            found.append(Tagged(i, i + 1, label, (i,) if flaw else ()))
        is_open = bool(prefix) and prefix not in END
    if is_open and ends and found:
        last = found[-1]
        found[-1] = last._replace(flaws=(*last.flaws, last.end - 1))
    return found


def marks(sentences: Iterable[Sequence[tuple[str, str]]]) -> tuple[bool, bool]:
    """Whether tags mark the first token of every entity, and the last one.

    In IOB1 `B` stands only after an entity of the same type; elsewhere it is BIO.
    """
    begins = ends = False
    for tags in sentences:
        before = ("", "")
        for prefix, label in tags:
            ends = ends or prefix in ("E", "L", "S", "U")
            begins = begins or (prefix == "B" and before[1] != label)
            before = prefix, label
    return begins or ends, ends


class Scheme(NamedTuple):
    """How tags are read.

    label: That of tags that are prefixes alone; None if they have their own.
    prefixed: Whether tags have prefixes; without them a tag is a label, as in IO.
    begins, ends: Whether they mark first and last tokens, see `marks`.
    spelt: Makes the usual form of a tag.
    """

    label: str | None = None
    prefixed: bool = True
    begins: bool = True
    ends: bool = False
    spelt: Callable[[str], str] = str

    def split(self, tag: str) -> tuple[str, str]:
        """Its prefix and its label; raises ValueError as `split_prefix` does."""
        return split_prefix(_whole_tag(self.spelt(tag), self.label), self.prefixed)


def spelling_of(tags: Iterable[str]) -> Callable[[str], str]:
    """What makes the usual forms of tags."""
    found = set(tags)
    if _are_lower(found):
        return _with_upper_prefix
    return _turn if _are_turned(found) else str


def _with_upper_prefix(tag: str) -> str:
    return tag[:1].upper() + tag[1:]


def _are_lower(tags: set[str]) -> bool:
    """Whether tags would be those of a scheme if prefixes were in upper case."""
    known = all(tag in OUTSIDE or is_tag(_with_upper_prefix(tag)) for tag in tags)
    return "o" in tags and "O" not in tags and known


def _turn(tag: str) -> str:
    return TURNED.sub(r"\2-\1", tag) if TURNED.fullmatch(tag) else tag


def _are_turned(tags: set[str]) -> bool:
    """Whether prefixes stand behind the labels, of which some have several."""
    found = [TURNED.fullmatch(tag) for tag in tags - {*OUTSIDE}]
    labels = [each[1] for each in found if each]
    return len(labels) == len(found) and len(set(labels)) < len(labels)


def _whole_tag(tag: str, label: str | None) -> str:
    return f"{tag}-{label}" if label and tag not in OUTSIDE else tag


def tell_scheme(rows: Sequence[Sequence[str]], label: str) -> Scheme:
    """The scheme of some tokens, BIO if all are outside of entities.

    rows: The tags of each, as many of one as of another.
    label: That of tags that have none.
    """
    if all(tag in OUTSIDE for row in rows for tag in row):
        return Scheme()
    spelt = spelling_of(tag for row in rows for tag in row)
    rows = [[spelt(tag) for tag in row] for row in rows]
    bare = label if are_bare(tag for row in rows for tag in row) else None
    rows = [[_whole_tag(tag, bare) for tag in row] for row in rows]
    if not is_prefixed(tag for row in rows for tag in row):
        return Scheme(bare, False, begins=False, spelt=spelt)
    fitting = [row for row in rows if all(map(fits, row))]
    split = [[split_prefix(tag, True) for tag in row] for row in fitting]
    return Scheme(bare, True, *marks(zip(*split, strict=True)), spelt)


def read_tags(
    tags: Sequence[str], name: str, source: "Source", scheme: Scheme | None = None
) -> list[Mention]:
    """The entities of a list of tags; flaws are counted.

    name: What the format calls the list.
    scheme: How they are read; if None, tags have prefixes.
    """
    scheme = scheme or Scheme()
    split = source.flaws.each(
        list(tags), name, lambda tag, _: scheme.split(tag), ("", "")
    )
    spans = decode_scheme(split, 0, *marks([split]))
    for at in (at for span in spans for at in span.flaws):
        source.repaired(UNFITTING, f"{name}[{at}] {tags[at]!r}")
    return [Mention(*span[:3], f"{name}[{span.start}]") for span in spans]
