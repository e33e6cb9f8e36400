"""The Stanford Sentiment Treebank: a sentiment at every node of a sentence's tree."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .labelled_text import SST2_LABELS
from .reading import Source
from .recognition import Format, first_line
from .record import Record

FIVE = ("VERY_NEGATIVE", "NEGATIVE", "NEUTRAL", "POSITIVE", "VERY_POSITIVE")
TWO = {
    0: SST2_LABELS["0"],
    1: SST2_LABELS["0"],
    3: SST2_LABELS["1"],
    4: SST2_LABELS["1"],
}
NEUTRAL = "neutral phrase: left out, as --fine is not given"
PART = re.compile(r"[()]|[^()\s]+")
# as the Penn Treebank writes them
ESCAPED: dict[str, str] = {
    "-LRB-": "(",
    "-RRB-": ")",
    "-LSB-": "[",
    "-RSB-": "]",
    "-LCB-": "{",
    "-RCB-": "}",
    "``": '"',
    "''": '"',
}


@dataclass(frozen=True)
class Node:
    """A phrase.

    label: From 0, very negative, to 4, very positive.
    """

    label: int
    words: tuple[str, ...]


def read_sst_trees(source: Source) -> Iterator[Record]:
    """Read trees, `(3 (2 a) (4 delight))`, one a line.

    What the Penn Treebank escapes (`-LRB-`, `\\/`, quotes) is as it was written. With
    `options.fine` there are five categories, VERY_NEGATIVE to VERY_POSITIVE, instead of
    NEGATIVE and POSITIVE alone, which leave neutral phrases out, counted. With
    `options.phrases` every phrase is a record (words that occur twice once), not whole
    sentences alone.
    """
    fine, phrases = source.options.fine, source.options.phrases
    names: dict[int, str] = dict(enumerate(FIVE)) if fine else TWO
    seen: set[tuple[str, ...]] = set()

    def parse(line: str) -> Iterator[Record]:
        nodes, n_neutral = parse_tree(line), 0
        for node in nodes if phrases else nodes[:1]:
            if node.label not in names:
                n_neutral += 1
            elif not (phrases and node.words in seen):
                seen.add(node.words)
                yield Record(words=node.words, cats={names[node.label]: 1.0})
        if n_neutral:
            source.repaired(NEUTRAL, " ".join(nodes[0].words)[:40], n_neutral)

    return source.records(filter(str.strip, source.lines()), parse)


def parse_tree(line: str) -> list[Node]:
    """The phrases of a tree, the whole sentence first, each before its parts.

    Raises ValueError if the line is no such tree.
    """
    parts: list[str] = PART.findall(line)
    words: list[str] = []
    found: list[tuple[int, int, int]] = []  # label, first word, end
    open_: list[int] = []  # of which the end is not known yet
    at = 0
    while at < len(parts):
        part = parts[at]
        if found and not open_:
            raise ValueError(f"{part!r} after the end of the tree; write one a line")
        if part == "(":
            label = parts[at + 1] if at + 1 < len(parts) else ""
            if label not in set("01234"):
                raise ValueError(
                    f"{label!r} after a bracket; write 0 (very negative) to 4 (very "
                    "positive)"
                )
            open_.append(len(found))
            found.append((int(label), len(words), 0))
            at += 1
        elif not open_:
            raise ValueError(f"{part!r} outside of a tree; write `(3 (2 a) (4 word))`")
        elif part == ")":
            which = open_.pop()
            label, start, _ = found[which]
            if start == len(words):
                raise ValueError("a phrase without a word; write `(2 word)`")
            found[which] = (label, start, len(words))
        else:
            word = ESCAPED.get(part, part)
            words.append(re.sub(r"\\([/*])", r"\1", word))
        at += 1
    if open_:
        raise ValueError(f"{len(open_)} brackets are not closed; close them")
    return [Node(label, tuple(words[start:end])) for label, start, end in found]


SST_TREES = Format(
    "sst_trees",
    read_sst_trees,
    first_line(r"\([0-4][ \t]+[^ \t]"),
    options=("fine", "phrases"),
    categories=lambda options: FIVE if options.fine else sorted(set(TWO.values())),
)
