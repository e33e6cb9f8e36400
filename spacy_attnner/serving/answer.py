"""What a pipeline found in a text, as plain data: a row of an answer."""

from typing import Any

from spacy.tokens import Doc, Span

from ..confidence import confidences
from ..relations import Relation, get_relations


def answer_of(doc: Doc, id: str | int | None = None) -> dict[str, Any]:
    """A document that a pipeline has read, in types that JSON knows.

        {"id": 7, "text": "…",
         "entities": [{"start": 0, "end": 4, "label": "PER", "text": "Mira",
                       "confidence": 0.98}],
         "relations": [{"head": {"start": …, "end": …, "label": …, "text": …},
                        "label": "Lives_In", "tail": {…}, "score": 0.75}],
         "cats": {"news": 0.9}}

    Offsets count characters (code points), ends are exclusive. `confidence` is None of
    an entity whose component gives none; `id` is there if one is given.
    """
    row: dict[str, Any] = {} if id is None else {"id": id}
    scored = zip(doc.ents, confidences(doc, doc.ents), strict=True)
    row["text"] = doc.text
    row["entities"] = [_span(ent) | {"confidence": score} for ent, score in scored]
    row["relations"] = [_relation_row(each) for each in get_relations(doc)]
    row["cats"] = {label: float(score) for label, score in doc.cats.items()}
    return row


def _span(span: Span) -> dict[str, Any]:
    row = {
        "start": span.start_char,
        "end": span.end_char,
        "label": span.label_,
        "text": span.text,
    }
    return row | {"kb_id": span.kb_id_} if span.kb_id else row


def _relation_row(relation: Relation) -> dict[str, Any]:
    return {
        "head": _span(relation.head),
        "label": relation.label,
        "tail": _span(relation.tail),
        "score": float(relation.score),
    }
