"""Training data of spaCy's examples, and its objects as JSON: texts with a dictionary.

    [["Ada left Oslo.", {"entities": [[0, 3, "PER"], [9, 13, "LOC"]],
                         "cats": {"news": 1.0}}]]
    {"text": "Ada left Oslo.", "entities": [[0, 3, "PER"]]}

In an array or one a line, or in Python source, see `python_source`. `entities` may be
BILUO tags, of the tokens in `words` or of the tokenizer's; a token with "-" is not
annotated. Of spaCy v1 a list of entities stands in the place of the dictionary.
`spans`, a list or groups of them, are the entities of a text without `entities`. What
`Example.to_dict` and `Doc.to_json` give is read as well, and ner-annotator's
`{"classes": […], "annotations": [["text", {…}], …]}`, whose texts without annotations
are null. `id` and `meta` of an object or a dictionary are kept; `links` and other keys
are left out and counted.

https://spacy.io/api/data-formats#dict-input, https://spacy.io/api/doc#to_json,
https://github.com/tecoholic/ner-annotator
"""

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

from .alignment import spaces_after
from .json_values import check_type, parse_json, read_score, read_words
from .python_source import is_python, literal, read_literals
from .reading import Source
from .recognition import Format, Glimpse
from .record import FLAWED, Mention, Record
from .spacy_json import UNKNOWN, read_biluo

NO_EXAMPLE = "text that ner-annotator has null for: left out"
GROUPS = "several groups of spans of a text: read as one"
ANNOTATIONS = frozenset(("entities", "spans", "cats"))
READ = frozenset(("text", "words", "entities", "cats", "id", "meta"))
PRODIGY = frozenset(("answer", "_input_hash", "_task_hash"))
DOC_KEYS = frozenset(("text", "ents", "sents", "tokens", "cats"))


def read_tuples(source: Source) -> Iterator[Record]:
    """Read texts and dictionaries."""
    source.check_file()
    if is_python(Glimpse(source.path, source.encoding)):
        return source.records(
            read_literals(source), lambda node: [_parse(literal(node, source), source)]
        )
    return source.records(_examples(source), lambda value: [_parse(value, source)])


def _examples(source: Source) -> Iterator[Any]:
    for raw in source.values():
        try:
            value = parse_json(raw)
        except ValueError as error:
            source.reject(error)
            continue
        if not _is_annotator(value):
            yield value
            continue
        for i, item in enumerate(value["annotations"]):
            if item is None:
                source.repaired(NO_EXAMPLE, f"annotations[{i}]")
                continue
            source.raw = json.dumps(item, ensure_ascii=False)
            yield item


def _parse(value: Any, source: Source) -> Record:
    if _is_pair(value):
        notes = value[1] if isinstance(value[1], dict) else {"entities": value[1]}
        return _read_notes(value[0], notes, source)
    if _is_doc(value):
        return _read_doc(value, source)
    if _is_example(value):
        return _read_example(value, source)
    keys = set(value) if isinstance(value, dict) else set()
    annotated = {"entities", "cats"} & keys or ("spans" in keys and _has_spans(value))
    if annotated and isinstance(value.get("text"), str):
        return _read_notes(value["text"], value, source)
    raise ValueError(f"{str(value)[:40]!r} is no [text, {{'entities': […]}}]")


def _read_notes(text: str, notes: dict[str, Any], source: Source) -> Record:
    """A text and its dictionary."""
    if notes and not ANNOTATIONS & set(notes):
        raise ValueError(
            f"of {text[:40]!r} only {', '.join(notes)} is given; give entities, spans "
            "or cats, or an empty dictionary if nothing is annotated"
        )
    with_spans = "spans" in notes and "entities" not in notes
    source.count_unread(notes, READ | {"spans"} if with_spans else READ)
    cats = None
    if "cats" in notes:
        with source.flaws.of():
            cats = _read_cats(notes, source)
    about = _about(notes)
    if with_spans:
        spans = _read_spans(notes["spans"], source)
        return Record(text, entities=spans, cats=cats, **about)
    items = check_type(notes.get("entities", []), list, "entities")
    if items and all(isinstance(item, str) for item in items):
        words = notes.get("words")
        if words is None and source.tokenize:
            words, _ = source.tokenize(text)
        return _read_tags(text, words, items, source, cats=cats, **about)
    mentions = source.flaws.each(items, "entities", _mention, FLAWED)
    found = mentions if "entities" in notes else None
    return Record(text, entities=found, cats=cats, **about)


def _about(notes: dict[str, Any]) -> dict[str, Any]:
    """The id and the metadata of a text."""
    meta = notes.get("meta") or {}
    return {
        "id": notes.get("id"),
        "meta": meta if isinstance(meta, dict) else {"meta": meta},
    }


def _read_spans(groups: Any, source: Source) -> list[Mention]:
    """A list of spans, or those of all groups."""
    if isinstance(groups, list):
        return source.flaws.each(groups, "spans", _read_span, FLAWED)
    filled = {key: s for key, s in check_type(groups, dict, "spans").items() if s}
    if len(filled) > 1:
        source.repaired(GROUPS, ", ".join(map(repr, filled)))
    each = source.flaws.each
    read = (each(filled[key], f"spans[{key!r}]", _read_span, FLAWED) for key in filled)
    return list(chain.from_iterable(read))


