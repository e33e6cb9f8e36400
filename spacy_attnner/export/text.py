"""Strings that every format can hold."""

import json
import re
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
