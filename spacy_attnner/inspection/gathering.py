"""Annotated documents as flat arrays: what all that is looked for is looked for in.

A word takes some ten bytes here and a hundred in a `Doc`: of a corpus in parts, one
part at a time is read, and what stays of it is this.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy
from numpy.typing import NDArray
from spacy.attrs import ENT_IOB, ORTH, SPACY
from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab
from tqdm import tqdm

from ..errors import UserError, sound
from ..relations import get_relations, has_relations
from ..relations.storage import relation_keys
from ..report.run import check_data
from ..terminal import visible

SPLITS = ("train", "dev", "test")
ID = "id"  # of `doc.user_data`, where `convert` keeps it
AROUND = 6  # words that are shown on either side of a span
LONGEST = 160  # characters of a text that is shown


class Entity(NamedTuple):
    """A span of `doc.ents`, in words of all documents; `end` is the first after it.

    ragged: Whether a whitespace token was at an edge.
    """

    doc: int
    start: int
    end: int
    label: str
    ragged: bool = False


class Joined(NamedTuple):
    """A relation. loose: How many of its arguments are no entity of `doc.ents`."""

    head: Entity
    tail: Entity
    label: str
    loose: int


@dataclass(frozen=True)
class Spot:
    """Where something is.

    split: "train", … number: Of the document, from 0. id: The annotator's, if kept.
    text: What stands there.
    """

    split: str
    number: int
    id: str | None
    text: str


@dataclass
class Gathered:
    """Documents of up to three splits. Whitespace tokens are left out.

    splits: Names, in the order of the documents. paths: Where they come from.
    doc_split: The split of each document. doc_ends: Its last word's end.
    words: Each word's number in `strings`. spaced: Whether a space follows it.
    missing: Whether its entity annotation is missing.
    sentence_starts: Words that begin a sentence, where sentences are known.
    """

    splits: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    doc_split: array = field(default_factory=lambda: array("b"))
    doc_ends: array = field(default_factory=lambda: array("q"))
    doc_ids: dict[int, str] = field(default_factory=dict)
    words: array = field(default_factory=lambda: array("i"))
    spaced: bytearray = field(default_factory=bytearray)
    missing: bytearray = field(default_factory=bytearray)
    sentence_starts: array = field(default_factory=lambda: array("q"))
    with_sentences: list[int] = field(default_factory=list)
    with_entities: list[int] = field(default_factory=list)
    with_relations: list[int] = field(default_factory=list)
    entities: list[Entity] = field(default_factory=list)
    relations: list[Joined] = field(default_factory=list)
    cats: dict[int, dict[str, float]] = field(default_factory=dict)
    groups: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    strings: list[str] = field(default_factory=list)
    numbers: dict[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.doc_ends)

    def add(self, doc: Doc, split: int) -> None:
        """Take a document in. Raises ValueError if its relations are unsound."""
        number, first = len(self), len(self.words)
        before = self._add_words(doc)
        self.doc_split.append(split)
        self.doc_ends.append(len(self.words))
        name = doc.user_data.get(ID)
        if name is not None:
            self.doc_ids[number] = str(name)
        if doc.has_annotation("SENT_START"):
            self.with_sentences.append(number)
            starts = {int(before[sent.start]) for sent in doc.sents}
            self.sentence_starts.extend(
                first + i for i in sorted(starts) if i < before[-1]
            )
        self._add_annotation(doc, number, first, before, self.splits[split])

    def _add_words(self, doc: Doc) -> NDArray:
        """Returns how many words stand before each token, and in all."""
        attrs = doc.to_array([ORTH, SPACY, ENT_IOB])
        orths = attrs[:, 0].tolist()
        numbers = [self._number(doc.vocab, orth) for orth in orths]
        words = [number >= 0 for number in numbers]
        before = numpy.cumsum([0, *words])
        self.words.extend(number for number in numbers if number >= 0)
        spaced = attrs[:, 1] > 0
        # a whitespace token is a space behind the word before it
        spaced[:-1] |= ~numpy.array(words[1:], dtype=bool)
        self.spaced.extend(spaced[words].tobytes())
        self.missing.extend((attrs[words, 2] == 0).tobytes())
        return before

    def _number(self, vocab: Vocab, orth: int) -> int:
        """The number of a word, -1 for whitespace."""
        number = self.numbers.get(orth)
        if number is None:
            text = vocab.strings[orth]
            number = -1 if text.isspace() else len(self.strings)
            self.numbers[orth] = number
            self.strings += [] if number < 0 else [text]
        return number

    def _add_annotation(
        self, doc: Doc, number: int, first: int, before: NDArray, split: str
    ) -> None:
        def entity(span: Span) -> Entity:
            start, end = first + before[span.start], first + before[span.end]
            text = span.text
            ragged = text != text.strip()
            return Entity(number, int(start), int(end), span.label_, ragged)

        if doc.has_annotation("ENT_IOB"):
            self.with_entities.append(number)
        own = [entity(ent) for ent in doc.ents]
        self.entities += [ent for ent in own if ent.end > ent.start]
        known = {ent[:4] for ent in own}
        if has_relations(doc):
            self.with_relations.append(number)
            for each in get_relations(doc):
                head, tail = entity(each.head), entity(each.tail)
                loose = sum(arg[:4] not in known for arg in (head, tail))
                self.relations.append(Joined(head, tail, each.label, loose))
        if doc.cats:
            self.cats[number] = dict(doc.cats)
        for key in doc.spans.keys() - set(relation_keys(doc)):
            self.groups.update((split, key, span.label_) for span in doc.spans[key])

    # what is asked of it

    @cached_property
    def flat(self) -> NDArray:
        """The words, (n_words,)."""
        return numpy.frombuffer(self.words, dtype="int32")

    @cached_property
    def ends(self) -> NDArray:
        """The end of each document, (n_docs,)."""
        return numpy.array(self.doc_ends, dtype="int64")

    @cached_property
    def starts(self) -> NDArray:
        """The first word of each document, (n_docs,)."""
        return numpy.concatenate([[0], self.ends[:-1]])[: len(self)]

    @cached_property
    def split_of(self) -> NDArray:
        """The split of each document, (n_docs,)."""
        return numpy.array(self.doc_split, dtype="int64")

    def first_of(self, split: int) -> int:
        """The first document of a split."""
        return int(numpy.searchsorted(self.split_of, split))

    def in_split(self, name: str) -> range:
        """The documents of a split."""
        split = self.splits.index(name)
        return range(self.first_of(split), self.first_of(split + 1))

    def of_doc(self, doc: int) -> str:
        """The name of the split that a document is in."""
        return self.splits[self.doc_split[doc]]

    def text(self, start: int, end: int) -> str:
        """The words of a span as they stand."""
        parts = []
        for i in range(start, end):
            parts.append(self.strings[self.words[i]])
            parts.append(" " if self.spaced[i] else "")
        return "".join(parts).strip()

    def phrase(self, entity: Entity) -> str:
        """The text of an entity."""
        return self.text(entity.start, entity.end)

    def spot(self, doc: int, start: int, end: int, text: str | None = None) -> Spot:
        """A place, with its text or the words of a span."""
        if text is None:
            text = self.text(start, min(end, start + LONGEST))
        text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
        number = doc - self.first_of(self.doc_split[doc])
        return Spot(self.of_doc(doc), number, self.doc_ids.get(doc), text)

    def spot_of(self, doc: int) -> Spot:
        """A whole document, as far as it is shown."""
        return self.spot(doc, int(self.starts[doc]), int(self.ends[doc]))

    def spot_around(self, doc: int, start: int, end: int, note: str = "") -> Spot:
        """A span in brackets, with some words around it."""
        first = max(int(self.starts[doc]), start - AROUND)
        last = min(int(self.ends[doc]), end + AROUND)
        left, right = self.text(first, start), self.text(end, last)
        parts = [left, f"[{self.text(start, end)}]{note}", right]
        return self.spot(doc, start, end, " ".join(filter(None, parts)))


def files_of(data: Path) -> list[Path]:
    """The `.spacy` files of a path; raises UserError if there is none."""
    check_data(data)
    return sorted(data.rglob("*.spacy")) if data.is_dir() else [data]


def gather(paths: Iterable[Path], *, progress: bool = False) -> Gathered:
    """Read the documents of train, dev and test, in this order.

    paths: A file or a folder of each.
    progress: Show a bar on stderr, if that is a terminal.

    Raises UserError if one cannot be read, or holds no document.
    """
    found = Gathered()
    for name, path in zip(SPLITS, paths, strict=False):
        found.splits.append(name)
        found.paths.append(str(path))
        before = len(found)
        for file in files_of(path):
            with sound(f"{file} cannot be read", "Make it again; it may be cut short."):
                for doc in read_docs(file, progress=progress):
                    found.add(doc, len(found.splits) - 1)
        if len(found) == before:
            raise UserError(
                f"{path} holds no document", "Give a file of annotated documents."
            )
    return found


def read_docs(path: Path, *, progress: bool = False) -> Iterator[Doc]:
    """The documents of a file, with a vocabulary of their own."""
    docs = DocBin(store_user_data=True).from_disk(path)
    yield from tqdm(
        docs.get_docs(Vocab()),
        total=len(docs),
        desc=visible(path.name),
        unit=" docs",
        leave=False,
        disable=None if progress else True,
    )
