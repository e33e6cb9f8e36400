"""Triples as JSON Lines (https://jsonlines.org): one object a line."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from .text import to_json
from .triples import Source, Triple, read_triples


def to_jsonl(docs: Iterable[Source], *, threshold: float = 0.0) -> Iterator[str]:
    """Lines of JSON, each with its line end.

    Keys: `doc`, `head`, `label`, `tail`, `score`, `context`, and where they were given
    `doc_id` and `meta`; `head` and `tail` have `text`, `label`, `start_char` and
    `end_char`.

    docs: Documents, or pairs of a document and its id or `DocInfo`.
    threshold: Leave out relations with a lower score.

    Raises ValueError for a score that is no finite number, TypeError or ValueError for
    a `meta` that is not JSON.
    """
    for triple in read_triples(docs, threshold=threshold):
        yield to_json(_record(triple)) + "\n"


def _record(triple: Triple) -> dict[str, Any]:
    record = asdict(triple)
    return {
        key: value
        for key, value in record.items()
        if value is not None or key not in ("doc_id", "meta")
    }
