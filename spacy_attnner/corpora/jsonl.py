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
annotated", an empty list "annotated, there is none". `id` and `meta`, an object, are
kept in `doc.user_data`.
"""

from collections.abc import Iterator
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from .complaints import Collector, Labels
from .documents import DocumentMaker, Rules
from .json_values import check_keys, check_type, read_words
from .reading import Source
from .recognition import OWN, Format
from .record import FLAWED, Link, Mention, Record

TOKEN_KEYS = ("text", "tokens", "spaces", "sent_starts")
KEYS = (*TOKEN_KEYS, "entities", "relations", "cats", "id", "meta")
# of documents in other formats, too
DOCUMENT_KEYS = {"text", "tokens", "content", "sentence", "sentences", "sents"}
ENTITY_KEYS = {"start", "end", "label"}
RELATION_KEYS = {"head", "tail", "label"}


def read_jsonl(source: Source) -> Iterator[Record]:
    """Read a JSONL corpus, each record annotated as far as its line says."""
    return source.objects(lambda value: parse_record(value, source.flaws))


def claims_jsonl(value: dict[str, Any]) -> bool:
    """Whether an object can be of no other format."""
    if not set(value) <= set(KEYS) or isinstance(value.get("cats"), list):
        return False
    entities, relations = value.get("entities", []), value.get("relations", [])
    tokens = value.get("tokens", [])
    if any(isinstance(item, list) for item in entities):  # spaCy's dictionaries
        return False
    if any(isinstance(token, dict) for token in tokens):  # and its documents
        return False
    if {"spaces", "sent_starts", "cats"} & set(value):
        return True
    if any(not set(item) <= ENTITY_KEYS for item in entities):
        return False
    if any(not set(item) <= RELATION_KEYS for item in relations):
        return False
    if not isinstance(tokens, list) or not all(isinstance(t, str) for t in tokens):
        return False
    # of empty lists alone other formats have the same
    return bool(entities or relations or (tokens and "entities" not in value))


def record_to_doc(
    record: dict[str, Any], nlp: Language, *, labels: Labels = None
) -> Doc:
    """Make a document of one object of the format.

    Raises ValueError if it is malformed or carries a label that is not allowed.
    """
    flaws = Collector()
    made = parse_record(record, flaws)
    return DocumentMaker(nlp, Rules(labels=labels)).make(made, flaws)


def parse_record(value: dict[str, Any], flaws: Collector) -> Record:
    """Make a record of one object.

    flaws: Keeps what is wrong in it.

    Raises ValueError if it has no text, or words that cannot be.
    """
    if {"text", "tokens"}.isdisjoint(value):
        _check_alone(value)
    with flaws.of():
        check_keys(value, "document", optional=KEYS)
    others: dict[str, Any] = {}
    with flaws.of():
        name = value.get("id")
        if name is not None and type(name) not in (str, int):
            raise ValueError(f"id is {name!r}; give a string or a whole number")
        others["id"] = name
    with flaws.of():
        others["meta"] = check_type(value.get("meta", {}), dict, "meta")
    if "entities" in value:
        items = value["entities"]
        others["entities"] = flaws.each(items, "entities", _read_entity, FLAWED)
    if "relations" in value:
        items = value["relations"]
        others["relations"] = flaws.each(items, "relations", _read_relation)
    if "cats" in value:
        with flaws.of():
            others["cats"] = _read_cats(value["cats"], flaws)
    if ("text" in value) == ("tokens" in value):
        raise ValueError(f"give either text or tokens; the keys are {sorted(value)}")
    return Record(
        **(_read_text(value, flaws) if "text" in value else _read_tokens(value)),
        **others,
    )


def _check_alone(value: dict[str, Any]) -> None:
    """Raises ValueError if an object holds a list of what may be documents."""
    for key in value.keys() - set(KEYS):
        held = value[key]
        first = held[0] if isinstance(held, list) and held else None
        if isinstance(first, dict) and DOCUMENT_KEYS & set(first):
            raise ValueError(
                f"the object holds {len(held):,} others in {key!r}; if they are the "
                f"documents, write one a line: jq -c '.\"{key}\"[]' FILE > FILE.jsonl"
            )


def _read_text(value: dict[str, Any], flaws: Collector) -> dict[str, Any]:
    for key in ("spaces", "sent_starts"):
        with flaws.of():
            if key in value:
                raise ValueError(f"{key} goes with tokens, not with text; remove it")
    return {"text": check_type(value["text"], str, "text")}


def _read_tokens(value: dict[str, Any]) -> dict[str, Any]:
    words = read_words(value["tokens"], "tokens")
    flags: dict[str, Any] = {}
    for key in ("spaces", "sent_starts"):
        if key not in value:
            continue
        flags[key] = check_type(value[key], list, key)
        if len(flags[key]) != len(words):
            lengths = f"{len(flags[key])} values for {len(words)} tokens"
            raise ValueError(f"{key} has {lengths}; give one for each")
        for i, flag in enumerate(flags[key]):
            check_type(flag, bool, f"{key}[{i}]")
    if flags.get("sent_starts") and not flags["sent_starts"][0]:
        raise ValueError("sent_starts[0] is false; the first token begins a sentence")
    return {"words": words, **flags}


def _read_cats(value: Any, flaws: Collector) -> dict[str, float]:
    found: dict[str, float] = {}
    for label, given in check_type(value, dict, "cats").items():
        with flaws.of():
            if not isinstance(given, int | float) or not 0 <= given <= 1:
                raise ValueError(
                    f"cats[{label!r}] is {given!r}; write true, false or a number "
                    "from 0 to 1"
                )
            found[label] = float(given)
    return found


def _read_entity(item: Any, name: str) -> Mention:
    check_keys(item, name, required=("start", "end", "label"))
    start, end = (
        check_type(item[key], int, f"{name} {key}") for key in ("start", "end")
    )
    label = check_type(item["label"], str, f"{name} label")
    return Mention(start, end, label, name)


def _read_relation(item: Any, name: str) -> Link:
    check_keys(item, name, required=("head", "tail", "label"))
    label = check_type(item["label"], str, f"{name} label")
    head, tail = (
        check_type(item[key], int, f"{name} {key}") for key in ("head", "tail")
    )
    return Link(head, tail, label, name)


JSONL = Format(OWN, read_jsonl, claims=claims_jsonl)
