"""What a reader makes of a corpus file, and exports of a document: records.

A record holds what the file says, and no more. What is None is not annotated; an empty
list means that there is none. `documents.py` alone makes documents of records, and
`annotations/doc_records.py` records of documents.
"""

from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Mention:
    """An entity, or a part of a text that a tool marked.

    start, end: Characters if the record has a text, else tokens; the end exclusive.
    label: Its type.
    place: What the format calls it, such as "entities[1]" or "T3", for messages.
    text: What it covers, where the format stores it; whitespace counts as one space.
    line: The line that it stands on, where that is not the record's.
    score: The probability that a pipeline gave it; None for annotations.
    """

    start: int
    end: int
    label: str
    place: str = "entity"
    text: str | None = None
    line: int | None = None
    score: float | None = None


FLAWED = Mention(-1, -1, "")  # in the place of an entity that could not be read


@dataclass(frozen=True, slots=True)
class Link:
    """A relation.

    head, tail: Its arguments, as places in the record's list of entities.
    label: Its type.
    place: What the format calls it, for messages.
    line: The line that it stands on, where that is not the record's.
    score: The probability that a pipeline gave it; None for annotations.
    """

    head: int
    tail: int
    label: str
    place: str = "relation"
    line: int | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A document as its file has it.

    text: The text, which the tokenizer splits unless `words` are given as well.
    words: The tokens.
    spaces: Whether a space follows each of them; None if the format does not say.
    sent_starts: Whether each of them begins a sentence; None if that is not said.
    entities: What is marked; spans may overlap.
    relations: What joins two of the entities.
    cats: Categories and their values, from 0 to 1.
    id: What the file calls the document.
    meta: Whatever else is to be kept of it.
    partial: Whether entities were looked for only where there are some; the other
        tokens are then not annotated.
    """

    text: str | None = None
    words: Sequence[str] | None = None
    spaces: Sequence[bool] | None = None
    sent_starts: Sequence[bool] | None = None
    entities: Sequence[Mention] | None = None
    relations: Sequence[Link] | None = None
    cats: Mapping[str, float] | None = None
    id: str | int | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    partial: bool = False


def first_of_each(sentences: Iterable[Sized]) -> list[bool]:
    """Whether each token of some sentences is the first of its own."""
    return [i == 0 for sentence in sentences for i in range(len(sentence))]
