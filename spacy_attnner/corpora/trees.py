"""The Stanford Sentiment Treebank: a sentiment at every node of a sentence's tree."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spacy.tokens import Doc
from spacy.vocab import Vocab

from .labelled_text import SST2_LABELS, make_docs
from .reading import Labels, Source

FIVE = ("VERY_NEGATIVE", "NEGATIVE", "NEUTRAL", "POSITIVE", "VERY_POSITIVE")
TWO = {
    0: SST2_LABELS["0"],
    1: SST2_LABELS["0"],
    3: SST2_LABELS["1"],
    4: SST2_LABELS["1"],
}
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


def read_sst_trees(
    path: str | Path,
    vocab: Vocab,
    *,
    fine: bool = False,
    phrases: bool = False,
    labels: Labels = None,
) -> Iterator[Doc]:
    """Read trees, `(3 (2 a) (4 delight))`, one a line.

    What the Penn Treebank escapes (`-LRB-`, `\\/`, quotes) is as it was written.

    vocab: The vocabulary of the documents.
    fine: Five categories, VERY_NEGATIVE to VERY_POSITIVE, instead of NEGATIVE and
        POSITIVE alone, which leave neutral phrases out.
    phrases: A document of every phrase (words that occur twice once), instead of whole
        sentences alone.
    labels: The categories allowed; None allows all.

    Raises CorpusError if a line or the file is malformed.
    """
    source = Source(path, labels)
    names: dict[int, str] = dict(enumerate(FIVE)) if fine else TWO
    texts = _read_texts(source, names, phrases)
    return source.documents(make_docs(vocab, texts, labels or set(names.values())))


def _read_texts(
    source: Source, names: dict[int, str], phrases: bool
) -> Iterator[tuple[str, list[str]]]:
    seen: set[tuple[str, ...]] = set()
    for line in filter(str.strip, source.lines()):
        nodes = parse_tree(line)
        for node in nodes if phrases else nodes[:1]:
            if node.label not in names or (phrases and node.words in seen):
                continue
            seen.add(node.words)
            yield names[node.label], list(node.words)


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
