"""SpERT's JSON, of CoNLL04, ADE and SciERC there: tokens, entities, relations.

    [{"tokens": ["Ada", "left", "Oslo"], "orig_id": 5,
      "entities": [{"type": "Peop", "start": 0, "end": 1}, …],
      "relations": [{"type": "Left", "head": 0, "tail": 1}]}]

Offsets count tokens, the end exclusive. Eberts & Ulges 2020,
https://arxiv.org/abs/1909.07755, https://github.com/lavis-nlp/spert
"""

from collections.abc import Iterator
from typing import Any

from .json_values import check_type
from .reading import Source
from .recognition import Format
from .record import Link, Mention, Record


def read_spert(source: Source) -> Iterator[Record]:
    """Read SpERT's JSON."""
    return source.objects(_make_record)


def _make_record(value: dict[str, Any]) -> Record:
    items = check_type(value.get("entities"), list, "entities")
    mentions = [
        Mention(*_numbers(item, name, "start", "end"), _type(item, name), name)
        for item, name in _named(items, "entities")
    ]
    links = [
        Link(*_numbers(item, name, "head", "tail"), _type(item, name), name)
        for item, name in _named(value.get("relations", []), "relations")
    ]
    return Record(
        words=[
            check_type(word, str, f"tokens[{i}]")
            for i, word in enumerate(check_type(value.get("tokens"), list, "tokens"))
        ],
        entities=mentions,
        relations=links if "relations" in value else None,
        id=value.get("orig_id"),
    )


def _named(items: Any, key: str) -> list[tuple[dict[str, Any], str]]:
    return [
        (check_type(item, dict, f"{key}[{i}]"), f"{key}[{i}]")
        for i, item in enumerate(check_type(items, list, key))
    ]


def _numbers(item: dict[str, Any], name: str, *keys: str) -> tuple[int, int]:
    first, second = (check_type(item.get(key), int, f"{name} {key}") for key in keys)
    return first, second


def _type(item: dict[str, Any], name: str) -> str:
    return check_type(item.get("type"), str, f"{name} type")


def claims_spert(value: dict[str, Any]) -> bool:
    """Whether an object can be of no other format."""
    if not {"tokens", "entities"} <= set(value):
        return False
    return "orig_id" in value or any(
        "type" in item and "start" in item for item in value["entities"]
    )


SPERT = Format("spert", read_spert, claims=claims_spert)
