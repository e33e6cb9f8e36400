"""Telling Prodigy's annotations from the package's own JSONL."""

from pathlib import Path
from typing import Any

from .lines import read_json_lines

# keys that no line of the other format has
PRODIGY_KEYS = frozenset(
    ("spans", "answer", "_input_hash", "_task_hash", "_view_id", "_session_id")
)
OWN_KEYS = frozenset(("entities", "cats", "spaces", "sent_starts"))
PRODIGY_RELATION_KEYS = frozenset(("child", "head_span", "child_span"))


def detect_dialect(path: str | Path) -> str:
    """ "prodigy" or "jsonl", by the first line that can be only one of them.

    Where none can, it is the package's own.

    Raises CorpusError if a line before that is no JSON.
    """
    for _, record in read_json_lines(path):
        prodigy = is_prodigy(record)
        if prodigy is not None:
            return "prodigy" if prodigy else "jsonl"
    return "jsonl"


def is_prodigy(record: Any) -> bool | None:
    """Whether a line of JSON is Prodigy's; None if it may be either's."""
    if not isinstance(record, dict):
        return None
    if PRODIGY_KEYS & set(record):
        return True
    if OWN_KEYS & set(record):
        return False
    tokens, relations = (_items(record, key) for key in ("tokens", "relations"))
    if any(isinstance(token, dict) for token in tokens):
        return True
    for relation in relations:
        if isinstance(relation, dict) and PRODIGY_RELATION_KEYS & set(relation):
            return True
    return False if tokens or relations else None


def _items(record: dict[str, Any], key: str) -> list[Any]:
    items = record.get(key)
    return items if isinstance(items, list) else []
