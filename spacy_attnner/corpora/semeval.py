"""SemEval-2010 Task 8: two marked nominals a sentence and the relation between them.

    8001<TAB>"The <e1>flood</e1> was caused by heavy <e2>rain</e2>."
    Cause-Effect(e2,e1)
    Comment: not the rain of the day before

A relation goes from its first argument to its second; `Other` means that no relation
holds, of the kinds looked for. The comment may be left out; so may the relation, as in
`TEST_FILE.txt`, and is not annotated then. Blank lines mean nothing.

Only the two nominals of a sentence were looked at, so the entities of its other tokens
are missing, not "outside". Hendrickx et al. 2010, https://aclanthology.org/S10-1006;
the README of the data's full release describes the files.
"""

import html
import re
from collections.abc import Callable, Iterator
from html.entities import html5
from typing import NamedTuple

from .reading import Numbered, Source
from .recognition import Format, first_line
from .record import Link, Mention, Record

SENTENCE = re.compile(r"\d+[ \t]+(.*)")
RELATION = re.compile(r"([^\s()]+)\s*\(\s*(e[12])\s*,\s*(e[12])\s*\)")
COMMENT = "Comment:"
OTHER = "Other"
NAMES = ("e1", "e2")
TAG = re.compile(r"</?e[12]>")
ORDERS = (
    ["<e1>", "</e1>", "<e2>", "</e2>"],
    ["<e2>", "</e2>", "<e1>", "</e1>"],
)
REFERENCE = re.compile(r"&(#\d+;|#[xX][0-9a-fA-F]+;|[A-Za-z][A-Za-z0-9]*;)")
DECODED = "HTML character reference in the text: decoded"
SPACES = "space between an entity and its tag: moved out of the tags"
ENTITY_LABEL = "ENTITY"  # of entities that have none
Count = Callable[[str, str], None]  # counts a repair: its kind, the offending text


class MarkedText(NamedTuple):
    """A text and where its entities stand.

    text: The sentence without its quotes and tags.
    places: Of "e1" and "e2", the character offsets, the end exclusive.
    """

    text: str
    places: dict[str, tuple[int, int]]


class _Entry(NamedTuple):
    """The lines on one sentence; `relation` is (line, text), None if it is left out."""

    line: int
    sentence: str
    relation: tuple[int, str] | None


def read_semeval2010(source: Source) -> Iterator[Record]:
    """Read a SemEval-2010 Task 8 file, one record a sentence.

    A token that holds more than an entity is split further; to have `spacy train` see
    such tokens, read the corpus with `gold_preproc = true`. `options.entity_label` is
    the label of the nominals, which have no types.
    """
    label = source.options.entity_label
    if label is None:
        label = ENTITY_LABEL

    def parse(block: list[Numbered]) -> Iterator[Record]:
        entry = _read_entry(source, block)
        if entry:
            yield _make_record(source, entry, label)

    return source.records(source.blocks(_begins), parse)


def _begins(line: str) -> bool:
    return bool(SENTENCE.fullmatch(line.strip()))


def _make_record(source: Source, entry: _Entry, label: str) -> Record:
    source.line = entry.line
    if not label:
        raise ValueError("entity label is empty; name its type")
    marked = MarkedText("", {})
    with source.flaws.of(entry.line):
        marked = read_marked_text(entry.sentence, source.repaired)
    names = list(marked.places) or [*NAMES]
    links = None
    if entry.relation:
        source.line, text = entry.relation
        with source.flaws.of(source.line):
            links = _read_relation(text, names, source.line)
    mentions = [
        Mention(*place, label, name, line=entry.line)
        for name, place in marked.places.items()
    ]
    return Record(marked.text, entities=mentions, relations=links, partial=True)


