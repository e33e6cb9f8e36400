"""The package's own corpus format: one JSON object a line.

    {"text": "Ada lives in Oslo.",
     "entities": [{"start": 0, "end": 3, "label": "PER"},
                  {"start": 13, "end": 17, "label": "LOC"}],
     "relations": [{"head": 0, "tail": 1, "label": "Live_In"}],
     "cats": {"news": 0, "fiction": 1}}

Either `text`, which the pipeline's tokenizer splits, or `tokens`, a list of strings
with, optionally, `spaces` and `sent_starts`, lists of booleans of its length. Entities
have character offsets with `text` and token offsets with `tokens`, the end exclusive.
`head` and `tail` of a relation index the list of entities. An absent key means "not
annotated", an empty list "annotated, there is none". `meta` is passed over.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span

from ..relations import Relation, get_relations, has_relations, set_relations
from .reading import (
    Labels,
    Source,
    check_keys,
    check_label,
    check_type,
    read_label,
)

TOKEN_KEYS = ("text", "tokens", "spaces", "sent_starts")
KEYS = (*TOKEN_KEYS, "entities", "relations", "cats", "meta")


def read_jsonl(
    path: str | Path, nlp: Language, *, labels: Labels = None
) -> Iterator[Doc]:
    """Read a JSONL corpus, each document annotated as far as its line says.

    nlp: The pipeline whose tokenizer splits `text`.
    labels: The entity, relation and category labels allowed; None allows any.

    Raises CorpusError if a line or the file is malformed.
    """
    source = Source(path, labels)
    records = source.json_lines()
    return source.documents(record_to_doc(r, nlp, labels=labels) for r in records)


def record_to_doc(
    record: dict[str, Any], nlp: Language, *, labels: Labels = None
) -> Doc:
    """Make a document of one object of the format.

    Raises ValueError if it is malformed or carries a label that is not allowed.
    """
    check_keys(record, "document", optional=KEYS)
    if ("text" in record) == ("tokens" in record):
        raise ValueError(f"give either text or tokens; the keys are {sorted(record)}")
    doc = _make_text(record, nlp) if "text" in record else _make_tokens(record, nlp)
    spans: list[Span] = []
    if "entities" in record:
        in_text = "text" in record
        spans = _read_entities(
            doc, record["entities"], characters=in_text, labels=labels
        )
        doc.set_ents(spans, default="outside")
    if "relations" in record:
        set_relations(doc, _read_relations(record["relations"], spans, labels=labels))
    doc.cats = _read_cats(record.get("cats", {}), labels)
    return doc


def _make_text(record: dict[str, Any], nlp: Language) -> Doc:
    for key in ("spaces", "sent_starts"):
        if key in record:
            raise ValueError(f"{key} goes with tokens, not with text; remove it")
    return nlp.make_doc(check_type(record["text"], str, "text"))


def _make_tokens(record: dict[str, Any], nlp: Language) -> Doc:
    words = check_type(record["tokens"], list, "tokens")
    for i, word in enumerate(words):
        if not check_type(word, str, f"tokens[{i}]"):
            raise ValueError(f"tokens[{i}] is empty; remove it")
    flags = {}
    for key in ("spaces", "sent_starts"):
        if key not in record:
            continue
        flags[key] = check_type(record[key], list, key)
        if len(flags[key]) != len(words):
            lengths = f"{len(flags[key])} values for {len(words)} tokens"
            raise ValueError(f"{key} has {lengths}; give one for each")
        for i, flag in enumerate(flags[key]):
            check_type(flag, bool, f"{key}[{i}]")
    if flags.get("sent_starts") and not flags["sent_starts"][0]:
        raise ValueError("sent_starts[0] is false; the first token begins a sentence")
    return Doc(nlp.vocab, words=words, **flags)


def _read_cats(value: Any, labels: Labels) -> dict[str, float]:
    cats = check_type(value, dict, "cats")
    for label, given in cats.items():
        check_label(label, labels)
        if not isinstance(given, int | float) or given not in (0, 1):
            raise ValueError(f"cats[{label!r}] is {given!r}; write 0, 1, false or true")
    return {label: float(given) for label, given in cats.items()}


def _read_entities(
    doc: Doc, items: Any, *, characters: bool, labels: Labels
) -> list[Span]:
    """Make spans of a list of entities, in its order.

    items: A list of {"start", "end", "label"}, as JSON gave it.
    characters: Whether the offsets count characters; otherwise they count tokens.
    labels: The labels allowed; None allows any.

    Raises ValueError if one is malformed or out of range, does not begin and end with
    a token, or overlaps another.
    """
    spans = [
        read_entity(doc, item, f"entities[{i}]", characters, labels)
        for i, item in enumerate(check_type(items, list, "entities"))
    ]
    ordered = sorted(spans, key=lambda span: (span.start, span.end))
    for one, other in pairwise(ordered):
        if other.start < one.end:
            raise ValueError(
                f"entities {one.text!r} ({one.label_}) and {other.text!r} "
                f"({other.label_}) overlap; remove one"
            )
    return spans


def read_entity(
    doc: Doc, item: Any, name: str, characters: bool, labels: Labels
) -> Span:
    """Make a span of one {"start", "end", "label"}; `name` is what errors call it.

    Raises ValueError if it is malformed, out of range, or does not begin and end with
    a token.
    """
    check_keys(item, name, required=("start", "end", "label"))
    start = check_type(item["start"], int, f"{name} start")
    end = check_type(item["end"], int, f"{name} end")
    label = read_label(item, name, labels)
    size, unit = (len(doc.text), "characters") if characters else (len(doc), "tokens")
    if not 0 <= start < end <= size:
        raise ValueError(
            f"{name} {label!r} spans {start} to {end}, out of range: the document has "
            f"{size} {unit}; give 0 <= start < end <= {size}"
        )
    if not characters:
        return Span(doc, start, end, label)
    span = doc.char_span(start, end, label)
    if span is None:
        left, right = _nearest_boundaries(doc, start, end)
        raise ValueError(
            f"{name} {doc.text[start:end]!r} ({start} to {end}) does not begin and end "
            f"with a token; the nearest that does is {doc.text[left:right]!r} "
            f"({left} to {right})"
        )
    return span


def _nearest_boundaries(doc: Doc, start: int, end: int) -> tuple[int, int]:
    """The character offsets nearest to these where a token begins and one ends."""
    left = min((token.idx for token in doc), key=lambda at: abs(at - start))
    ends = (token.idx + len(token) for token in doc)
    right = min((at for at in ends if at > left), key=lambda at: abs(at - end))
    return left, right


def _read_relations(items: Any, spans: list[Span], *, labels: Labels) -> list[Relation]:
    """Make relations of a list of {"head", "tail", "label"} over these entities.

    Raises ValueError if one is malformed, points at no entity, joins an entity to
    itself, or is given twice.
    """
    found: dict[tuple[int, int, str], Relation] = {}
    for i, item in enumerate(check_type(items, list, "relations")):
        name = f"relations[{i}]"
        check_keys(item, name, required=("head", "tail", "label"))
        label = read_label(item, name, labels)
        head, tail = (_read_index(item, key, name, spans) for key in ("head", "tail"))
        flaw = "joins an entity to itself" if head == tail else ""
        flaw = "is given twice" if (head, tail, label) in found else flaw
        if flaw:
            raise ValueError(
                f"{name} {label!r} from {spans[head].text!r} to {spans[tail].text!r} "
                f"{flaw}; remove it"
            )
        found[head, tail, label] = Relation(spans[head], spans[tail], label)
    return list(found.values())


def _read_index(item: Any, key: str, name: str, spans: list[Span]) -> int:
    index = check_type(item[key], int, f"{name} {key}")
    if not 0 <= index < len(spans):
        raise ValueError(
            f"{name} {key} is {index}, which is no entity: the document has "
            f"{len(spans)}; give its place in entities, counted from 0"
        )
    return index


def doc_to_record(doc: Doc, *, as_text: bool = False) -> dict[str, Any]:
    """Make an object of the format; `record_to_doc` makes the same document of it.

    as_text: Write `text` and character offsets instead of `tokens`; the tokens and the
        sentence starts are then left to whoever reads it.

    Scores of relations have no place in the format. `doc.cats` must be 0 or 1.

    Raises ValueError if part of the entities is missing, a relation's argument is not
    in `doc.ents`, or a category has a score.
    """
    record: dict[str, Any] = {"text": doc.text} if as_text else _write_tokens(doc)
    ents = list(doc.ents)
    if len(doc) and doc.has_annotation("ENT_IOB"):
        if not doc.has_annotation("ENT_IOB", require_complete=True):
            raise ValueError(
                f"the entities of {doc.text[:40]!r} are annotated on some tokens only; "
                "annotate the rest or set them as missing: doc.set_ents([], "
                'default="missing")'
            )
        record["entities"] = [_write_entity(ent, as_text) for ent in ents]
    if has_relations(doc):
        record["relations"] = _write_relations(doc, ents)
    if doc.cats:
        record["cats"] = _write_cats(doc)
    return record


def _write_tokens(doc: Doc) -> dict[str, Any]:
    record: dict[str, Any] = {"tokens": [token.text for token in doc]}
    if not doc.has_unknown_spaces:
        record["spaces"] = [bool(token.whitespace_) for token in doc]
    # a document of one token begins a sentence whether annotated or not
    if len(doc) > 1 and doc.has_annotation("SENT_START"):
        record["sent_starts"] = [bool(token.is_sent_start) for token in doc]
    return record


def _write_entity(ent: Span, as_text: bool) -> dict[str, Any]:
    start, end = (ent.start_char, ent.end_char) if as_text else (ent.start, ent.end)
    return {"start": start, "end": end, "label": ent.label_}


def _write_relations(doc: Doc, ents: list[Span]) -> list[dict[str, Any]]:
    places = {(ent.start, ent.end): i for i, ent in enumerate(ents)}
    items = []
    for relation in get_relations(doc):
        item: dict[str, Any] = {}
        for key, span in (("head", relation.head), ("tail", relation.tail)):
            if (span.start, span.end) not in places:
                raise ValueError(
                    f"the {key} {span.text!r} of relation {relation.label!r} is not in "
                    "doc.ents; add it there or drop the relation"
                )
            item[key] = places[span.start, span.end]
        items.append({**item, "label": relation.label})
    return items


def _write_cats(doc: Doc) -> dict[str, int]:
    for label, value in doc.cats.items():
        if value not in (0, 1):
            raise ValueError(
                f"doc.cats[{label!r}] is {value}; apply a threshold, the format holds "
                "0 and 1"
            )
    return {label: int(value) for label, value in doc.cats.items()}
