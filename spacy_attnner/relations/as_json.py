"""Documents with relations as JSON, there and back."""

from typing import Any

import numpy
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from .groups import text_start
from .relation import Relation
from .storage import (
    RELATIONS_KEY,
    get_relations,
    has_relations,
    realign_relations,
    set_relations,
)


def doc_to_json(doc: Doc, underscore: list[str] | None = None) -> dict[str, Any]:
    """A document as plain JSON types: `doc.to_json()` and, under "relations", one

        {"head": {"start": 0, "end": 11, "label": "PER"}, "tail": {…},
         "label": "Work_For", "score": 0.75}

    per relation, offsets in characters as everywhere in spaCy's JSON. Without the key
    there is no relation annotation; an empty list says that there is no relation.
    numpy scalars, which `json.dumps` refuses, become numbers. Relations are realigned
    where tokens were merged or split.

    underscore: Names of custom attributes to write, as in `doc.to_json`.
    """
    realign_relations(doc)
    data = doc.to_json(underscore=underscore)
    if has_relations(doc):
        del data["spans"][RELATIONS_KEY]  # the arguments, which are written in full
        if not data["spans"]:
            del data["spans"]
        data["relations"] = [_relation_to_json(each) for each in get_relations(doc)]
    return _plain(data)


def doc_from_json(vocab: Vocab, data: dict[str, Any], *, validate: bool = False) -> Doc:
    """The document that `doc_to_json` wrote, or spaCy's own `doc.to_json()`.

    vocab: What the document's words belong to, e.g. `nlp.vocab`.
    data: The document's JSON.
    validate: Check spaCy's part of it against spaCy's schema.

    Raises ValueError where a relation is malformed, or its arguments are not on token
    boundaries.
    """
    own = {key: value for key, value in data.items() if key != "relations"}
    doc = Doc(vocab).from_json(own, validate=validate)
    if "relations" in data:
        set_relations(doc, [_relation(each, doc) for each in data["relations"]])
    return doc


def _relation_to_json(relation: Relation) -> dict[str, Any]:
    return {
        "head": _span_to_json(relation.head),
        "tail": _span_to_json(relation.tail),
        "label": relation.label,
        "score": relation.score,
    }


def _span_to_json(span: Span) -> dict[str, Any]:
    data = {"start": span.start_char, "end": span.end_char, "label": span.label_}
    return data | {"kb_id": span.kb_id_} if span.kb_id else data


def _relation(data: Any, doc: Doc) -> Relation:
    try:
        head, tail = _span(data["head"], doc), _span(data["tail"], doc)
        return Relation(head, tail, data["label"], data.get("score", 1.0))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f"relation {data!r} of the document {text_start(doc)} needs a head and a "
            "tail, each with start, end and label, and a label of its own"
        ) from error


def _span(data: dict[str, Any], doc: Doc) -> Span:
    span = doc.char_span(
        data["start"],
        data["end"],
        label=data.get("label", ""),
        kb_id=data.get("kb_id", ""),
    )
    if span is None:
        raise ValueError(
            f"argument {data!r} of a relation does not begin and end with tokens of "
            f"the document {text_start(doc)}"
        )
    return span


def _plain(value: Any) -> Any:
    """The same value in types that `json.dumps` knows."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.item() if isinstance(value, numpy.generic) else value
