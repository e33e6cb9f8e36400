"""Documents as objects of the package's JSONL, written apart from its own export."""

from typing import Any

from spacy.tokens import Doc

from spacy_attnner.relations import get_relations, has_relations


def doc_to_record(doc: Doc, *, as_text: bool = False) -> dict[str, Any]:
    """as_text: Write `text` and character offsets instead of `tokens`."""
    record: dict[str, Any] = {"text": doc.text} if as_text else _tokens(doc)
    places = {(ent.start, ent.end): i for i, ent in enumerate(doc.ents)}
    if len(doc) and doc.has_annotation("ENT_IOB"):
        ends = ("start_char", "end_char") if as_text else ("start", "end")
        record["entities"] = [
            {
                "start": getattr(ent, ends[0]),
                "end": getattr(ent, ends[1]),
                "label": ent.label_,
            }
            for ent in doc.ents
        ]
    if has_relations(doc):
        record["relations"] = [
            {
                "head": places[each.head.start, each.head.end],
                "tail": places[each.tail.start, each.tail.end],
                "label": each.label,
            }
            for each in get_relations(doc)
        ]
    if doc.cats:
        record["cats"] = {label: int(value) for label, value in doc.cats.items()}
    return {**record, **_kept(doc)}


def _tokens(doc: Doc) -> dict[str, Any]:
    record: dict[str, Any] = {"tokens": [token.text for token in doc]}
    if not doc.has_unknown_spaces:
        record["spaces"] = [bool(token.whitespace_) for token in doc]
    # a document of one token begins a sentence whether annotated or not
    if len(doc) > 1 and doc.has_annotation("SENT_START"):
        record["sent_starts"] = [bool(token.is_sent_start) for token in doc]
    return record


def _kept(doc: Doc) -> dict[str, Any]:
    return {key: doc.user_data[key] for key in ("id", "meta") if key in doc.user_data}
