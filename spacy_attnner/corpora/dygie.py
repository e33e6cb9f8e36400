"""DyGIE's JSONL, which SciERC comes in: sentences, entities and relations in each.

    {"doc_key": "d1", "sentences": [["Ada", "left", "Oslo"]],
     "ner": [[[0, 0, "PER"], [2, 2, "LOC"]]],
     "relations": [[[0, 0, 2, 2, "Left"]]], "clusters": []}

Offsets count the tokens of the document, the end inclusive. Entities lie in the
sentence of their list, and so does one argument of a relation. Other keys, such as
`clusters`, `events` and `predicted_ner`, are left out and counted.

Wadden et al. 2019, https://arxiv.org/abs/1909.03546,
https://github.com/dwadden/dygiepp, `doc/data.md`
"""

from collections.abc import Iterator
from itertools import accumulate, chain
from typing import Any

from .json_values import check_type, read_sentences
from .reading import Source
from .recognition import Format
from .record import FLAWED, Link, Mention, Record, first_of_each

READ = ("doc_key", "dataset", "sentences", "ner", "relations")
LAID_OUT = ("section_starts", "_sentence_start", "sentence_start", "weight")


def read_dygie(source: Source) -> Iterator[Record]:
    """Read DyGIE's JSONL."""
    return source.objects(lambda value: _make_record(value, source))


def _make_record(value: dict[str, Any], source: Source) -> Record:
    sentences = read_sentences(value.get("sentences"), "sentences")
    source.count_unread(value, (*READ, *LAID_OUT))
    mentions: list[Mention] = []
    places: dict[tuple[int, int], int] = {}
    for item, sentence in _items(value, "ner", sentences):
        mention = FLAWED
        with source.flaws.of():
            start, end, label = _check_item(item, "ner", 3, sentence)
            places.setdefault((start, end), len(mentions))
            mention = Mention(start, end + 1, label, f"ner {[start, end]}")
        mentions.append(mention)
    links = []
    for item, sentence in _items(value, "relations", sentences):
        with source.flaws.of():
            item = _check_item(item, "relations", 5, sentence)
            links.append(_read_link(item, places))
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


def _items(
    value: dict[str, Any], key: str, sentences: list[list[str]]
) -> Iterator[tuple[Any, range]]:
    """What the lists of a key hold, each with the tokens of its sentence."""
    lists = check_type(value.get(key, [[]] * len(sentences)), list, key)
    if len(lists) != len(sentences):
        raise ValueError(f"{key} has {len(lists)} lists for {len(sentences)} sentences")
    ends = accumulate(map(len, sentences))
    for i, (items, words, end) in enumerate(zip(lists, sentences, ends, strict=True)):
        for item in check_type(items, list, f"{key}[{i}]"):
            yield item, range(end - len(words), end)


def _check_item(item: Any, key: str, n: int, sentence: range) -> list[Any]:
    """Numbers and a label, `n` in all; scores may follow."""
    numbers = isinstance(item, list) and len(item) >= n and item[: n - 1]
    if not numbers or not all(type(at) is int for at in numbers):
        raise ValueError(
            f"{key} holds {item!r}; write {n - 1} token offsets and a label"
        )
    inside = [at in sentence for at in numbers]
    if not (all(inside) if key == "ner" else any(inside)):
        raise ValueError(
            f"{key} {numbers} is not in its sentence, tokens {sentence.start} to "
            f"{sentence.stop - 1}; count the tokens of the document, from 0, and give "
            "the last token of each entity"
        )
    check_type(item[n - 1], str, f"{key} label")
    return item[:n]


def claims_dygie(value: dict[str, Any]) -> bool:
    """Whether an object can be of no other format."""
    keys = {"doc_key", "sentences", "ner", "clusters"} & set(value)
    return len(keys) > 1 and bool({"doc_key", "sentences"} & keys)


DYGIE = Format("dygie", read_dygie, claims=claims_dygie)
