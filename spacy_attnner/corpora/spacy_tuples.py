"""Training data of spaCy v2 and of its examples: texts with a dictionary each.

    [["Ada left Oslo.", {"entities": [[0, 3, "PER"], [9, 13, "LOC"]],
                         "cats": {"news": 1.0}}]]

As JSON, in an array or one a line. `links` and other keys are left out and counted.

https://spacy.io/api/data-formats#dict-input
"""

from collections.abc import Iterator
from typing import Any

from .json_values import check_type, read_score
from .reading import Source
from .recognition import Format
from .record import Mention, Record

OTHER_KEY = "key {!r} of spaCy's training data: left out"


def read_tuples(source: Source) -> Iterator[Record]:
    """Read pairs of texts and dictionaries."""
    return source.records(
        source.values(), lambda raw: [_parse(source.parse(raw), source)]
    )


def _parse(value: Any, source: Source) -> Record:
    if not claims_tuples(value):
        raise ValueError(f"{str(value)[:40]!r} is no [text, {{'entities': […]}}]")
    text, notes = value
    for key in notes:
        if key not in ("entities", "cats"):
            source.repaired(OTHER_KEY.format(key), repr(text[:40]))
    mentions = None
    if "entities" in notes:
        items = enumerate(check_type(notes["entities"], list, "entities"))
        mentions = [_mention(item, f"entities[{i}]") for i, item in items]
    cats = check_type(notes.get("cats", {}), dict, "cats")
    scores = {k: read_score(value, f"cats[{k!r}]") for k, value in cats.items()}
    return Record(text, entities=mentions, cats=scores if "cats" in notes else None)


def _mention(item: Any, name: str) -> Mention:
    kinds = [type(each) for each in item[:3]] if isinstance(item, list) else []
    if kinds != [int, int, str]:
        raise ValueError(f"{name} is {item!r}; write [start, end, 'LABEL']")
    start, end, label = item[:3]
    return Mention(start, end, label, name)


def claims_tuples(value: Any) -> bool:
    """Whether a value can be of no other format."""
    return (
        isinstance(value, list)
        and [type(each) for each in value] == [str, dict]
        and bool({"entities", "cats"} & set(value[1]))
    )


SPACY_TUPLES = Format("spacy_tuples", read_tuples, claims=claims_tuples)
