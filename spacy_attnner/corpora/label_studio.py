"""Label Studio's exports, JSON and JSON-MIN.

    {"id": 1, "data": {"text": "Ada left Oslo."},
     "annotations": [{"was_cancelled": false, "result": [
       {"id": "a", "type": "labels", "from_name": "label", "to_name": "text",
        "value": {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}},
       {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right",
        "labels": ["Left"]},
       {"type": "choices", "value": {"choices": ["news"]}, …}]}]}
    {"id": 1, "text": "Ada left Oslo.", "label": [{"start": 0, "end": 3, "text": "Ada",
     "labels": ["PER"]}], "topic": "news", "annotator": 1, "annotation_id": 5, …}

The text is `text` of `data`, or the only string there but `id`; `--text-column` names
another. An `id` in `data` goes before the task's, which Label Studio gives. Relations
are not annotated if no task has one. Of several annotations of a task that were not
cancelled the starred one (`ground_truth`) is read, or the first, and others are
counted. A task without results has none of what others of the file have, entities or
categories. A relation goes from `from_id` to `to_id`, by its direction the other way
round or both ways; one without a label is left out, as choices of a region, results of
other types and relations of those are, counted. A task with those alone is not
annotated. `--label-column` names a choice of JSON-MIN, which is a bare string there if
it is the only one; without it strings beside the text go to `meta`, counted.

https://labelstud.io/guide/export and https://labelstud.io/guide/task_format
"""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from .complaints import CorpusError
from .json_values import check_type, parse_json
from .reading import Source
from .recognition import N_VALUES, Format
from .record import FLAWED, Link, Mention, Record

BARE = "string beside the text of a JSON-MIN task: kept in meta; --label-column"
BARE += " reads it as a choice"
MIN_KEYS = frozenset(("annotation_id", "annotator", "lead_time", "created_at"))
NOT_FIRST = "further annotation of a task: left out"
CANCELLED = "task without an annotation, or a cancelled one: left out"
PREDICTED = "task with predictions and no annotation: left out"
OTHER_TYPE = "result that is no labels, relation or choices: left out"
OTHER_END = "relation of a result that is no labels: left out"
OF_REGION = "choice of a region, not of the text: left out"
UNNAMED = "relation without a label: left out"


def read_label_studio(source: Source) -> Iterator[Record]:
    """Read an export of Label Studio; `options.text_column` is the key of the text.

    Raises CorpusError if no task of JSON-MIN has the key `options.label_column`.
    """

    wanted = source.options.label_column
    nothing = _find_nothing(source)
    n_min = n_found = 0

    def parse(raw: str) -> Iterator[Record]:
        nonlocal n_min, n_found
        task = check_type(source.parse(raw), dict, "task")
        read = _read_task if "data" in task else _read_min
        n_min += read is _read_min
        n_found += wanted in task
        if record := read(task, source, nothing):
            yield record

    yield from source.records(source.values(), parse)
    if wanted and n_min and not n_found:
        message = f"--label-column {wanted}: no task has such a choice; name its key"
        raise CorpusError(source.path, None, message)


def _find_nothing(source: Source) -> dict[str, Any]:
    """What a task without results says, by what the first tasks have: that it has no
    entities, or none of the categories of which others have several.
    """
    first = Source(source.path, encoding=source.encoding)
    values: list[Any] = []
    for raw in islice(first.values(), N_VALUES):
        with suppress(ValueError, AttributeError, TypeError):
            task = parse_json(raw)
            for each in task.get("annotations", task.get("completions")) or ():
                values += [result.get("value") for result in each.get("result") or ()]
            for value in () if "data" in task else task.values():
                values += value if isinstance(value, list) else [value]
    found = [value for value in values if isinstance(value, dict)]
    choices = [value["choices"] for value in found if {*value} == {"choices"}]
    several = any(len(each) > 1 for each in choices if isinstance(each, list))
    labelled = any("labels" in value for value in found)
    return {
        "entities": [] if labelled or not choices else None,
        "cats": {} if several else None,
    }


def _find_text(data: dict[str, Any], source: Source) -> tuple[str, str]:
    """The key of the text, and the text."""
    strings = [k for k, value in data.items() if isinstance(value, str) and k != "id"]
    key = source.options.text_column or ("text" if "text" in data else None)
    key = strings[0] if key is None and len(strings) == 1 else key
    if key not in data or not isinstance(data[key], str):
        raise ValueError(
            f"no text among {sorted(data)}; name its key with --text-column"
        )
    return key, data[key]


def _read_task(
    task: dict[str, Any], source: Source, nothing: dict[str, Any]
) -> Record | None:
    data = check_type(task["data"], dict, "data")
    key, text = _find_text(data, source)
    name = data.get("id", task.get("id"))
    items = task.get("annotations", task.get("completions")) or []
    valid = [each for each in items if not each.get("was_cancelled")]
    if not valid:
        only_predicted = task.get("predictions") and not items
        reason = PREDICTED if only_predicted else CANCELLED
        source.repaired(reason, repr(text[:40]))
        return None
    if len(valid) > 1:
        source.repaired(NOT_FIRST, repr(text[:40]), len(valid) - 1)
    valid.sort(key=lambda each: not each.get("ground_truth"))
    results = check_type(valid[0].get("result"), list, "result")
    mentions, ids = _read_mentions(results, source)
    links = _read_links(results, ids, source)
    found = {"entities": mentions or None, "cats": _read_choices(results, source)}
    return Record(
        text,
        **found if results else nothing,
        relations=links if mentions or not results else None,
        id=name,
        meta={k: value for k, value in data.items() if k not in (key, "id")},
    )


