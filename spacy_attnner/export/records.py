"""A text, its id and what else belongs to it, as a line of JSON."""

import json
from typing import Any

from ..errors import UserError
from .triples import DocInfo

WAY_OUT = 'Write one object a line: {"text": "…", "id": "…", "meta": {}}'


def read_record(line: str, where: str) -> tuple[str, DocInfo]:
    """The text of an object, its `id` and its `meta`, if it has them.

    where: The name of the line, for messages.

    Raises UserError if a value is missing or of another type.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{where}: invalid JSON, {error}: {line[:40]!r}", WAY_OUT
        ) from error
    if not isinstance(record, dict):
        raise UserError(f"{where}: {line[:40]!r} is not an object", WAY_OUT)
    text = record.get("text")
    if not isinstance(text, str):
        found = json.dumps(text)[:40] if "text" in record else "missing"
        keys = ", ".join(map(repr, record)) or "none"
        raise UserError(
            f"{where}: text is {found}, not a string; the keys are {keys}", WAY_OUT
        )
    return text, DocInfo(_read_id(record, where), _read_meta(record, where))


def _read_id(record: dict[str, Any], where: str) -> str | int | None:
    value = record.get("id")
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise UserError(
            f"{where}: id is {json.dumps(value)[:40]}",
            "Write a string or an integer, or leave it out.",
        )
    return value


def _read_meta(record: dict[str, Any], where: str) -> dict[str, Any] | None:
    meta = record.get("meta")
    if meta is not None and not isinstance(meta, dict):
        raise UserError(
            f"{where}: meta is {json.dumps(meta)[:40]}",
            "Write an object, or leave it out.",
        )
    try:
        json.dumps(meta, allow_nan=False)  # 1e999 is read as infinity
    except ValueError as error:
        raise UserError(
            f"{where}: meta holds a number that is not finite: {str(meta)[:40]}",
            "Write null or a string in its place.",
        ) from error
    return meta
