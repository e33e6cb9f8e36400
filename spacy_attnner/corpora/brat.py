"""BRAT's folders: a text in `NAME.txt`, what is marked in it in `NAME.ann`.

    T1<TAB>PER 0 3<TAB>Ada
    T2<TAB>LOC 14 16;20 24<TAB>in Oslo
    R1<TAB>Live_In Arg1:T1 Arg2:T2
    A1<TAB>Negated T1

`T` are entities; one in several pieces gets all that lies between them, which is
counted. `R` are relations from their first argument to the second, `*<TAB>Equiv T1 T2`
and events (`E`) are left out and counted, but for their triggers, which are entities
and, in their place, arguments of relations.
Attributes (`A`, `M`), normalizations (`N`) and notes (`#`) go to `meta`, with
entities and relations numbered by their order. A text without `.ann` is not annotated,
nor are relations if no text has one; other files of the folder are passed over.

https://brat.nlplab.org/standoff.html
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .complaints import CorpusError
from .reading import Source
from .recognition import Format, Glimpse
from .record import FLAWED, Link, Mention, Record

NAME = re.compile(r"[TREAMN]\d+\S*|#\S*|\*")
ENTITY = re.compile(r"(\S+) (-?\d+ -?\d+(?:;-?\d+ -?\d+)*)")
RELATION = re.compile(r"(\S+)\s+(\w+):(\S+)\s+(\w+):(\S+)\s*")
ORDER = {"T": 0, "E": 1}
SECOND = "Arg2"  # where it is given before the first
PIECES = "entity in several pieces: made one that holds what lies between them"
EVENT = "event: left out, but for its trigger"
EQUIVALENT = "equivalence (*): left out"
NO_ANN = "text without .ann: not annotated"
Found = dict[str, Mention]


def read_brat(source: Source) -> Iterator[Record]:
    """Read a folder of texts and their annotations, and the folders in it.

    Raises CorpusError if it is no folder.
    """
    if not source.path.is_dir():
        raise CorpusError(
            source.path, None, "is no folder; give the one of the .txt and .ann files"
        )
    return source.records(
        source.files(_is_document), lambda path: [_read_file(path, source)]
    )


def _is_document(path: Path) -> bool:
    """Whether it is a text, or annotations without one."""
    if path.suffix == ".ann":
        return not path.with_suffix(".txt").exists()
    return path.suffix == ".txt"


@dataclass
class _Standoff:
    """What stands in one `.ann`.

    entities, triggers: By their names; those of events are names of entities.
    """

    entities: Found = field(default_factory=dict)
    triggers: dict[str, str] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    meta: dict[str, Any] = field(default_factory=dict)


def _read_file(path: Path, source: Source) -> Record:
    if path.suffix == ".ann":
        raise ValueError(f"there is no {path.with_suffix('.txt').name}; add the text")
    text = _read_text(path, source)
    name = source.name_of(path)
    annotations = path.with_suffix(".ann")
    if not annotations.exists():
        source.repaired(NO_ANN, path.name)
        return Record(text, id=name)
    lines = list(enumerate(_read_text(annotations, source).split("\n"), 1))
    found = _Standoff()
    # relations may stand before what they join, entities or events
    for source.line, line in sorted(lines, key=lambda item: ORDER.get(item[1][:1], 2)):
        with source.flaws.of(source.line):
            _read_line(line, found, source)
    source.line = 1
    mentions = list(found.entities.values())
    meta = _renumber(found.meta, found.entities, found.links)
    return Record(text, entities=mentions, relations=found.links, id=name, meta=meta)


def _renumber(meta: dict[str, Any], found: Found, links: list[Link]) -> dict[str, Any]:
    """What is said of entities and relations, named by their order in the text.

    Documents forget the names of files, and are exported with these.
    """
    order = sorted({brat_order(each) for each in found.values()})
    names = {key: f"T{i}" for i, key in enumerate(order, 1)}
    new = {name: names[brat_order(each)] for name, each in found.items()}
    new |= {link.place: f"R{i}" for i, link in enumerate(links, 1)}
    renamed: dict[str, Any] = {}
    for key, lines in meta.items():
        words: list[list[str]] = [line.split(" ", 3) for line in lines]
        renamed[key] = [
            " ".join([*each[:2], new.get(each[2], each[2]), *each[3:]])
            if len(each) > 2
            else " ".join(each)
            for each in words
        ]
    return renamed


def brat_order(mention: Mention) -> tuple[int, int, str]:
    """What entities are numbered by."""
    return mention.start, -mention.end, mention.label


def _read_text(path: Path, source: Source) -> str:
    source.file = path
    raw = source.content()
    encoding = source.encoding or "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        bad = raw[error.start : error.end]
        source.line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{bad!r} is not utf-8; save {path.name} as utf-8, or give its encoding, "
            "such as --encoding latin-1"
        ) from error


def _read_line(line: str, found: _Standoff, source: Source) -> None:
    if not line.strip():
        return
    name, _, rest = line.rstrip("\r").partition("\t")
    kind = name[:1] if NAME.fullmatch(name) else ""
    if kind == "T":
        if name in found.entities:
            raise ValueError(f"{name} is given twice; number them anew")
        found.entities[name] = FLAWED  # for relations of it
        found.entities[name] = _read_entity(name, rest, source)
    elif kind == "R":
        found.links.append(_read_relation(name, rest, found, source))
    elif kind == "E":
        source.repaired(EVENT, f"{name} {rest}")
        trigger = rest.split(" ", 1)[0].rpartition(":")[2]
        found.triggers[name] = trigger.strip()
    elif kind == "*":
        source.repaired(EQUIVALENT, rest)
    elif kind in ("A", "M", "N", "#"):
        key = {"N": "normalizations", "#": "notes"}.get(kind, "attributes")
        found.meta.setdefault(key, []).append(f"{name} {rest}".replace("\t", " "))
    else:
        raise ValueError(
            f"{line[:40]!r} begins with none of T, R, E, A, M, N, # and *; write "
            "T1<TAB>TYPE 0 3<TAB>text, R1<TAB>TYPE Arg1:T1 Arg2:T2"
        )


def _read_entity(name: str, rest: str, source: Source) -> Mention:
    body, _, covered = rest.partition("\t")
    parts = ENTITY.fullmatch(body.strip())
    if not parts:
        raise ValueError(f"{name} {body!r} is no TYPE START END; write PER 0 3 there")
    pieces = [tuple(map(int, each.split())) for each in parts[2].split(";")]
    whole = len(pieces) == 1
    if not whole:
        source.repaired(PIECES, f"{name} {covered!r}")
    start, end = min(p[0] for p in pieces), max(p[1] for p in pieces)
    stored = covered if whole and covered else None
    return Mention(start, end, parts[1], name, stored, source.line)


def _read_relation(name: str, rest: str, found: _Standoff, source: Source) -> Link:
    parts = RELATION.fullmatch(rest.strip())
    if not parts:
        raise ValueError(
            f"{name} {rest!r} is no relation; write {name}<TAB>TYPE Arg1:T1 Arg2:T2"
        )
    label, first, *ends = parts.group(1, 2, 3, 5)
    names = list(found.entities)
    head, tail = (found.triggers.get(end, end) for end in ends)
    if first == SECOND:
        head, tail = tail, head
    for each in (head, tail):
        if each not in names:
            raise ValueError(f"{name} joins {each}, which is no entity of the file")
    return Link(names.index(head), names.index(tail), label, name, source.line)


def fits_brat(glimpse: Glimpse) -> bool:
    """Whether a folder holds annotations."""
    return glimpse.path.is_dir() and any(glimpse.path.rglob("*.ann"))


BRAT = Format("brat", read_brat, fits_brat, folder=True, joined=True)
