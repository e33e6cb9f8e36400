"""SpERT's JSON, of CoNLL04, ADE and SciERC there: tokens, entities, relations.

    [{"tokens": ["Ada", "left", "Oslo"], "orig_id": 5,
      "entities": [{"type": "Peop", "start": 0, "end": 1}, …],
      "relations": [{"type": "Left", "head": 0, "tail": 1}]}]

Offsets count tokens, the end exclusive. Other keys, such as `ltokens` and `dep`, are
left out and counted. Eberts & Ulges 2020,
https://arxiv.org/abs/1909.07755, https://github.com/lavis-nlp/spert
"""

from collections.abc import Iterator
from typing import Any

from .json_values import check_type, read_words
from .reading import Source
from .recognition import Format
from .record import FLAWED, Link, Mention, Record

READ = ("tokens", "entities", "relations", "orig_id")


def read_spert(source: Source) -> Iterator[Record]:
    """Read SpERT's JSON."""
    return source.objects(lambda value: _make_record(value, source))


def _make_record(value: dict[str, Any], source: Source) -> Record:
    flaws = source.flaws
    source.count_unread(value, READ)
    mentions = flaws.each(value.get("entities"), "entities", _read_entity, FLAWED)
    links = flaws.each(value.get("relations", []), "relations", _read_relation)
    return Record(
        words=read_words(value.get("tokens"), "tokens"),
        entities=mentions,
        relations=links if "relations" in value else None,
        id=value.get("orig_id"),
    )


def _read_entity(item: Any, name: str) -> Mention:
    return Mention(*_numbers(item, name, "start", "end"), _type(item, name), name)


def _read_relation(item: Any, name: str) -> Link:
    return Link(*_numbers(item, name, "head", "tail"), _type(item, name), name)


def _numbers(item: Any, name: str, *keys: str) -> tuple[int, int]:
    check_type(item, dict, name)
    first, second = (check_type(item.get(key), int, f"{name} {key}") for key in keys)
    return first, second


def _type(item: dict[str, Any], name: str) -> str:
    return check_type(item.get("type"), str, f"{name} type")


def claims_spert(value: dict[str, Any]) -> bool:
    """Whether an object can be of no other format."""
    return "tokens" in value and (
        "orig_id" in value
        or any({"type", "start"} <= set(item) for item in value.get("entities") or ())
    )


SPERT = Format("spert", read_spert, claims=claims_spert)
