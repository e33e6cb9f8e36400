"""Prodigy's relation annotations, as its recipe `rel.manual` stores them.

    {"text": "Ada lives in Oslo.",
     "tokens": [{"text": "Ada", "start": 0, "end": 3, "id": 0, "ws": true}, …],
     "spans": [{"start": 0, "end": 3, "token_start": 0, "token_end": 0, "label": "PER"},
               {"start": 13, "end": 17, "token_start": 3, "token_end": 3, …}],
     "relations": [{"head": 0, "child": 3, "label": "Live_In",
                    "head_span": {"start": 0, "end": 3, …}, "child_span": {…}}],
     "answer": "accept"}

Spans become entities. A relation goes from `head` to `child`, the last tokens of two
spans. Only accepted examples are read, one without an answer counting as accepted. An
absent key means "not annotated"; other keys, such as `meta`, are passed over.

https://prodi.gy/docs/api-interfaces#relations; `tutorials/rel_component` in
https://github.com/explosion/projects has a file of these.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from ..relations import Relation, set_relations
from .jsonl import read_entity
from .reading import CorpusError, Labels, Repairs, Source, check_type, read_label

LEFT_OUT = {
    "reject": "example that was rejected: left out",
    "ignore": "example that was ignored: left out",
}
BINARY = "example that answers one suggestion only (_is_binary): left out"
UNLABELLED = "span without a label: given the label of such entities"
OVERLAP = "span that overlaps a longer or an earlier one: left out"
NO_SPAN = "relation argument that is no span: relation dropped"
OVERLAPPED = "relation of a span that was left out: dropped"
MOVED = "relation argument that is part of a span: moved to the span"
SELF = "relation that joins a span to itself: dropped"
TWICE = "relation given twice: dropped"
ARGUMENTS = ("head", "child")
Key = tuple[int, int, str]


def read_prodigy(
    path: str | Path,
    nlp: Language,
    *,
    entity_label: str = "ENTITY",
    labels: Labels = None,
    repairs: Repairs | None = None,
) -> Iterator[Doc]:
    """Read the accepted examples of a Prodigy JSONL file.

    nlp: Gives the vocabulary and, for examples without `tokens`, the tokenizer.
    entity_label: The label of spans that have none.
    labels: The entity and relation labels allowed; None allows any.
    repairs: Counts what was repaired or left out.

    Raises CorpusError if a line or the file is malformed, or no example is accepted.
    """
    source = Source(path, labels, repairs)
    return source.documents(_read_docs(source, nlp, entity_label))


def _read_docs(source: Source, nlp: Language, entity_label: str) -> Iterator[Doc]:
    accepted = left_out = 0
    for example in source.json_lines():
        if reason := _reason_to_leave_out(example):
            left_out += 1
            source.repaired(reason, repr(str(example.get("text"))[:40]))
            continue
        accepted += 1
        doc = _make_doc(example, nlp)
        spans = _read_spans(doc, example.get("spans", []), entity_label, source)
        entities = _keep_longest(spans, source)
        if "spans" in example:
            doc.set_ents(entities, default="outside")
        if "relations" in example:
            items = example["relations"]
            set_relations(doc, _read_relations(doc, items, entities, spans, source))
        yield doc
    if left_out and not accepted:
        message = f"none of the {left_out:,} examples was accepted; accept some"
        raise CorpusError(source.path, None, message)


def _reason_to_leave_out(example: Any) -> str | None:
    answer = check_type(example, dict, "example").get("answer", "accept")
    if answer not in ("accept", *LEFT_OUT):
        raise ValueError(f"answer is {answer!r}; write accept, reject or ignore")
    if answer != "accept":
        return LEFT_OUT[answer]
    return BINARY if example.get("_is_binary") else None


def _make_doc(example: dict[str, Any], nlp: Language) -> Doc:
    if "entities" in example:
        raise ValueError("entities is no key of Prodigy's; its entities are spans")
    text = check_type(example.get("text"), str, "text")
    if "tokens" not in example:
        return nlp.make_doc(text)
    words: list[str] = []
    spaces: list[bool] = []
    at = 0
    for i, token in enumerate(check_type(example["tokens"], list, "tokens")):
        name = f"tokens[{i}]"
        word = check_type(
            check_type(token, dict, name).get("text"), str, f"{name} text"
        )
        if not word or not text.startswith(word, at):
            raise ValueError(
                f"{name} is {word!r} where the text has {text[at : at + 20]!r}; "
                "give all tokens of the text in its order, or none"
            )
        at += len(word)
        words.append(word)
        spaces.append(text[at : at + 1] == " ")
        at += spaces[-1]
    if at < len(text):
        raise ValueError(
            f"the tokens end before {text[at : at + 20]!r}; give all tokens, or none"
        )
    return Doc(nlp.vocab, words=words, spaces=spaces)


def _read_spans(doc: Doc, items: Any, entity_label: str, source: Source) -> list[Span]:
    """Make spans of a list of objects, in its order.

    Each has a `label`, or gets `entity_label`, and either the character offsets `start`
    and `end` or the tokens `token_start` and `token_end`, inclusive.
    """
    spans = []
    for i, item in enumerate(check_type(items, list, "spans")):
        name = f"spans[{i}]"
        check_type(item, dict, name)
        label = item.get("label")
        characters = "start" in item or "end" in item
        start, end = _read_offsets(item, name, characters)
        if label is None:
            label = entity_label
            source.repaired(UNLABELLED, f"{name} of {doc.text[:40]!r}")
        entity = {"start": start, "end": end, "label": label}
        spans.append(read_entity(doc, entity, name, characters, source.labels))
    return spans


def _read_offsets(item: dict[str, Any], name: str, characters: bool) -> tuple[int, int]:
    keys = ("start", "end") if characters else ("token_start", "token_end")
    for key in keys:
        if key not in item:
            raise ValueError(
                f"missing key {key!r} in {name}; give {' and '.join(keys)}"
            )
    start, end = (check_type(item[key], int, f"{name} {key}") for key in keys)
    return start, end if characters else end + 1


def _keep_longest(spans: list[Span], source: Source) -> list[Span]:
    """Leave out spans until none overlaps another: `doc.ents` holds no others."""
    kept = filter_spans(spans)
    places = {id(span) for span in kept}
    for span in spans:
        if id(span) not in places:
            source.repaired(OVERLAP, f"{span.text!r} ({span.label_})")
    return kept


def _read_relations(
    doc: Doc, items: Any, entities: list[Span], spans: list[Span], source: Source
) -> list[Relation]:
    """Make relations of a list of objects, repairing and counting what is flawed.

    entities: The spans that became entities.
    spans: All spans of the example.
    """
    found: dict[Key, Relation] = {}
    for i, item in enumerate(check_type(items, list, "relations")):
        name = f"relations[{i}]"
        if "label" not in check_type(item, dict, name):
            raise ValueError(f"missing key 'label' in {name}; name its type")
        label = read_label(item, name, source.labels)
        texts = [doc[_read_token(doc, item, key, name)].text for key in ARGUMENTS]
        (head, head_flaw), (tail, tail_flaw) = (
            _find(item, key, name, entities, spans) for key in ARGUMENTS
        )
        if head is None or tail is None:
            flaw = head_flaw if head is None else tail_flaw
        else:
            flaw = _add(found, Relation(head, tail, label)) or head_flaw or tail_flaw
        if flaw:
            source.repaired(flaw, f"{label} from {texts[0]!r} to {texts[1]!r}")
    return list(found.values())


def _read_token(doc: Doc, item: dict[str, Any], key: str, name: str) -> int:
    token = check_type(item.get(key), int, f"{name} {key}")
    if not 0 <= token < len(doc):
        raise ValueError(
            f"{name} {key} is token {token}, counted from 0; the example has only "
            f"{len(doc)}"
        )
    return token


def _add(found: dict[Key, Relation], relation: Relation) -> str | None:
    """Add a relation, unless it has a flaw, which is returned."""
    head, tail, label = relation.head, relation.tail, relation.label
    if head == tail:
        return SELF
    if (head.start, tail.start, label) in found:
        return TWICE
    found[head.start, tail.start, label] = relation
    return None


def _find(
    item: dict[str, Any], key: str, name: str, entities: list[Span], spans: list[Span]
) -> tuple[Span | None, str | None]:
    """The entity that an argument means, None if it means none, and its flaw."""
    token = item[key]
    place = check_type(item.get(f"{key}_span") or {}, dict, f"{name} {key}_span")
    # not its token_start: Prodigy stored token_end there where a span begins the text
    offsets = place.get("start"), place.get("end")
    candidates = [*entities, *spans]
    exact = [span for span in candidates if (span.start_char, span.end_char) == offsets]
    around = [span for span in candidates if span.start <= token < span.end]
    if exact and exact[0] not in around:
        raise ValueError(
            f"{name} {key} is token {token}, which is not in its {key}_span "
            f"{exact[0].text!r}; correct one of them"
        )
    if not around:
        return None, NO_SPAN
    span = (exact or around)[0]
    if span not in entities:
        return None, OVERLAPPED
    whole = bool(exact) or (offsets == (None, None) and token == span.end - 1)
    return span, None if whole else MOVED
