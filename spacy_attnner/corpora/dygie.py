"""DyGIE's JSONL, which SciERC comes in: sentences, entities and relations in each.

    {"doc_key": "d1", "sentences": [["Ada", "left", "Oslo"]],
     "ner": [[[0, 0, "PER"], [2, 2, "LOC"]]],
     "relations": [[[0, 0, 2, 2, "Left"]]], "clusters": []}

Offsets count the tokens of the document, the end inclusive. Clusters and events are
left out and counted. Wadden et al. 2019, https://arxiv.org/abs/1909.03546,
https://github.com/dwadden/dygiepp, `doc/data.md`
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from .json_values import check_type, read_sentences
from .reading import Source
from .recognition import Format
from .record import FLAWED, Link, Mention, Record, first_of_each

LEFT_OUT = "{} of a document: left out"


def read_dygie(source: Source) -> Iterator[Record]:
    """Read DyGIE's JSONL."""
    return source.objects(lambda value: _make_record(value, source))


def _make_record(value: dict[str, Any], source: Source) -> Record:
    sentences = read_sentences(value.get("sentences"), "sentences")
    for key in ("clusters", "events"):
        if any(value.get(key) or []):
            source.repaired(LEFT_OUT.format(key), str(value.get("doc_key")))
    mentions: list[Mention] = []
    places: dict[tuple[int, int], int] = {}
    for item in _items(value, "ner", len(sentences)):
        mention = FLAWED
        with source.flaws.of():
            start, end, label = _check_item(item, "ner", 3)
            places.setdefault((start, end), len(mentions))
            mention = Mention(start, end + 1, label, f"ner {[start, end]}")
        mentions.append(mention)
    links = []
    for item in _items(value, "relations", len(sentences)):
        with source.flaws.of():
            links.append(_read_link(_check_item(item, "relations", 5), places))
    return Record(
        words=list(chain.from_iterable(sentences)),
        sent_starts=first_of_each(sentences),
        entities=mentions if "ner" in value else None,
        relations=links if "relations" in value else None,
        id=value.get("doc_key"),
        meta={"dataset": value["dataset"]} if "dataset" in value else {},
    )


def _read_link(item: list[Any], places: dict[tuple[int, int], int]) -> Link:
    *ends, label = item
    name = f"relations {ends}"
    pairs = (ends[0], ends[1]), (ends[2], ends[3])
    for pair in pairs:
        if pair not in places:
            raise ValueError(f"{name} joins {list(pair)}, which is no entity of ner")
    return Link(places[pairs[0]], places[pairs[1]], label, name)


def _items(value: dict[str, Any], key: str, n_sentences: int) -> list[Any]:
    lists = check_type(value.get(key, [[]] * n_sentences), list, key)
    if len(lists) != n_sentences:
        raise ValueError(f"{key} has {len(lists)} lists for {n_sentences} sentences")
    return list(chain.from_iterable(lists))


def _check_item(item: Any, key: str, n: int) -> list[Any]:
    """Numbers and a label, `n` in all; scores may follow."""
    numbers = isinstance(item, list) and len(item) >= n and item[: n - 1]
    if not numbers or not all(type(at) is int for at in numbers):
        raise ValueError(
            f"{key} holds {item!r}; write {n - 1} token offsets and a label"
        )
    check_type(item[n - 1], str, f"{key} label")
    return item[:n]


def claims_dygie(value: dict[str, Any]) -> bool:
    """Whether an object can be of no other format."""
    return "sentences" in value and bool({"doc_key", "ner", "clusters"} & set(value))


DYGIE = Format("dygie", read_dygie, claims=claims_dygie)