def _read_tags(
    text: str | None, words: Any, tags: list[str], source: Source, **others: Any
) -> Record:
    """Tokens and their tags."""
    words = read_words(words, "words")
    if len(tags) != len(words):
        counts = f"{len(tags)} tags for {len(words)} tokens"
        raise ValueError(f"entities has {counts}; give one of each, and `words`")
    if text is not None:
        others["spaces"] = spaces_after(words, text)
    return Record(
        words=words,
        entities=read_biluo(tags, source),
        partial=any(tag in UNKNOWN for tag in tags),
        **others,
    )


def _read_example(value: dict[str, Any], source: Source) -> Record:
    """What `Example.to_dict` gives; it marks the first token of any as one of a
    sentence, so that more than one has to be marked.
    """
    notes, tokens = value["doc_annotation"], value["token_annotation"]
    words = check_type(tokens.get("ORTH"), list, "ORTH")
    spaces, starts = tokens.get("SPACY"), tokens.get("SENT_START") or []
    source.count_unread(notes, ("entities", "cats"))
    tags = check_type(notes.get("entities"), list, "entities")
    return _read_tags(
        *(None, words, tags, source),
        spaces=spaces if spaces is None else list(map(bool, spaces)),
        sent_starts=[i == 1 for i in starts] if starts.count(1) > 1 else None,
        cats=_read_cats(notes, source) or None,
    )


def _read_doc(value: dict[str, Any], source: Source) -> Record:
    """What `Doc.to_json` gives."""
    text, tokens = value["text"], value["tokens"]
    with_spans = "spans" in value and not value.get("ents")
    source.count_unread(value, DOC_KEYS | {"spans"} if with_spans else DOC_KEYS)
    places = [_place(token, f"tokens[{i}]") for i, token in enumerate(tokens)]
    words = [text[start:end] for start, end in places]
    firsts = {_place(sent, "sents[]")[0] for sent in value.get("sents", [])}
    mentions = None
    if with_spans:
        mentions = _read_spans(value["spans"], source)
    elif "ents" in value:
        mentions = source.flaws.each(value["ents"], "ents", _read_span, FLAWED)
    return Record(
        text,
        words=words,
        spaces=spaces_after(words, text),
        sent_starts=[start in firsts for start, _ in places] if firsts else None,
        entities=mentions,
        cats=_read_cats(value, source) or None,
    )


def _read_span(item: Any, name: str) -> Mention:
    if isinstance(item, list):
        return _mention(item, name)
    return _mention([*_place(item, name), item.get("label")], name)


def _place(item: Any, name: str) -> tuple[int, int]:
    check_type(item, dict, name)
    start, end = (
        check_type(item.get(key), int, f"{name} {key}") for key in ("start", "end")
    )
    return start, end


def _read_cats(notes: dict[str, Any], source: Source) -> dict[str, float]:
    found: dict[str, float] = {}
    for label, value in check_type(notes.get("cats", {}), dict, "cats").items():
        with source.flaws.of():
            found[label] = read_score(value, f"cats[{label!r}]")
    return found


def _mention(item: Any, name: str) -> Mention:
    kinds = [type(each) for each in item[:3]] if isinstance(item, list) else []
    if kinds != [int, int, str]:
        raise ValueError(f"{name} is {item!r}; write [start, end, 'LABEL']")
    start, end, label = item[:3]
    return Mention(start, end, label, name)


def claims_tuples(value: Any) -> bool:
    """Whether a value can be of no other format."""
    return (
        (_is_pair(value) and bool(value[1]))
        or _is_annotator(value)
        or _is_doc(value)
        or _is_example(value)
        or _is_dictionary(value)
    )


def _is_pair(value: Any) -> bool:
    types = [type(each) for each in value] if isinstance(value, list) else []
    listed = types == [str, list] and all(isinstance(each, list) for each in value[1])
    return types == [str, dict] or listed


def _is_annotator(value: Any) -> bool:
    return isinstance(value, dict) and {"classes", "annotations"} == set(value)


def _is_example(value: Any) -> bool:
    names = ("doc_annotation", "token_annotation")
    return isinstance(value, dict) and all(
        isinstance(value.get(name), dict) for name in names
    )


def _is_doc(value: Any) -> bool:
    if not isinstance(value, dict) or not {"text", "tokens"} <= set(value):
        return False
    text, tokens = value["text"], value["tokens"]
    if not isinstance(text, str) or not isinstance(tokens, list):
        return False
    if not all(isinstance(token, dict) for token in tokens):
        return False
    return "ents" in value or any("text" not in token for token in tokens)


def _is_dictionary(value: Any) -> bool:
    """A text with entities as lists, and no category as Doccano has it."""
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        return False
    if "entities" not in value:
        return _has_spans(value) and value["spans"] != []
    items = value["entities"]
    plain = "Comments" not in value and isinstance(value.get("cats", {}), dict)
    return bool(items) and plain and all(isinstance(item, list) for item in items)


def _has_spans(value: dict[str, Any]) -> bool:
    """Whether there are groups or lists; Prodigy's are objects."""
    if "spans" not in value or PRODIGY & set(value):
        return False
    spans = value["spans"]
    listed = isinstance(spans, list) and all(isinstance(span, list) for span in spans)
    return listed or isinstance(spans, dict)


SPACY_TUPLES = Format("spacy_tuples", read_tuples, is_python, claims_tuples)
