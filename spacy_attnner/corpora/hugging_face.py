"""Hugging Face's data sets, JSONL and Parquet: tokens with tags, texts with labels.

    {"tokens": ["Ada", "left", "Oslo"], "ner_tags": ["B-PER", "O", "B-LOC"]}
    {"tokens": ["Ada", "left", "Oslo"], "ner_tags": [1, 0, 5]}
    {"text": "Ada left Oslo.", "label": 1}
    {"text": "Ada left Oslo.", "labels": [0, 2]}
    {"text": "Ada left Oslo .", "tags": ["B-PER", "O", "B-LOC", "O"]}

Numbers need names: a `ClassLabel` of Parquet's metadata has them, otherwise
`--label-names O,B-PER,I-PER,…`; with those a list may also say 0 or 1 of each name,
`"labels": [1, 0, 1]`. `tags`, `tag` and `labels` are other names of `ner_tags`,
`sentence` one of `text`; `--text-column` and `--label-column` name any. Tags of a text
are those of its parts between spaces. Tags have prefixes or, where "O" is among them,
are labels themselves (Few-NERD's); bare `B` and `I` get the label that `--entity-label`
gives. A label -1 stands for none: the text is not
annotated. Other columns go to `meta`.

https://huggingface.co/docs/datasets/about_dataset_features; `ArrowWriter` in
https://github.com/huggingface/datasets writes the metadata, as JSON in the key
`huggingface` of the schema.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from ..errors import import_extra
from .json_values import check_type, parse_json, read_words
from .reading import Source
from .recognition import Format, Options, begins_with
from .record import Record
from .semeval import ENTITY_LABEL
from .tags import OUTSIDE, Scheme, is_tag, read_tags, tell_scheme

WORDS, TEXTS = "tokens", ("text", "sentence")
TAGS, LABELS = ("ner_tags", "tags", "tag", "labels"), ("label", "labels")
NO_LABEL = -1
UNLABELLED = "label that stands for none: not annotated"
MAGIC = b"PAR1"
N_ROWS = 1_000  # that are decoded at a time
Names = Mapping[str, Sequence[str]]  # those of the labels of a column


def read_hugging_face(source: Source) -> Iterator[Record]:
    """Read either; `options.label_names` are the names of labels that are numbers.

    Raises UserError where Parquet needs pyarrow, and CorpusError if it cannot be read.
    """
    source.check_file()
    if not begins_with(source.path, MAGIC):
        scheme = _tell_scheme(_first_objects(source), {}, source.options)
        return source.objects(lambda row: _make_record(row, {}, scheme, source))
    table = _open(source)
    names = _class_labels(table)
    first = Source(source.path)
    scheme = _tell_scheme(_rows(_open(first), first), names, source.options)
    return source.records(
        _rows(table, source), lambda row: [_make_record(row, names, scheme, source)]
    )


def _first_objects(source: Source) -> Iterator[Any]:
    first = Source(source.path, encoding=source.encoding)
    for raw in first.values():
        with suppress(ValueError):  # which is told when it is read
            yield parse_json(raw)


def _tell_scheme(rows: Iterable[Any], class_labels: Names, options: Options) -> Scheme:
    """That of the tags of the first rows, or of their names."""
    tags: set[str] = set()
    for row in islice(rows, N_ROWS):
        with suppress(ValueError, TypeError, AttributeError):
            text, key = _choose_keys(row, options)
            names = _names_of(key, class_labels, options)
            if _has_tokens(row, text):
                tags.update(names or (_name(item, key, None) for item in row[key]))
    found = tell_scheme([[tag] for tag in tags], options.entity_label or ENTITY_LABEL)
    return found if found.prefixed or OUTSIDE[0] in tags else Scheme()


def _names_of(key: str, class_labels: Names, options: Options) -> Sequence[str] | None:
    """What the numbers of a column mean."""
    given = options.label_names
    return [n.strip() for n in given.split(",")] if given else class_labels.get(key)


def _open(source: Source) -> Any:
    """A Parquet file."""
    parquet = import_extra("pyarrow.parquet", "parquet", "Parquet")
    try:
        return parquet.ParquetFile(source.path)
    except (OSError, ValueError) as error:
        raise source.error(f"no Parquet, {error}; load it anew, unpacked") from error


def _rows(table: Any, source: Source) -> Iterator[dict[str, Any]]:
    """Its rows as JSON has them, each with its number as the line, from 1."""
    number = 0
    n_bytes = source.path.stat().st_size / max(table.metadata.num_rows, 1)
    for batch in table.iter_batches(N_ROWS):
        source.read(int(n_bytes * len(batch)))
        for row in batch.to_pylist():
            number += 1
            source.line = number
            source.raw = json.dumps(row, ensure_ascii=False, default=str)
            yield json.loads(source.raw)


def _class_labels(table: Any) -> Names:
    """The names of the labels of its columns."""
    stored = (table.schema_arrow.metadata or {}).get(b"huggingface", b"{}")
    features = json.loads(stored).get("info", {}).get("features", {})
    return {key: names for key in features if (names := _find_names(features[key]))}


def _find_names(feature: Any) -> list[str] | None:
    """Those of a ClassLabel, or of a list of them, `[…]`, `Sequence` or `List`."""
    if isinstance(feature, list):
        return _find_names(feature[0]) if feature else None
    if not isinstance(feature, dict):
        return None
    return feature.get("names") or _find_names(feature.get("feature"))


def _make_record(
    row: dict[str, Any], class_labels: Names, scheme: Scheme, source: Source
) -> Record:
    text_key, key = _choose_keys(row, source.options)
    names = _names_of(key, class_labels, source.options)
    rest = {k: v for k, v in row.items() if k not in (text_key, key, "id")}
    about: dict[str, Any] = {"id": row.get("id"), "meta": rest}
    has_tokens = _has_tokens(row, text_key)
    parts = [] if has_tokens else check_type(row.get(text_key), str, text_key).split()
    if not has_tokens and not _are_tags(row[key], key, len(parts)):
        text, value = row[text_key], row[key]
        if key not in class_labels and _is_multi_hot(value, key, names):
            cats = dict(zip(names or (), map(float, value), strict=True))
            return Record(text, cats=cats, **about)
        return Record(text, cats=_read_cats(value, key, names, source), **about)
    words = read_words(row[text_key], text_key) if has_tokens else parts
    items = check_type(row[key], list, key)
    if len(items) != len(words):
        raise ValueError(f"{key} has {len(items)} tags for {len(words)} tokens")
    tags = source.flaws.each(
        items, key, lambda item, name: _name(item, name, names), OUTSIDE[0]
    )
    return Record(words=words, entities=read_tags(tags, key, source, scheme), **about)


def _choose_keys(row: dict[str, Any], options: Options) -> tuple[str, str]:
    """That of the text or the tokens, and that of the labels."""
    texts = (options.text_column,) if options.text_column else (WORDS, *TEXTS)
    text = _find_key(row, texts)
    labels = TAGS if _has_tokens(row, text) else (*LABELS, *TAGS)
    label = _find_key(row, (options.label_column,) if options.label_column else labels)
    if not text or not label:
        raise ValueError(
            f"the keys are {sorted(row)}; give tokens and ner_tags, or text and label, "
            "or name them with --text-column and --label-column"
        )
    return text, label


def _find_key(row: dict[str, Any], names: Iterable[str]) -> str:
    """The first that there is, in any case of letters; "" for none."""
    keys = {key.lower(): key for key in row} | {key: key for key in row}
    return next((keys[name] for name in names if name in keys), "")


def _are_tags(value: Any, key: str, n_parts: int) -> bool:
    """Whether labels of a text are tags of its parts."""
    if not isinstance(value, list) or not value:
        return False
    if all(type(item) is int for item in value):
        return key.lower() in TAGS and key.lower() not in LABELS
    tags = all(isinstance(item, str) and is_tag(item) for item in value)
    return tags and ("O" in value or len(value) == n_parts)


def _has_tokens(row: dict[str, Any], key: str) -> bool:
    """Whether the column of the text holds tokens."""
    return key == WORDS or isinstance(row.get(key), list)


def _is_multi_hot(value: Any, key: str, names: Sequence[str] | None) -> bool:
    """Whether a list says 0 or 1 of each name; raises ValueError if that is open."""
    if not names or not isinstance(value, list) or len(value) != len(names):
        return False
    if value in ([0, 1], [1, 0]) and {type(item) for item in value} == {int}:
        raise ValueError(
            f"{key} is {value}: the numbers of two labels, or 0 or 1 for each of "
            "them; write the names of those that apply"
        )
    return all(type(item) in (int, float, bool) and item in (0, 1) for item in value)


def _read_cats(
    value: Any, key: str, names: Sequence[str] | None, source: Source
) -> dict[str, float] | None:
    if value is None or value == NO_LABEL:
        source.repaired(UNLABELLED, f"{key} is {value}")
        return None
    items = value if isinstance(value, list) else [value]
    numbers = [item for item in items if type(item) is int]
    if len(set(numbers)) < len(numbers):
        raise ValueError(
            f"{key} is {value}: a number is given twice; give the number of each label "
            "that applies, or 0 or 1 for each of --label-names"
        )
    if not isinstance(value, list):
        return {_name(value, key, names): 1.0}
    found = source.flaws.each(items, key, lambda item, name: _name(item, name, names))
    return dict.fromkeys(found, 1.0)


def _name(value: Any, place: str, names: Sequence[str] | None) -> str:
    if isinstance(value, str):
        return value
    if type(value) not in (int, bool):
        raise ValueError(f"{place} is {value!r}; give a name or a number")
    if not names:
        what = "the number " if type(value) is int else ""
        raise ValueError(f"{place} is {what}{value}; name all with --label-names")
    if not 0 <= value < len(names):
        raise ValueError(
            f"{place} is {value}, but there are names of {len(names)} labels"
        )
    return names[int(value)]


def claims_hugging_face(value: dict[str, Any]) -> bool:
    """Whether an object can be of no other format."""
    if isinstance(value.get(WORDS), list):
        words = all(isinstance(word, str) for word in value[WORDS])
        return words and isinstance(value.get(_find_key(value, TAGS)), list)
    text = value.get(_find_key(value, TEXTS))
    plain = {"spans", "answer", "_task_hash", "_input_hash"}.isdisjoint(value)
    if not isinstance(text, str) or not plain:
        return False
    key = _find_key(value, (*LABELS, *TAGS))
    labels = value.get(key)
    if _are_tags(labels, key, len(text.split())):
        return True
    numbers = isinstance(labels, list) and {type(label) for label in labels}
    listed = numbers in ({int}, {float}, {bool})
    return key.lower() in LABELS and (listed or type(labels) in (str, int, bool))


HUGGING_FACE = Format(
    "hugging_face",
    read_hugging_face,
    claims=claims_hugging_face,
    options=("label_names", "text_column", "label_column", "entity_label"),
    magic=MAGIC,
    named=True,
    categories=lambda options: None,
)
