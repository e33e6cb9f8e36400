"""Checks of values that came out of JSON; each says what it found and what it wants."""

from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")
NAMES = {
    str: "a string",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


def check_type(value: Any, kind: type[T], name: str) -> T:
    """Pass a value on.

    Raises ValueError if it is not of this type; `True` is no whole number.
    """
    if type(value) is not kind:
        raise ValueError(f"{name} is {value!r}; give {NAMES[kind]}")
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
