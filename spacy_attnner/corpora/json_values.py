"""Values of JSON, and whether they are what a format has there."""

import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")
ARRAY = re.compile(r'\s*\[\s*(?!["\s])')  # not of a text and what is said of it
PYTHON = re.compile(r"[\s\[{]*['(]")
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
        python = PYTHON.match(raw)
        way_out = "it with json.dumps, not str" if python else "one object a line"
        raise ValueError(
            f"invalid JSON, {error}: {raw[:40]!r}; write {way_out}"
        ) from error


def goes_on(line: str) -> bool:
    """Whether the first line of a file is not a value itself, but begins several.

    It is an array of records, unless it is a record such as `["text", {…}]`, or an
    object that ends on a later line.

    line: As much of it as is known.
    """
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        if ARRAY.match(line):
            return True
        return line.lstrip()[:1] == "{" and error.pos >= len(line.rstrip())
    except RecursionError:
        return False
    return isinstance(value, list) and not (value and isinstance(value[0], str))


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice!r} is given twice")
    return made


def read_sentences(value: Any, name: str) -> list[list[str]]:
    """The tokens of each sentence.

    Raises ValueError if it is no list of lists of strings.
    """
    sentences = check_type(value, list, name)
    return [read_words(each, f"{name}[{i}]") for i, each in enumerate(sentences)]


def read_words(value: Any, name: str) -> list[str]:
    """Tokens; raises ValueError if they are no list of strings that hold something."""
    for i, word in enumerate(check_type(value, list, name)):
        if not check_type(word, str, f"{name}[{i}]"):
            raise ValueError(f"{name}[{i}] is empty; remove it, and mind the offsets")
    return value


def read_score(value: Any, name: str) -> float:
    """The score of a category.

    Raises ValueError if it is not from 0 to 1; NaN is not.
    """
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{name} is {value!r}; write 0 to 1")
    return float(value)


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
    flaws = [
        f"{flaw} key {', '.join(repr(key) for key in sorted(wrong))}"
        for flaw, wrong in (
            ("unknown", keys.difference(required, optional)),
            ("missing", set(required) - keys),
        )
        if wrong
    ]
    if flaws:
        allowed = ", ".join([*required, *optional])
        raise ValueError(f"{' and '.join(flaws)} in {name}; its keys are {allowed}")