def _read_entry(source: Source, block: list[Numbered]) -> _Entry | None:
    entry: _Entry | None = None
    for source.line, line in block:
        line = line.strip()
        if sentence := SENTENCE.fullmatch(line):
            entry = _Entry(source.line, sentence[1], None)
        elif line and entry is None:
            raise ValueError(
                f"{line[:40]!r} precedes the first sentence; write NUMBER<TAB>"
                '"The <e1>…</e1> … <e2>…</e2> …" in double quotes'
            )
        elif line and entry and not line.startswith(COMMENT):
            if entry.relation:
                raise ValueError(
                    f"{line[:40]!r} follows the relation {entry.relation[1]!r}; "
                    "a sentence has one, then `Comment: …`"
                )
            entry = entry._replace(relation=(source.line, line))
    return entry


def _read_relation(text: str, names: list[str], line: int) -> list[Link]:
    if text == OTHER:
        return []
    found = RELATION.fullmatch(text)
    if not found or found[1] == OTHER:
        raise ValueError(
            f"relation {text!r} is none of LABEL(e1,e2), LABEL(e2,e1) and {OTHER}; "
            "write one of these"
        )
    label, head, tail = found.groups()
    if head == tail:
        raise ValueError(
            f"relation {text!r} joins {head} to itself; write {label}(e1,e2) or "
            f"{label}(e2,e1)"
        )
    return [Link(names.index(head), names.index(tail), label, line=line)]


def read_marked_text(quoted: str, record: Count) -> MarkedText:
    """Take a sentence in double quotes apart.

    quoted: The sentence; quotes inside it belong to the text.
    record: Counts a repair, `record(kind, text)`.

    Raises ValueError if it is not in quotes, if either entity is not marked exactly
    once and apart from the other, or if one is empty.
    """
    if len(quoted) < 2 or quoted[0] != '"' or quoted[-1] != '"':
        raise ValueError(f"{quoted[:40]!r} is not in double quotes; add them")
    tags = TAG.findall(quoted)
    if tags not in ORDERS:
        raise ValueError(
            f"the tags of {quoted[:40]!r} are {' '.join(tags) or 'none'}; mark one "
            "entity <e1>…</e1> and one <e2>…</e2>, neither inside the other"
        )
    parts = [_decode(part, record) for part in TAG.split(quoted[1:-1])]
    _move_spaces(parts, record)
    places: dict[str, tuple[int, int]] = {}
    text = ""
    for i, part in enumerate(parts):
        if i in (1, 3):
            if not part:
                raise ValueError(f"nothing is in {tags[i - 1]}{tags[i]}; mark a word")
            places[tags[i][2:4]] = len(text), len(text) + len(part)
        text += part
    return MarkedText(text, places)


def _decode(part: str, record: Count) -> str:
    decoded = REFERENCE.sub(_decode_reference, part)
    if decoded != part:
        record(DECODED, repr(part[:40]))
    return decoded


def _decode_reference(found: re.Match[str]) -> str:
    # html.unescape() alone would also decode `&notable;`, and `Q&para` without an end
    known = found[1].startswith("#") or found[1] in html5
    return html.unescape(found[0]) if known else found[0]


def _move_spaces(parts: list[str], record: Count) -> None:
    """Leave no space at either end of the sentence or of an entity.

    parts: The text before, in, between, in and after the entities.
    """
    for i in (1, 3):
        entity = parts[i]
        parts[i] = entity.strip()
        if parts[i] == entity:
            continue
        record(SPACES, repr(entity))
        # one space, be there spaces on both sides of the tag or on one
        if entity[:1].isspace():
            parts[i - 1] = f"{parts[i - 1].rstrip()} "
        if entity[-1:].isspace():
            parts[i + 1] = f" {parts[i + 1].lstrip()}"
    parts[0], parts[-1] = parts[0].lstrip(), parts[-1].rstrip()


SEMEVAL2010 = Format(
    "semeval2010",
    read_semeval2010,
    first_line(r"\d+[ \t]+\".*</e[12]>"),
    options=("entity_label",),
    align="split",
)
