"""GLiNER's training data: tokens and entities, the end of each inclusive.

    [{"tokenized_text": ["Ada", "left", "Oslo"], "ner": [[0, 0, "person"], …],
      "relations": [[0, 1, "left"]]}]

Zaratiana et al. 2024, https://arxiv.org/abs/2311.08526,
https://github.com/urchade/GLiNER; `relations`, head and tail as places in `ner`, are of
newer versions. GLiREL's have the text as a fourth item of `ner`, and relations as

    {"head": {"position": [0, 0]}, "tail": {"position": [2, 2]},
     "relation_text": "left"}

https://github.com/jackboyla/GLiREL. Other keys, such as `ner_negatives`, are left out
and counted.
"""

from collections.abc import Iterator
from typing import Any

from .json_values import check_type, read_words
from .reading import Source
from .recognition import Format
from .record import FLAWED, Link, Mention, Record

READ = ("id", "tokenized_text", "ner", "relations")


def read_gliner(source: Source) -> Iterator[Record]:
    """Read GLiNER's JSON."""
    return source.objects(lambda value: _make_record(value, source))


def _make_record(value: dict[str, Any], source: Source) -> Record:
    flaws = source.flaws
    source.count_unread(value, READ)
    words = read_words(value.get("tokenized_text"), "tokenized_text")
    mentions = flaws.each(value.get("ner", []), "ner", _read_entity, FLAWED)
    places = {(mention.start, mention.end - 1): i for i, mention in enumerate(mentions)}

    def read_relation(item: Any, name: str) -> Link:
        if isinstance(item, dict):
            return _link(item, name, places)
        return Link(*_triple(item, name), name)

    links = flaws.each(value.get("relations", []), "relations", read_relation)
    return Record(
        words=words,
        entities=mentions if "ner" in value else None,
        relations=links if "relations" in value else None,
        id=value.get("id"),
    )


def _read_entity(item: Any, name: str) -> Mention:
    start, end, label = _triple(item, name, str)
    return Mention(start, end + 1, label, name)


def _triple(item: Any, name: str, *fourth: type) -> tuple[int, int, str]:
    """Two numbers and a label; `fourth` is of what may stand behind it."""
    kinds = [type(each) for each in item] if isinstance(item, list) else []
    if kinds not in ([int, int, str], [int, int, str, *fourth]):
        raise ValueError(f"{name} is {item!r}; write [0, 0, 'type']")
    first, second, label = item[:3]
    return first, second, label


def _link(item: dict[str, Any], name: str, places: dict[tuple, int]) -> Link:
    """A relation of GLiREL's, whose arguments are given by their places."""

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
