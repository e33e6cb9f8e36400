"""DataTurks' export, a text a line with its spans or its labels.

    {"content": "Ada left Oslo.", "annotation": [
       {"label": ["PER"], "points": [{"start": 0, "end": 2, "text": "Ada"}]}],
     "extras": null, "metadata": {"status": "done", …}}
    {"content": "Ada won.", "annotation": {"labels": ["sport"], "note": ""}}

The end of a span is its last character. A text whose annotation is null is not
annotated. DataTurks is no more, its exports are: the code of its annotation tool is at
https://github.com/DataTurks/DataTurks.
"""

from collections.abc import Iterator
from typing import Any

from .json_values import check_type
from .reading import Source
from .recognition import Format
from .record import Mention, Record

READ = frozenset(("content", "annotation", "extras", "metadata"))


def read_dataturks(source: Source) -> Iterator[Record]:
    """Read texts and their annotations."""
    return source.objects(lambda value: _make_record(value, source))


def _make_record(value: dict[str, Any], source: Source) -> Record:
    source.count_unread(value, READ)
    text = check_type(value.get("content"), str, "content")
    found, mentions, cats = value.get("annotation"), None, None
    if isinstance(found, dict):
        names = _names(found.get("labels"), "annotation labels")
        cats = dict.fromkeys(names, 1.0) or None
    elif found is not None:
        mentions = []
        for i, item in enumerate(check_type(found, list, "annotation")):
            with source.flaws.of():
                mentions += _read_spans(item, f"annotation[{i}]")
    meta = check_type(value.get("extras") or {}, dict, "extras")
    return Record(text, entities=mentions, cats=cats, meta=meta)


def _read_spans(item: Any, name: str) -> list[Mention]:
    """A span for each of its labels."""
    points = check_type(check_type(item, dict, name).get("points"), list, name)
    if len(points) != 1:
        raise ValueError(f"{name} has {len(points)} points; give one of each span")
    point = check_type(points[0], dict, f"{name} points")
    start, last = (
        check_type(point.get(key), int, f"{name} {key}") for key in ("start", "end")
    )
    return [
        Mention(start, last + 1, label, name, point.get("text"))
        for label in _names(item.get("label"), f"{name} label")
    ]


def _names(value: Any, name: str) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [check_type(each, str, name) for each in values]


def claims_dataturks(value: dict[str, Any]) -> bool:
    """Whether an object can be of no other format."""
    return {"content", "annotation"} <= set(value)


DATATURKS = Format("dataturks", read_dataturks, claims=claims_dataturks)
