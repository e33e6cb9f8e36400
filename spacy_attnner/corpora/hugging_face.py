"""Hugging Face's data sets as JSONL: tokens with tags, texts with labels.

    {"tokens": ["Ada", "left", "Oslo"], "ner_tags": ["B-PER", "O", "B-LOC"]}
    {"tokens": ["Ada", "left", "Oslo"], "ner_tags": [1, 0, 5]}
    {"text": "Ada left Oslo.", "label": 1}

Numbers need names: --label-names O,B-PER,I-PER,…. `tags` and `labels` are other names
of `ner_tags`. Other keys go to `meta`.

https://huggingface.co/docs/datasets/about_dataset_features
"""

from collections.abc import Iterator, Sequence
from typing import Any

from .json_values import check_type
from .reading import Source
from .recognition import Format
from .record import Mention, Record
from .tags import UNFITTING, decode_scheme, marks, split_prefix

TAGS = ("ner_tags", "tags", "labels")


def read_hugging_face(source: Source) -> Iterator[Record]:
    """Read JSONL; `options.label_names` are the names of labels that are numbers."""
    wanted = source.options.label_names
    names = [each.strip() for each in wanted.split(",")] if wanted else []

    def parse(raw: str) -> Iterator[Record]:
        row = check_type(source.parse(raw), dict, "row")
        yield _make_record(row, names, source)

    return source.records(source.values(), parse)


def _make_record(row: dict[str, Any], names: Sequence[str], source: Source) -> Record:
    key = next((key for key in TAGS if key in row), None)
    name = row.get("id")
    rest = {k: v for k, v in row.items() if k not in ("tokens", "text", "id", key)}
    if "tokens" in row and key:
        words = check_type(row["tokens"], list, "tokens")
        mentions = _read_tags(row[key], key, len(words), names, source)
        return Record(words=words, entities=mentions, id=name, meta=rest)
    text = check_type(row.get("text", row.get("sentence")), str, "text")
    if "label" not in row:
        raise ValueError(
            f"the keys are {sorted(row)}; give tokens and ner_tags, or label"
        )
    label = _name(rest.pop("label"), "label", names)
    return Record(text, cats={label: 1.0}, id=name, meta=rest)


def _read_tags(
    items: Any, key: str, n_words: int, names: Sequence[str], source: Source
) -> list[Mention]:
    found = check_type(items, list, key)
    if len(found) != n_words:
        raise ValueError(f"{key} has {len(found)} tags for {n_words} tokens")
    tags = [_name(item, f"{key}[{i}]", names) for i, item in enumerate(found)]
    split = [split_prefix(tag, True) for tag in tags]
    spans = decode_scheme(split, 0, *marks([split]))
    for at in (at for span in spans for at in span.flaws):
        source.repaired(UNFITTING, f"{key}[{at}] {tags[at]!r}")
    return [Mention(*span[:3], f"{key}[{span.start}]") for span in spans]


def _name(value: Any, place: str, names: Sequence[str]) -> str:
    if isinstance(value, str):
        return value
    if type(value) is not int:
        raise ValueError(f"{place} is {value!r}; give a name or a number")
    if not names:
        raise ValueError(f"{place} is the number {value}; name all with --label-names")
    if not 0 <= value < len(names):
        raise ValueError(f"{place} is {value}; --label-names has {len(names)} names")
    return names[value]


def claims_hugging_face(value: dict[str, Any]) -> bool:
    """Whether an object can be of no other format."""
    if isinstance(value.get("tokens"), list):
        words = all(isinstance(word, str) for word in value["tokens"])
        return words and any(isinstance(value.get(key), list) for key in TAGS)
    text = value.get("text", value.get("sentence"))
    plain = {"spans", "answer", "_task_hash", "_input_hash"}.isdisjoint(value)
    return isinstance(text, str) and plain and type(value.get("label")) in (str, int)


HUGGING_FACE = Format(
    "hugging_face",
    read_hugging_face,
    claims=claims_hugging_face,
    options=("label_names",),
    categories=lambda options: None,
)
