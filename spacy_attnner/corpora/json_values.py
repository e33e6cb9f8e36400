"""Values of JSON, and whether they are what a format has there."""

import json
from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")
TYPE_NAMES = {
    str: "a string",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


def parse_json(raw: str) -> Any:
    """The value of JSON.

    Raises ValueError if it is none, or gives a key of an object twice.
    """
    try:
        return json.loads(raw, object_pairs_hook=_make_object)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"invalid JSON, {error}: {raw[:40]!r}; write one object a line"
        ) from error


def is_row(line: str) -> bool:
    """Whether a line is an array that is a record, such as `["text", {…}]`."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return bool(value) and isinstance(value[0], str)


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice!r} is given twice")
    return made


def read_label(item: Any, name: str) -> str:
    """The label of an entity or a relation that came out of JSON.

    Raises ValueError if it is no string, or empty.
    """
    label = check_type(item["label"], str, f"{name} label")
    if not label:
        raise ValueError(f"{name} label is empty; name its type")
    return label


def check_type(value: Any, kind: type[T], name: str) -> T:
    """Pass a value of JSON on.

    Raises ValueError if it is not of this type; `True` is no whole number.
    """
    if type(value) is not kind:
        raise ValueError(f"{name} is {value!r}; give {TYPE_NAMES[kind]}")
    return value


def check_keys(
    value: Any,
    name: str,
    *,
    required: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> None:
    """Raises ValueError if this is no object, lacks a key or has an unknown one."""
    keys = set(check_type(value, dict, name))
    allowed = ", ".join([*required, *optional])
    for flaw, wrong in (
        ("unknown", keys.difference(required, optional)),
        ("missing", set(required) - keys),
    ):
        if wrong:
            listed = ", ".join(repr(key) for key in sorted(wrong))
            raise ValueError(f"{flaw} key {listed} in {name}; its keys are {allowed}")
