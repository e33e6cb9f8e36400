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
from .record import Link, Mention, Record, first_of_each

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
    for start, end, label in _items(value, "ner", 3, len(sentences)):
        places.setdefault((start, end), len(mentions))
        mentions.append(Mention(start, end + 1, label, f"ner {[start, end]}"))
    links = []
    for *ends, label in _items(value, "relations", 5, len(sentences)):
        name = f"relations {ends}"
        pairs = (ends[0], ends[1]), (ends[2], ends[3])
        for pair in pairs:
            if pair not in places:
                raise ValueError(
                    f"{name} joins {list(pair)}, which is no entity of ner"
                )
        links.append(Link(places[pairs[0]], places[pairs[1]], label, name))
    return Record(
        words=list(chain.from_iterable(sentences)),
        sent_starts=first_of_each(sentences),
        entities=mentions if "ner" in value else None,
        relations=links if "relations" in value else None,
        id=value.get("doc_key"),
        meta={"dataset": value["dataset"]} if "dataset" in value else {},
    )


def _items(value: dict[str, Any], key: str, n: int, n_sentences: int) -> list[Any]:
    lists = check_type(value.get(key, [[]] * n_sentences), list, key)
    if len(lists) != n_sentences:
        raise ValueError(f"{key} has {len(lists)} lists for {n_sentences} sentences")
    found = list(chain.from_iterable(lists))
    for item in found:
        numbers = isinstance(item, list) and len(item) >= n and item[: n - 1]
        if not numbers or not all(type(at) is int for at in numbers):
            raise ValueError(
                f"{key} holds {item!r}; write {n - 1} token offsets and a label"
            )
        check_type(item[n - 1], str, f"{key} label")
    return [item[:n] for item in found]  # scores may follow


def claims_dygie(value: dict[str, Any]) -> bool:
    """Whether an object can be of no other format."""
    return "sentences" in value and bool({"doc_key", "ner", "clusters"} & set(value))


DYGIE = Format("dygie", read_dygie, claims=claims_dygie)
