"""JSON on one line, whatever it holds."""

import base64
import json
import math
import re
from collections.abc import Mapping
from typing import Any

REPLACEMENT = "\ufffd"
SURROGATE = re.compile("[\ud800-\udfff]")
# str.splitlines() ends a line at these, which JSON leaves as they are
LINE_ENDS = re.compile("[\x85\u2028\u2029]")


def storable(text: str) -> str:
    """The text with U+FFFD for lone surrogates, which UTF-8 cannot encode.

    A file name that is not UTF-8 has them, and so may an escape in JSON.
    """
    return SURROGATE.sub(REPLACEMENT, text)


def to_json(value: Any) -> str:
    """JSON on one line, whatever takes it apart into lines.

    Raises TypeError or ValueError for what JSON does not know: other types, NaN.
    """
    text = storable(json.dumps(value, ensure_ascii=False, allow_nan=False))
    return LINE_ENDS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def json_line(value: Any) -> str:
    """JSON on one line, of what other formats hold, too: dates and times become
    strings, bytes base64, and numbers that are not finite null.
    """
    try:
        return to_json(value)
    except (TypeError, ValueError):
        return to_json(jsonable(value))


def jsonable(value: Any) -> Any:
    """The same value, of types that JSON knows, see `json_line`."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(each) for each in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    iso = getattr(value, "isoformat", None)
    return str(value) if iso is None else iso()
