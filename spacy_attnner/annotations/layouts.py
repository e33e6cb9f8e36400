"""What a format of export is, what it can hold, and records cut to that."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from ..corpora.record import Mention, Record
from ..texts.json_lines import json_line
from .doc_records import ENTS, Note

HALF = 0.5
DIGITS = 6  # of probabilities
OVERLAP = "entity that overlaps another one: the format has no place for it"
# what formats hold, and what is said where one does not
KINDS = {
    "overlaps": OVERLAP,
    "relations": "relation: the format has no place for it",
    "cats": "category: the format has no place for it",
    "id": "id: the format has no place for it",
    "meta": "meta: the format has no place for it",
    "scores": "confidence: the format has no place for it",
    "graded": "value of a category between 0 and 1: the format has no place for it",
    "unused": "category that applies to no document: the format names the others only",
    "sentences": "sentences of a document: the format has no place for them",
    "text": "spaces of a document's text: the format has none",
    "tokens": "document of tokens whose spaces are unknown: one is put between them",
}
NONE_APPLIES = "document to which no category applies: written without one"
KEY = "key of meta that has a meaning in the format: left out"
RENAMED = "label with whitespace: written with _"


@dataclass
class Sheet:
    """What a layout is told beside the record.

    note: Is told what is left out, or changed: kind, detail, how many.
    number: Of the document, from 1.
    model: The pipeline whose predictions these are; None for annotations.
    scheme: Of tags: bio, bioes or biluo.
    """

    note: Note
    number: int = 1
    model: str | None = None
    scheme: str = "bio"


@dataclass(frozen=True)
class Layout:
    """A format of export.

    name: What `--format` calls it; that of the reader of `convert`.
    holds: What it has a place for, of `KINDS`.
    lay_out: The text of a document or, of a folder, its files by their names, an
        empty name standing for one that the document's id gives.
    folder: The patterns of the names of its files, if it is a folder; the last is the
        name of one that each of them has.
    frame: What stands before all documents, between two of them, and after them.
    finish: Files of a folder that are made of the types that there were: of entities,
        and of relations with those of head and tail.
    """

    name: str
    holds: Collection[str]
    lay_out: Callable[[Record, Sheet], str | dict[str, str]]
    folder: Sequence[str] = ()
    frame: tuple[str, str, str] = ("", "", "")
    finish: Callable[[Collection[Any], Collection[Any]], dict[str, str]] = field(
        default=lambda entities, relations: {}
    )


def fit(record: Record, holds: Collection[str], note: Note) -> Record:
    """A record without what a format has no place for, all of it counted."""
    _note_lost(record, holds, note)
    cut: dict[str, Any] = {"relations": None, "cats": None, "id": None, "meta": {}}
    cut = {key: empty for key, empty in cut.items() if key not in holds}
    if "overlaps" not in holds and record.entities:
        kept = without_overlaps(record.entities)
        places = set(map(id, kept))
        for each in record.entities:
            if id(each) not in places:
                note(OVERLAP, f"{each.text!r} ({each.label})", 1)
        cut["entities"] = kept
    return replace(record, **cut)


def _note_lost(record: Record, holds: Collection[str], note: Note) -> None:
    spaces = record.spaces
    for what, n in (
        ("relations", len(record.relations or ())),
        ("cats", len(record.cats or ())),
        ("id", record.id is not None),
        ("meta", bool(record.meta)),
        ("scores", _n_scores(record)),
        ("graded", n_graded(record.cats or {}) if "cats" in holds else 0),
        ("sentences", record.sent_starts is not None),
        ("text", spaces is not None and not all(spaces[:-1])),
        ("tokens", spaces is None and len(record.words or ()) > 1),
    ):
        if n and what not in holds:
            note(KINDS[what], repr((record.text or "")[:40]), int(n))


def _n_scores(record: Record) -> int:
    links = record.relations or ()
    scores = [each.score for each in (*(record.entities or ()), *links)]
    return sum(score is not None for score in scores)


def n_graded(cats: Mapping[str, float]) -> int:
    """How many categories have a value between 0 and 1."""
    return sum(value not in (0, 1) for value in cats.values())


def note_graded(record: Record, sheet: Sheet) -> None:
    """Count values between 0 and 1 where a format has a place for predicted ones."""
    if sheet.model is None and (n := n_graded(record.cats or {})):
        sheet.note(KINDS["graded"], repr((record.text or "")[:40]), n)


def without_overlaps(mentions: Sequence[Mention]) -> list[Mention]:
    """Those of `doc.ents`, then the longest, that do not overlap, in their order."""
    taken = bytearray(max((each.end for each in mentions), default=0))
    kept: list[int] = []
    for i in sorted(range(len(mentions)), key=lambda i: _rank(mentions[i])):
        start, end = mentions[i].start, mentions[i].end
        if not any(taken[start:end]):
            taken[start:end] = b"\1" * (end - start)
            kept.append(i)
    return [mentions[i] for i in sorted(kept)]


def _rank(mention: Mention) -> tuple[bool, int, int]:
    return mention.place != ENTS, mention.start - mention.end, mention.start


def chosen(cats: Mapping[str, float]) -> list[str]:
    """The categories that apply: the likeliest of a distribution, else from 0.5 on."""
    if abs(sum(cats.values()) - 1) < 1e-3:
        return [max(cats, key=lambda label: cats[label])]
    return [label for label, value in cats.items() if value >= HALF]


def bounds_of(record: Record) -> list[tuple[int, int]]:
    """The characters of each token."""
    words = record.words or ()
    spaces = record.spaces or [True] * len(words)
    found, at = [], 0
    for word, space in zip(words, spaces, strict=True):
        found.append((at, at + len(word)))
        at += len(word) + space
    return found


def in_tokens(record: Record) -> list[tuple[int, int]]:
    """The first token of each entity, and the one behind its last."""
    bounds = bounds_of(record)
    firsts = {start: i for i, (start, _) in enumerate(bounds)}
    lasts = {end: i for i, (_, end) in enumerate(bounds, 1)}
    return [(firsts[e.start], lasts[e.end]) for e in record.entities or ()]


def sentence_cuts(record: Record) -> Iterator[tuple[int, int]]:
    """The tokens of each sentence, all of them where none are known."""
    n = len(record.words or ())
    starts = record.sent_starts or ()
    cuts = [0, *(i for i, begins in enumerate(starts) if begins and i), n]
    yield from pairwise(cuts)


def with_meta(
    value: dict[str, Any], record: Record, reserved: Collection[str], note: Note
) -> dict[str, Any]:
    """An object with the metadata of a record beside its own keys."""
    for key, each in record.meta.items():
        if key in reserved or key in value:
            note(KEY, f"{key!r}: {each!r}"[:60], 1)
        else:
            value[key] = each
    return value


def with_score(score: float | None) -> dict[str, float]:
    """What stands beside a prediction; nothing beside an annotation."""
    return {} if score is None else {"score": round(score, DIGITS)}


def as_line(value: Any) -> str:
    return json_line(value) + "\n"


def one_word(label: str, note: Note) -> str:
    """A label without whitespace."""
    name = "_".join(label.split())
    if name != label:
        note(RENAMED, repr(label), 1)
    return name
