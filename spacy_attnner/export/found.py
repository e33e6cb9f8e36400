"""What a pipeline found in a text, as plain data that JSON and Parquet know.

    "entities": [{"text": "Oslo", "label": "LOC", "start": 9, "end": 13,
                  "confidence": 0.98}]
    "relations": [{"head": {"text": …, "label": …, "start": …, "end": …},
                   "label": "Live_In", "tail": {…}, "score": 0.91}]
    "cats": {"POSITIVE": 0.7}

Offsets count characters (code points), as everywhere in spaCy's JSON; ends are
exclusive. All functions raise ValueError for a probability that is no finite number.
"""

import math
from typing import Any

from spacy.tokens import Doc, Span

from ..confidence import confidences
from ..relations import get_relations

DIGITS = 6  # of probabilities, as confidences are kept


def document_record(doc: Doc, id: str | int | None = None) -> dict[str, Any]:
    """All of it: {"id": …, "text": …, "entities": …, "relations": …, "cats": …}.

    id: Left out if None.
    """
    record: dict[str, Any] = {} if id is None else {"id": id}
    return record | {
        "text": doc.text,
        "entities": entity_records(doc),
        "relations": relation_records(doc),
        "cats": category_records(doc),
    }


def entity_records(doc: Doc) -> list[dict[str, Any]]:
    """The entities with their confidences, None where nothing gave one."""
    return [
        {**_span(ent), "confidence": None if score is None else _score(score)}
        for ent, score in zip(doc.ents, confidences(doc, doc.ents), strict=True)
    ]


def relation_records(doc: Doc) -> list[dict[str, Any]]:
    """The relations, in the order they were set."""
    return [
        {
            "head": _span(each.head),
            "label": each.label,
            "tail": _span(each.tail),
            "score": _score(each.score),
        }
        for each in get_relations(doc)
    ]


def category_records(doc: Doc) -> dict[str, float]:
    """The categories, sorted by name."""
    return {name: _score(score) for name, score in sorted(doc.cats.items())}


def _span(span: Span) -> dict[str, Any]:
    return {
        "text": span.text,
        "label": span.label_,
        "start": span.start_char,
        "end": span.end_char,
    }


def _score(value: Any) -> float:
    score = float(value)
    if not math.isfinite(score):
        raise ValueError(f"a probability is {score}")
    return round(score, DIGITS)
