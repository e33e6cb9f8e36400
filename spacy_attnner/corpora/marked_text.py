"""A sentence whose two entities are marked in the text: <e1>…</e1> and <e2>…</e2>."""

import html
import re
from collections.abc import Callable
from html.entities import html5
from typing import NamedTuple

TAG = re.compile(r"</?e[12]>")
ORDERS = (
    ["<e1>", "</e1>", "<e2>", "</e2>"],
    ["<e2>", "</e2>", "<e1>", "</e1>"],
)
REFERENCE = re.compile(r"&(#\d+;|#[xX][0-9a-fA-F]+;|[A-Za-z][A-Za-z0-9]*;)")
DECODED = "HTML character reference in the text: decoded"
SPACES = "space between an entity and its tag: moved out of the tags"


class MarkedText(NamedTuple):
    """A text and where its entities stand.

    text: The sentence without its quotes and tags.
    places: Of "e1" and "e2", the character offsets, the end exclusive.
    """

    text: str
    places: dict[str, tuple[int, int]]


def read_marked_text(quoted: str, record: Callable[..., None]) -> MarkedText:
    """Take a sentence in double quotes apart.

    quoted: The sentence; quotes inside it belong to the text.
    record: Counts a repair, `record(kind, detail=text)`.

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


def _decode(part: str, record: Callable[..., None]) -> str:
    decoded = REFERENCE.sub(_decode_reference, part)
    if decoded != part:
        record(DECODED, detail=repr(part[:40]))
    return decoded


def _decode_reference(found: re.Match[str]) -> str:
    # html.unescape() alone would also decode `&notable;`, and `Q&para` without an end
    known = found[1].startswith("#") or found[1] in html5
    return html.unescape(found[0]) if known else found[0]


def _move_spaces(parts: list[str], record: Callable[..., None]) -> None:
    """Leave no space at either end of the sentence or of an entity.

    parts: The text before, in, between, in and after the entities.
    """
    for i in (1, 3):
        entity = parts[i]
        parts[i] = entity.strip()
        if parts[i] == entity:
            continue
        record(SPACES, detail=repr(entity))
        # one space, be there spaces on both sides of the tag or on one
        if entity[:1].isspace():
            parts[i - 1] = f"{parts[i - 1].rstrip()} "
        if entity[-1:].isspace():
            parts[i + 1] = f" {parts[i + 1].lstrip()}"
    parts[0], parts[-1] = parts[0].lstrip(), parts[-1].rstrip()
