"""Doccano's exports: JSON, with keys that changed over its versions.

    {"id": 1, "text": "Ada left Oslo.", "Comments": [],
     "entities": [{"id": 7, "label": "PER", "start_offset": 0, "end_offset": 3}, …],
     "relations": [{"id": 1, "from_id": 7, "to_id": 8, "type": "Left"}]}
    {"id": 1, "text": "Ada left Oslo.", "label": [[0, 3, "PER"]], "Comments": []}
    {"id": 1, "text": "Ada left Oslo.", "labels": [[0, 3, "PER"]]}
    {"id": 1, "text": "Ada left Oslo.", "label": ["news"]}
    {"id": 1, "text": "Ada left Oslo.", "cats": ["news"], "entities": [[0, 3, "PER"]]}
    {"id": 1, "text": "Ada left.", "annotations": [{"label": 2, "start_offset": 0, …}]}

A list of strings beside `entities` are categories, `Comments` that are not empty go to
`meta`. Lists of three are entities, lists of strings categories; of an empty list the
other records tell what it is. Labels that are numbers, as old exports have them, stay
numbers: name them with --map-labels. Other keys go to `meta`, and so do those of the
`meta` that old exports have.

https://doccano.github.io/doccano/ and the project's issues show these.
"""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from .complaints import Collector
from .json_values import check_type, parse_json
from .reading import Source
from .recognition import N_VALUES, Format
from .record import FLAWED, Link, Mention, Record
from .tags import OUTSIDE

LISTS = ("label", "labels", "annotations")
COMMENTS = ("Comments", "comments")
MINE = frozenset((*COMMENTS, "annotation_approver"))
KEYS = frozenset(("id", "text", "data", "entities", "relations", "cats", *LISTS, *MINE))


def read_doccano(source: Source) -> Iterator[Record]:
    """Read an export of Doccano, of entities, relations or categories."""
    categories = _are_categories(source)
    return source.objects(lambda value: _make_record(value, categories, source.flaws))


def _are_categories(source: Source) -> bool:
    """Whether empty lists of labels are categories: the first other list tells."""
    first = Source(source.path, encoding=source.encoding)
    for raw in islice(first.values(), N_VALUES):
        with suppress(ValueError, AttributeError):
            value = parse_json(raw)
            items = next((value[key] for key in LISTS if value.get(key)), None)
            if isinstance(items, list):
                first = items[0]
                labelled = isinstance(first, dict) and "start_offset" not in first
                return labelled or isinstance(first, str)
    return False


def _make_record(value: dict[str, Any], categories: bool, flaws: Collector) -> Record:
    text = check_type(value.get("text", value.get("data")), str, "text")
    meta = {key: item for key, item in value.items() if key not in KEYS}
    meta |= {key: value[key] for key in COMMENTS if value.get(key)}
    if isinstance(meta.get("meta"), dict):  # where old exports have the other keys
        meta |= meta.pop("meta")
    name = value.get("id")
    if "cats" in value:  # of a project for intents and slots
        cats = _read_names(value["cats"], "cats", flaws)
        items = value.get("entities", [])
        mentions = flaws.each(items, "entities", _read_triple, FLAWED)
        return Record(text, entities=mentions, cats=cats, id=name, meta=meta)
    if "entities" in value:
        mentions, ids = _read_objects(value["entities"], "entities", flaws)
        links = _read_links(value.get("relations"), ids, flaws)
        cats = _read_beside(value, flaws)
        about: dict[str, Any] = {"cats": cats, "id": name, "meta": meta}
        return Record(text, entities=mentions, relations=links, **about)
    key = next((key for key in LISTS if key in value), None)
    if key is None:
        return Record(text, id=name, meta=meta)
    items = check_type(value[key], list, key)
    if any(isinstance(item, str) for item in items) or (not items and categories):
        return Record(text, cats=_read_names(items, key, flaws), id=name, meta=meta)
    if key != "annotations":
        mentions = flaws.each(items, key, _read_triple, FLAWED)
        return Record(text, entities=mentions, id=name, meta=meta)
    if any("start_offset" not in item for item in items):
        cats = {str(item.get("label")): 1.0 for item in items}
        return Record(text, cats=cats, id=name, meta=meta)
    mentions, _ = _read_objects(items, key, flaws)
    return Record(text, entities=mentions, id=name, meta=meta)


def _read_names(items: Any, key: str, flaws: Collector) -> dict[str, float]:
    """Categories, a list of strings."""
    names = flaws.each(items, key, lambda item, name: check_type(item, str, name))
    return dict.fromkeys(names, 1.0)


def _read_beside(value: dict[str, Any], flaws: Collector) -> dict[str, float] | None:
    """Categories of a text whose entities are objects."""
    for key in LISTS:
        items = value.get(key)
        if isinstance(items, list) and items:
            return _read_names(items, key, flaws)
    return None


def _read_triple(item: Any, name: str) -> Mention:
    if not isinstance(item, list) or len(item) != 3:
        raise ValueError(f"{name} is {item!r}; give [start, end, label]")
    start, end = (check_type(at, int, name) for at in item[:2])
    return Mention(start, end, str(item[2]), name)


def _read_objects(
    items: Any, key: str, flaws: Collector
) -> tuple[list[Mention], dict[Any, int]]:
    """Entities, and the place of each by its id."""
    ids: dict[Any, int] = {}
    for i, item in enumerate(check_type(items, list, key)):
        if isinstance(item, dict):
            ids.setdefault(item.get("id", i), i)
    seen: set[Any] = set()

    def read(item: Any, name: str) -> Mention:
        given = check_type(item, dict, name).get("id", name)
        if given in seen:
            raise ValueError(f"{name} id is {given!r}, which is given twice")
        seen.add(given)
        start, end = (
            check_type(item.get(at), int, f"{name} {at}")
            for at in ("start_offset", "end_offset")
        )
        return Mention(start, end, str(item.get("label") or ""), name)

    return flaws.each(items, key, read, FLAWED), ids


def _read_links(items: Any, ids: dict[Any, int], flaws: Collector) -> list[Link] | None:
    def read(item: Any, name: str) -> Link:
        check_type(item, dict, name)
        for key in ("from_id", "to_id"):
            if item.get(key) not in ids:
                raise ValueError(
                    f"{name} {key} is {item.get(key)!r}, which is no id of an entity; "
                    "export the document anew"
                )
        head, tail = ids[item["from_id"]], ids[item["to_id"]]
        return Link(head, tail, str(item.get("type") or ""), name)

    return None if items is None else flaws.each(items, "relations", read)


def claims_doccano(value: dict[str, Any]) -> bool:
    """Whether an object can be of no other format."""
    if not isinstance(value.get("text", value.get("data")), str):
        return False
    if MINE & set(value) or any("start_offset" in e for e in value.get("entities", [])):
        return True
    olds = value.get("annotations", [])
    if olds and all("label" in item and "user" in item for item in olds):
        return True
    if any("start_offset" in item for item in olds):
        return True
    if isinstance(value.get("cats"), list) and "entities" in value:
        return all(isinstance(item, list) for item in value["entities"])
    items = value.get("label", value.get("labels"))
    if not isinstance(items, list) or not items or "tokens" in value:
        return False
    if all(isinstance(item, str) for item in items):
        return OUTSIDE[0] not in items  # of tags
    return all(isinstance(item, list) and len(item) == 3 for item in items)


DOCCANO = Format(
    "doccano", read_doccano, claims=claims_doccano, categories=lambda options: None
)