def _read_mentions(
    results: list[Any], source: Source
) -> tuple[list[Mention], dict[str, int]]:
    found: list[Mention] = []
    ids: dict[str, int] = {}
    for i, result in enumerate(results):
        kind = check_type(result, dict, f"result[{i}]").get("type")
        if kind not in ("labels", "relation", "choices"):
            source.repaired(OTHER_TYPE, f"result[{i}] of type {kind!r}")
        elif kind == "labels":
            # results of several controls for one region share its id
            ids.setdefault(result.get("id"), len(found))
            found += _read_value(result.get("value"), f"result[{i}]", source)
    return found, ids


def _read_value(value: Any, name: str, source: Source) -> list[Mention]:
    """An entity of each label of a region."""
    with source.flaws.of():
        check_type(value, dict, f"{name} value")
        start, end = (
            check_type(value.get(key), int, f"{name} {key}") for key in ("start", "end")
        )
        labels = check_type(value.get("labels"), list, f"{name} labels")
        if not labels:
            raise ValueError(f"{name} has no label; label it, or delete the region")
        stored = value.get("text")
        return [
            Mention(start, end, check_type(label, str, f"{name} label"), name, stored)
            for label in labels
        ]
    return [FLAWED]


def _read_links(
    results: list[Any], ids: dict[str, int], source: Source
) -> list[Link] | None:
    found: dict[tuple[int, int, str], Link] = {}
    others = {result.get("id") for result in results} - ids.keys() - {None}
    for i, result in enumerate(results):
        if result.get("type") != "relation":
            continue
        if others & {result.get("from_id"), result.get("to_id")}:
            source.repaired(OTHER_END, f"result[{i}]")
            continue
        with source.flaws.of():
            for link in _read_relation(result, f"result[{i}]", ids, source):
                found[link.head, link.tail, link.label] = link
    return list(found.values())


def _read_relation(
    result: dict[str, Any], name: str, ids: dict[str, int], source: Source
) -> Iterator[Link]:
    """Those of each label, in the direction that it has, or in both."""
    for key in ("from_id", "to_id"):
        if result.get(key) not in ids:
            raise ValueError(
                f"{name} {key} is {result.get(key)!r}, which is no id of a region"
            )
    ends = ids[result["from_id"]], ids[result["to_id"]]
    if not result.get("labels"):
        source.repaired(UNNAMED, name)
    for label in result.get("labels") or []:
        direction = result.get("direction", "right")
        if direction != "left":
            yield Link(ends[0], ends[1], label, name)
        if direction in ("left", "bi"):
            yield Link(ends[1], ends[0], label, name)


def _read_choices(results: list[Any], source: Source) -> dict[str, float] | None:
    cats: dict[str, float] = {}
    for i, result in enumerate(results):
        if result.get("type") != "choices":
            continue
        with source.flaws.of():
            value = check_type(result.get("value"), dict, f"result[{i}] value")
            choices = check_type(value.get("choices"), list, f"result[{i}] choices")
            if "start" in value:
                source.repaired(OF_REGION, f"{choices} of {value.get('text')!r}")
            else:
                cats.update(dict.fromkeys(choices, 1.0))
    return cats or None


def _read_min(task: dict[str, Any], source: Source, nothing: dict[str, Any]) -> Record:
    """A task of JSON-MIN, whose controls are keys beside those of its data."""
    if not MIN_KEYS & set(task):
        raise ValueError(
            f"a task of the keys {sorted(task)} has neither data nor annotation_id; "
            "export it as JSON or JSON-MIN"
        )
    mentions: list[Mention] = []
    cats: dict[str, float] = {}
    data: dict[str, Any] = {}
    n_others = 0
    for key, value in task.items():
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            for i, item in enumerate(value):
                if "labels" in item:
                    mentions += _read_value(item, f"{key}[{i}]", source)
                else:
                    n_others += 1
                    source.repaired(OTHER_TYPE, f"{key}[{i}] of {sorted(item)}")
        elif isinstance(value, dict) and "choices" in value:
            with source.flaws.of():
                choices = check_type(value["choices"], list, f"{key} choices")
                cats.update(dict.fromkeys(choices, 1.0))
        elif key not in MIN_KEYS and key not in ("id", "updated_at"):
            data[key] = value
    key, text = _find_text(data, source)
    rest = {name: value for name, value in data.items() if name != key}
    if choice := _take_choice(rest, source):
        cats[choice] = 1.0
    found = {"entities": mentions or None, "cats": cats or None}
    if not (mentions or cats or n_others):
        found = nothing
    return Record(text, **found, id=task.get("id"), meta=rest)


def _take_choice(rest: dict[str, Any], source: Source) -> str | None:
    """A single choice, which JSON-MIN has as a bare string; a task may have none."""
    name = source.options.label_column
    if name is None:
        for key in (key for key, value in rest.items() if isinstance(value, str)):
            source.repaired(BARE, f"{key} {rest[key][:40]!r}")
        return None
    value = rest.pop(name, None)
    if value is not None:
        check_type(value, str, f"--label-column {name}: the choice")
    return value


def claims_label_studio(value: dict[str, Any]) -> bool:
    """Whether an object can be of no other format."""
    if isinstance(value.get("data"), dict):
        return bool({"annotations", "completions"} & set(value))
    return {"annotation_id", "annotator"} <= set(value)


LABEL_STUDIO = Format(
    "label_studio",
    read_label_studio,
    claims=claims_label_studio,
    options=("text_column", "label_column"),
    categories=lambda options: None,
    joined=True,
)
