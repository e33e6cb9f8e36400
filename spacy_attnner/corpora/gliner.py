"""GLiNER's training data: tokens and entities, the end of each inclusive.

    [{"tokenized_text": ["Ada", "left", "Oslo"], "ner": [[0, 0, "person"], …],
      "relations": [[0, 1, "left"]]}]

Zaratiana et al. 2024, https://arxiv.org/abs/2311.08526,
https://github.com/urchade/GLiNER; `relations`, head and tail as places in `ner`, are of
newer versions. GLiREL's have the text as a fourth item of `ner`, and relations as

    {"head": {"position": [0, 0]}, "tail": {"position": [2, 2]},
     "relation_text": "left"}

https://github.com/jackboyla/GLiREL
"""

from collections.abc import Iterator
from typing import Any

from .json_values import check_type
from .reading import Source
from .recognition import Format
from .record import Link, Mention, Record


def read_gliner(source: Source) -> Iterator[Record]:
    """Read GLiNER's JSON."""
    return source.objects(_make_record)


def _make_record(value: dict[str, Any]) -> Record:
    words = check_type(value.get("tokenized_text"), list, "tokenized_text")
    mentions = [
        Mention(start, end + 1, label, f"ner[{i}]")
        for i, (start, end, label, *_) in enumerate(_triples(value, "ner", str))
    ]
    places = {(mention.start, mention.end - 1): i for i, mention in enumerate(mentions)}
    items = check_type(value.get("relations", []), list, "relations")
    if any(isinstance(item, dict) for item in items):
        links = [_link(item, f"relations[{i}]", places) for i, item in enumerate(items)]
    else:
        links = [
            Link(head, tail, label, f"relations[{i}]")
            for i, (head, tail, label) in enumerate(_triples(value, "relations"))
        ]
    return Record(
        words=[check_type(word, str, "tokenized_text[]") for word in words],
        entities=mentions if "ner" in value else None,
        relations=links if "relations" in value else None,
    )


def _triples(value: dict[str, Any], key: str, *fourth: type) -> list[Any]:
    """Lists of two numbers and a label; `fourth` is of what may stand behind it."""
    items = check_type(value.get(key, []), list, key)
    for i, item in enumerate(items):
        kinds = [type(each) for each in item] if isinstance(item, list) else []
        if kinds not in ([int, int, str], [int, int, str, *fourth]):
            raise ValueError(f"{key}[{i}] is {item!r}; write [0, 0, 'type']")
    return items


def _link(item: Any, name: str, places: dict[tuple, int]) -> Link:
    """A relation of GLiREL's, whose arguments are given by their places."""
    check_type(item, dict, name)

    def find(key: str) -> int:
        place = check_type(item.get(key), dict, f"{name} {key}").get("position")
        at = tuple(check_type(place, list, f"{name} {key} position"))
        if at not in places:
            raise ValueError(f"{name} {key} is at {place}, where ner has no entity")
        return places[at]

    label = check_type(item.get("relation_text"), str, f"{name} relation_text")
    return Link(find("head"), find("tail"), label, name)


def claims_gliner(value: dict[str, Any]) -> bool:
    """Whether an object can be of no other format."""
    return "tokenized_text" in value


GLINER = Format("gliner", read_gliner, claims=claims_gliner)
