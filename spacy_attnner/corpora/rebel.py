"""REBEL's data set and what its model writes: relations between entities of a text.

    {"docid": "1", "title": "Ada", "uri": "Q1", "text": "Ada left Oslo.",
     "entities": [{"uri": "Q1", "boundaries": [0, 3], "surfaceform": "Ada", …}, …],
     "triples": [{"subject": {"boundaries": [0, 3], …}, "object": {…},
                  "predicate": {"uri": "P1", "surfaceform": "left"}, …}]}
    {"id": "1", "context": "Ada left Oslo.",
     "triplets": "<triplet> Ada <subj> Oslo <obj> left <subj> Bergen <obj> left"}

In linearized triplets the types of head and tail may stand instead of `subj` and `obj`,
`<triplet> Ada <per> Oslo <loc> left`. Entities without a type get that of
`--entity-label`. A triplet is put where its arguments stand nearest to each other;
if one is not in the text it is left out and counted, as a triplet given twice is. The
entities of linearized triplets are not all of the text: its other tokens are not
annotated.

Huguet Cabot & Navigli 2021, https://aclanthology.org/2021.findings-emnlp.204,
https://github.com/Babelscape/rebel (`data/rebel/sample.jsonl`, `datasets/`)
"""

import re
from collections.abc import Iterator
from typing import Any

from .alignment import nearest
from .json_values import check_type
from .reading import Source
from .recognition import Format
from .record import Link, Mention, Record
from .semeval import ENTITY_LABEL

TEXTS, TRIPLETS = ("context", "text"), ("triplets", "generated_text")
READ = ("docid", "title", "uri", "text", "entities", "triples")
START = "<triplet>"
SPECIAL = re.compile(r"</?s>|<pad>")
MARK = re.compile(r"<(\w+)>")
UNTYPED = ("subj", "obj")
PIECE = re.compile(r"\w+|[^\w\s]")
NOWHERE = "triplet with an argument that is not in the text: left out"
AGAIN = "triplet given twice, or of an entity and itself: left out"
BROKEN = "triplet without head, tail or relation: left out"
Spot = tuple[int, int, str]  # characters and type of an entity
Triplet = tuple[tuple[str, str], tuple[str, str], str]  # head and tail, typed; relation


def read_rebel(source: Source) -> Iterator[Record]:
    """Read either; `options.entity_label` is the label of entities without a type."""

    def make(value: dict[str, Any]) -> Record:
        read = _read_article if "triples" in value else _read_linearized
        return read(value, source)

    return source.objects(make)


def _read_article(value: dict[str, Any], source: Source) -> Record:
    mentions: list[Mention] = []
    places: dict[tuple[int, int], int] = {}
    source.flaws.each(
        value.get("entities"),
        "entities",
        lambda item, name: _place(item, name, mentions, places, source),
    )
    links: dict[tuple[int, int, str], Link] = {}

    def read(item: Any, name: str) -> None:
        check_type(item, dict, name)
        head, tail = (
            _place(item.get(key), f"{name} {key}", mentions, places, source)
            for key in ("subject", "object")
        )
        predicate = check_type(item.get("predicate"), dict, f"{name} predicate")
        label = check_type(predicate.get("surfaceform"), str, f"{name} predicate")
        _add(links, Link(head, tail, label, name), source)

    source.flaws.each(value["triples"], "triples", read)
    source.count_unread(value, READ)
    return Record(
        check_type(value.get("text"), str, "text"),
        entities=mentions,
        relations=list(links.values()),
        id=value.get("docid"),
        meta={key: value[key] for key in ("title", "uri") if key in value},
    )


def _place(
    item: Any,
    name: str,
    mentions: list[Mention],
    places: dict[tuple[int, int], int],
    source: Source,
) -> int:
    """The place of an entity among the mentions, to which it is added if need be."""
    ends = check_type(item, dict, name).get("boundaries")
    if not isinstance(ends, list) or [type(at) for at in ends] != [int, int]:
        raise ValueError(f"{name} boundaries is {ends!r}; give [start, end]")
    start, end = ends
    if (start, end) not in places:
        places[start, end] = len(mentions)
        label = source.options.entity_label or ENTITY_LABEL
        mentions.append(Mention(start, end, label, name, item.get("surfaceform")))
    return places[start, end]


def _add(links: dict[tuple[int, int, str], Link], link: Link, source: Source) -> None:
    key = link.head, link.tail, link.label
    if key in links or link.head == link.tail:
        source.repaired(AGAIN, f"{link.place} {link.label!r}")
    else:
        links[key] = link


def _read_linearized(value: dict[str, Any], source: Source) -> Record:
    text_key, key = (
        next((each for each in keys if each in value), keys[0])
        for keys in (TEXTS, TRIPLETS)
    )
    text = check_type(value.get(text_key), str, text_key)
    spots: dict[Spot, int] = {}
    links: dict[tuple[int, int, str], Link] = {}
    for *ends, label in parse_triplets(check_type(value.get(key), str, key), source):
        default = source.options.entity_label or ENTITY_LABEL
        heads, tails = (
            [(*place, kind or default) for place in _occurrences(surface, text)]
            for surface, kind in ends
        )
        pair = nearest(heads, tails, start=lambda spot: spot[0])
        if pair:
            head, tail = (spots.setdefault(spot, len(spots)) for spot in pair)
            _add(links, Link(head, tail, label, f"{key} {label!r}"), source)
        else:
            source.repaired(NOWHERE, repr((ends[0][0], label, ends[1][0])))
    return Record(
        text,
        entities=[Mention(*spot) for spot in spots],
        relations=list(links.values()),
        partial=True,
        id=value.get("id"),
        meta={"title": value["title"]} if "title" in value else {},
    )


def parse_triplets(text: str, source: Source) -> Iterator[Triplet]:
    """The triplets of a line; one that is broken off is counted.

    Raises ValueError if the text holds something else.
    """
    _, *parts = SPECIAL.sub(" ", text).split(START)
    if text.strip() and not parts:
        raise ValueError(f"{text[:40]!r} holds no {START}")
    for part in parts:
        head, *others = (piece.strip() for piece in MARK.split(part))
        for i in range(0, max(len(others), 1), 4):
            group = others[i : i + 4]
            if len(group) < 4 or not all((head, *group)):
                source.repaired(BROKEN, repr(part.strip()))
                break
            types = ["" if kind in UNTYPED else kind.upper() for kind in group[::2]]
            yield (head, types[0]), (group[1], types[1]), group[3]


def _occurrences(surface: str, text: str) -> list[tuple[int, int]]:
    """Where it stands in a text as whole words, however they are spaced."""
    pattern = r"\s*".join(map(re.escape, PIECE.findall(surface)))
    return [found.span() for found in re.finditer(rf"(?<!\w){pattern}(?!\w)", text)]


def claims_rebel(value: dict[str, Any]) -> bool:
    """Whether an object can be of no other format."""
    if {"triples", "entities"} <= set(value):
        return True
    lines = (value.get(key) for key in TRIPLETS)
    return any(isinstance(line, str) and START in line for line in lines)


REBEL = Format("rebel", read_rebel, claims=claims_rebel, options=("entity_label",))
