"""LightTag's export: a job with its examples, and the relations between their spans.

    {"id": "…", "name": "job", "examples": [
       {"example_id": "a", "content": "Ada left Oslo.", "metadata": {}, "seen_by": […],
        "annotations": [{"tagged_token_id": "x", "start": 0, "end": 3, "tag": "PER",
                         "value": "Ada", "correct": null, …}],
        "classifications": [{"classname": "news", …}]}],
     "relations": [{"id": 1, "tagged_token_id": "x", "children": [2], …},
                   {"id": 2, "tagged_token_id": "y", "children": [], "parent_id": 1,
                    "relation_type": "Left", …}]}

A relation goes from a node to its child, whose `relation_type` is the label; without
one it is left out and counted, as annotations are that a reviewer found wrong. An
example that nobody saw is not annotated. Examples may stand alone, without their job,
and spans without `tagged_token_id`, if no relation joins them.

https://github.com/LightTag/lighttag-convertors has the types of an export.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from .json_values import check_type
from .reading import Source
from .recognition import Format
from .record import FLAWED, Link, Mention, Record

WRONG = "annotation that a reviewer found wrong: left out"
WHOLE = "annotation of a whole example: left out"
UNTYPED = "relation without a type: left out"
NOWHERE = "relation of a span that no example has: left out"
APART = "end of a relation whose other end is not in the example: left out"


class Edge(NamedTuple):
    """What joins two spans, by the names that LightTag gives them."""

    head: Any
    tail: Any
    label: str | None


Edges = dict[Any, list[Edge]]  # those of each span


def read_light_tag(source: Source) -> Iterator[Record]:
    """Read the examples of jobs, or examples alone."""
    job: dict[str, Any] | None = None  # the one that is read
    edges: Edges | None = None

    def parse(part: tuple[dict[str, Any], int, Any]) -> Iterator[Record]:
        nonlocal job, edges
        whole, i, example = part
        if whole is not job:
            job, edges = whole, None
            if "relations" in whole:
                edges = _read_edges(whole, source)
        check_type(example, dict, f"examples[{i}]")
        yield _make_record(example, edges, source)

    return source.records(source.parts("examples", alone="content"), parse)


def _read_edges(job: dict[str, Any], source: Source) -> Edges:
    """What the trees of relations join: every node but the root has a parent."""
    items = check_type(job["relations"], list, "relations")
    nodes = {check_type(item, dict, "relations[]").get("id"): item for item in items}
    parents = {
        child: name for name in nodes for child in nodes[name].get("children") or []
    }
    spans = {
        item.get("tagged_token_id")
        for example in job["examples"]
        for item in example.get("annotations") or []
    }
    edges: Edges = defaultdict(list)
    for name, node in nodes.items():
        parent = node.get("parent_id") or parents.get(name)
        if parent is None:
            continue
        if parent not in nodes:
            raise ValueError(
                f"relation {name!r} has the parent {parent!r}: no relation"
            )
        ends = nodes[parent].get("tagged_token_id"), node.get("tagged_token_id")
        if not spans.issuperset(ends):
            source.repaired(NOWHERE, f"{node.get('relation_type')} {name!r}")
            continue
        for end in set(ends):
            edges[end].append(Edge(*ends, node.get("relation_type")))
    return edges


def _make_record(
    example: dict[str, Any], edges: Edges | None, source: Source
) -> Record:
    mentions, places = _read_annotations(example, source)
    items = example.get("classifications") or []
    names = source.flaws.each(
        items, "classifications", lambda item, name: _read_class(item, name, source)
    )
    unseen = example.get("seen_by") == [] and not (mentions or names)
    links = None
    if edges is not None and not unseen:
        links = list(_read_links(edges, places, source))
    return Record(
        check_type(example.get("content"), str, "content"),
        entities=None if unseen else mentions,
        relations=links,
        cats=dict.fromkeys(names, 1.0) or None,
        id=example.get("example_id"),
        meta=check_type(example.get("metadata") or {}, dict, "metadata"),
    )


def _read_class(item: Any, name: str, source: Source) -> str | None:
    """The class, None if a reviewer found it wrong."""
    label = check_type(check_type(item, dict, name).get("classname"), str, name)
    if item.get("correct") is not False:
        return label
    source.repaired(WRONG, f"{name} {label!r}")
    return None


def _read_annotations(
    example: dict[str, Any], source: Source
) -> tuple[list[Mention], dict[Any, int]]:
    """The entities, and the place of each by its name."""
    found: list[Mention] = []
    places: dict[Any, int] = {}
    items = check_type(example.get("annotations"), list, "annotations")
    for i, item in enumerate(items):
        name = f"annotations[{i}]"
        with source.flaws.of():
            if check_type(item, dict, name).get("correct") is False:
                source.repaired(WRONG, f"{name} {item.get('value')!r}")
            elif item.get("start") is None:
                source.repaired(WHOLE, f"{name} {item.get('tag')!r}")
            else:
                own = item.get("tagged_token_id", name)
                if own in places:
                    what = "a span of its tagged_token_id is given before"
                    raise ValueError(f"{name}: {what}")
                places[own] = len(found)
                found.append(FLAWED)  # for relations of it
                found[-1] = _read_span(item, name)
    return found, places


def _read_span(item: dict[str, Any], name: str) -> Mention:
    start, end = (
        check_type(item.get(key), int, f"{name} {key}") for key in ("start", "end")
    )
    label = check_type(item.get("tag"), str, f"{name} tag")
    return Mention(start, end, label, name, item.get("value"))


def _read_links(edges: Edges, places: dict[Any, int], source: Source) -> Iterator[Link]:
    for name in places:
        for head, tail, label in edges.get(name, ()):
            if not {head, tail} <= places.keys():
                source.repaired(APART, f"{label} of {name}")
            elif name == head and label is None:
                source.repaired(UNTYPED, f"of {name}")
            elif name == head:
                with source.flaws.of():
                    label = check_type(label, str, "relation_type")
                    yield Link(places[head], places[tail], label, f"relation {label}")


def claims_light_tag(value: dict[str, Any]) -> bool:
    """Whether an object can be of no other format."""
    if "examples" not in value:
        tagged = value.get("annotations") or [{}]
        return "content" in value and all("tag" in item for item in tagged)
    keys = {"example_id", "content", "annotations"}
    return any(len(keys & set(example)) > 1 for example in value["examples"])


LIGHT_TAG = Format("light_tag", read_light_tag, claims=claims_light_tag)
