"""Documents with relations and confidences as JSON, there and back."""

from typing import Any

import numpy
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from ..confidence import ScoredEntities, confidences_by_key, put_confidences
from ..span_groups import align_groups, text_start
from .relation import Relation
from .storage import RELATIONS_KEY, relations_by_key, set_relations


def doc_to_json(doc: Doc, underscore: list[str] | None = None) -> dict[str, Any]:
    """A document as plain JSON types: `doc.to_json()` and, under "relations", one

        {"head": {"start": 0, "end": 11, "label": "PER"}, "tail": {…},
         "label": "Work_For", "score": 0.75}

    per relation, offsets in characters as everywhere in spaCy's JSON; "key" is its span
    group where that is not "relations". Without the key there is no relation
    annotation; an empty list says that there is no relation. Under "confidences" stands
    for each span group of an `attn_ner` whose turn it was and the scores of its spans:

        {"attn_ner": {"turn": 1, "scores": [0.75]}}

    with "layer": true where that one leaves `doc.ents` alone.
    numpy scalars, which `json.dumps` refuses, become numbers.

    underscore: Names of custom attributes to write, as in `doc.to_json`.
    """
    align_groups(doc)
    data = doc.to_json(underscore=underscore)
    relations = relations_by_key(doc)
    for key in relations:  # the arguments, which are written in full
        data.get("spans", {}).pop(key, None)
    if not data.get("spans", True):
        del data["spans"]
    if relations:
        data["relations"] = [
            _relation_to_json(each, key)
            for key, found in relations.items()
            for each in found
        ]
    confidences = {
        key: _scored_to_json(scored) for key, scored in confidences_by_key(doc).items()
    }
    return _plain(data | {"confidences": confidences} if confidences else data)


def doc_from_json(vocab: Vocab, data: dict[str, Any], *, validate: bool = False) -> Doc:
    """The document that `doc_to_json` wrote, or spaCy's own `doc.to_json()`.

    vocab: What the document's words belong to, e.g. `nlp.vocab`.
    data: The document's JSON.
    validate: Check spaCy's part of it against spaCy's schema.

    Raises ValueError where a relation is malformed, or its arguments are not on token
    boundaries, and where confidences do not fit the spans.
    """
    ours = ("relations", "confidences")
    own = {key: value for key, value in data.items() if key not in ours}
    doc = Doc(vocab).from_json(own, validate=validate)
    if "relations" in data:
        groups: dict[str, list[Relation]] = {}
        for each in data["relations"]:
            groups.setdefault(_key(each), []).append(_relation(each, doc))
        for key, relations in (groups or {RELATIONS_KEY: []}).items():
            set_relations(doc, relations, key)
    for key, value in data.get("confidences", {}).items():
        _set_confidences(doc, key, value)
    return doc


def _scored_to_json(scored: ScoredEntities) -> dict[str, Any]:
    data = {"turn": scored.turn, "scores": [score for _, score in scored.entities]}
    return data | {"layer": True} if scored.layer else data


def _set_confidences(doc: Doc, key: str, value: Any) -> None:
    try:
        scored = list(zip(doc.spans.get(key, ()), value["scores"], strict=True))
        layer = value.get("layer") is True
        put_confidences(doc, key, ScoredEntities(scored, int(value["turn"]), layer))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"the confidences {value!r} of the document {text_start(doc)} need a turn, "
            f"and a score for each of the spans {key!r}"
        ) from error


def _key(data: Any) -> str:
    return data.get("key", RELATIONS_KEY) if isinstance(data, dict) else RELATIONS_KEY


def _relation_to_json(relation: Relation, key: str) -> dict[str, Any]:
    data = {
        "head": _span_to_json(relation.head),
        "tail": _span_to_json(relation.tail),
        "label": relation.label,
        "score": relation.score,
    }
    return data if key == RELATIONS_KEY else data | {"key": key}


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
