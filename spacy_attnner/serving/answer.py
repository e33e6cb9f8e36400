"""What a pipeline found in a text, as plain data: a row of an answer."""

import math
from typing import Any

from spacy.tokens import Doc, Span

from ..confidence import confidences
from ..relations import Relation, get_relations

DIGITS = 6  # of probabilities, as confidences are kept


def answer_of(doc: Doc, id: str | int | None = None) -> dict[str, Any]:
    """A document that a pipeline has read, in types that JSON knows.

        {"id": 7, "text": "…",
         "entities": [{"text": "Mira", "label": "PER", "start": 0, "end": 4,
                       "confidence": 0.98}],
         "relations": [{"head": {"text": …, "label": …, "start": …, "end": …},
                        "label": "Lives_In", "tail": {…}, "score": 0.75}],
         "cats": {"news": 0.9}}

    Offsets count characters (code points), ends are exclusive. `confidence` is None of
    an entity whose component gives none; `id` is there if one is given.

    Raises ValueError for a probability that is no finite number.
    """
    row: dict[str, Any] = {} if id is None else {"id": id}
    scored = zip(doc.ents, confidences(doc, doc.ents), strict=True)
    row["text"] = doc.text
    row["entities"] = [
        _place(ent) | {"confidence": None if score is None else _rounded(score)}
        for ent, score in scored
    ]
    row["relations"] = [_joined(each) for each in get_relations(doc)]
    row["cats"] = {label: _rounded(score) for label, score in sorted(doc.cats.items())}
    return row


def _place(span: Span) -> dict[str, Any]:
    return {
        "text": span.text,
        "label": span.label_,
        "start": span.start_char,
        "end": span.end_char,
    }


def _joined(relation: Relation) -> dict[str, Any]:
    return {
        "head": _place(relation.head),
        "label": relation.label,
        "tail": _place(relation.tail),
        "score": _rounded(relation.score),
    }


def _rounded(value: Any) -> float:
    score = float(value)
    if not math.isfinite(score):
        raise ValueError(f"a probability is {score}")
    return round(score, DIGITS)
