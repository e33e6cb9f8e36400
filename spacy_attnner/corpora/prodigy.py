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
absent key means "not annotated"; `meta` is kept, other keys are passed over.

Of `textcat`, `"label": "NEWS"` is a category that an accepted example has and a
rejected one has not; spans without a label are then matches of patterns, and left out.
Of `choice` and `textcat.manual`, `options` are the categories and `accept` lists those
that apply.

https://prodi.gy/docs/api-interfaces#relations; `tutorials/rel_component` in
https://github.com/explosion/projects has a file of these.
"""

from collections.abc import Iterator
from typing import Any

from .alignment import spaces_after
from .complaints import CorpusError
from .documents import LINK_TWICE
from .json_values import check_type
from .reading import Source
from .recognition import Format
from .record import FLAWED, Link, Mention, Record
from .semeval import ENTITY_LABEL

# what no line of another format has
KEYS = frozenset(
    ("spans", "answer", "_input_hash", "_task_hash", "_view_id", "_session_id")
)
# one of them every example has
EXAMPLE_KEYS = KEYS | {"tokens", "relations", "options"}
RELATION_KEYS = frozenset(("child", "head_span", "child_span"))
LEFT_OUT = {
    "reject": "example that was rejected: left out",
    "ignore": "example that was ignored: left out",
}
BINARY = "example that answers one suggestion only (_is_binary): left out"
MATCH = "match of a pattern, in an example that asks for a category: left out"
UNLABELLED = "span without a label: given the label of such entities"
NO_SPAN = "relation argument that is no span: relation dropped"
MOVED = "relation argument that is part of a span: moved to the span"
SELF = "relation that joins a span to itself: dropped"
ARGUMENTS = ("head", "child")
Place = tuple[int, int]  # characters, the end exclusive


def read_prodigy(source: Source) -> Iterator[Record]:
    """Read the accepted examples of a Prodigy JSONL file.

    `options.entity_label` is the label of spans that have none; `source.tokenize`
    splits examples without `tokens`.

    Raises CorpusError if no example is accepted.
    """
    accepted = left_out = 0

    def parse(raw: str) -> Iterator[Record]:
        nonlocal accepted, left_out
        example = source.parse(raw)
        if reason := _reason_to_leave_out(example):
            left_out += 1
            source.repaired(reason, repr(str(example.get("text"))[:40]))
        else:
            accepted += 1
            yield _make_record(example, source)

    yield from source.records(source.values(), parse)
    if left_out and not accepted:
        message = f"none of the {left_out:,} examples was accepted; accept some"
        raise CorpusError(source.path, None, message)


def claims_prodigy(value: dict[str, Any]) -> bool:
    """Whether an object can be of no other format."""
    if {"entities", "ents"} & set(value):
        return False
    tokens, relations = value.get("tokens") or [], value.get("relations") or []
    spans = value.get("spans")
    # spaCy's, and texts, as WikiANN has them
    others = isinstance(spans, dict) or (spans and isinstance(spans[0], (list, str)))
    return (
        bool(KEYS & set(value) - ({"spans"} if others else set()))
        or any("text" in token for token in tokens if isinstance(token, dict))
        or any(RELATION_KEYS & set(relation) for relation in relations)
    )


def _reason_to_leave_out(example: Any) -> str | None:
    if not EXAMPLE_KEYS & set(check_type(example, dict, "example")):
        raise ValueError(
            f"an object of the keys {sorted(example)} has none of Prodigy's, such as "
            "spans, options or answer; check the format"
        )
    answer = example.get("answer", "accept")
    if answer not in ("accept", *LEFT_OUT):
        raise ValueError(f"answer is {answer!r}; write accept, reject or ignore")
    if answer == "ignore" or (answer == "reject" and not _is_label(example)):
        return LEFT_OUT[answer]
    return BINARY if example.get("_is_binary") and not _is_label(example) else None


def _is_label(example: dict[str, Any]) -> bool:
    """Whether it asks if a text has one category."""
    if {"relations", "options"} & set(example):
        return False
    spans = example.get("spans") or []
    if any(not isinstance(span, dict) or span.get("label") for span in spans):
        return False
    return isinstance(example.get("label"), str)


def _read_cats(example: dict[str, Any], source: Source) -> dict[str, float] | None:
    if _is_label(example):
        return {example["label"]: float(example.get("answer", "accept") == "accept")}
    if "options" not in example:
        return None
    names = source.flaws.each(
        example["options"],
        "options",
        lambda option, name: str(check_type(option, dict, name).get("id")),
    )

    def read_chosen(each: Any, name: str) -> str:
        if str(each) not in names:
            raise ValueError(
                f"accept has {str(each)!r}, which is none of the options {names}"
            )
        return str(each)

    chosen = source.flaws.each(example.get("accept", []), "accept", read_chosen)
    return {name: float(name in chosen) for name in names}


def _make_record(example: dict[str, Any], source: Source) -> Record:
    if "entities" in example:
        raise ValueError("entities is no key of Prodigy's; its entities are spans")
    text = check_type(example.get("text"), str, "text")
    words, spaces = _read_tokens(example, text, source)
    starts, at = [], 0
    for word, space in zip(words, spaces, strict=True):
        starts.append(at)
        at += len(word) + space
    bounds = [(at, at + len(word)) for at, word in zip(starts, words, strict=True)]
    spans = example.get("spans", [])
    if with_spans := "spans" in example and not _is_label(example):
        mentions = _read_spans(spans, text, bounds, source)
    else:
        mentions = []
        if spans:
            source.repaired(MATCH, repr(text[:40]), len(spans))
    links = None
    if "relations" in example:
        links = _read_relations(example["relations"], mentions, text, bounds, source)
    return Record(
        text,
        words=words,
        spaces=spaces,
        entities=mentions if with_spans else None,
        relations=links,
        cats=_read_cats(example, source),
        id=name if type(name := example.get("id")) in (str, int) else None,
        meta=_read_meta(example),
    )


def _read_meta(example: dict[str, Any]) -> dict[str, Any]:
    meta = example.get("meta") or {}
    return meta if isinstance(meta, dict) else {"meta": meta}


def _read_tokens(
    example: dict[str, Any], text: str, source: Source
) -> tuple[list[str], list[bool]]:
    if "tokens" not in example:
        assert source.tokenize is not None
        return source.tokenize(text)
    words: list[str] = []
    for i, token in enumerate(check_type(example["tokens"], list, "tokens")):
        name = f"tokens[{i}]"
        word = check_type(token, dict, name).get("text")
        words.append(check_type(word, str, f"{name} text"))
    return words, spaces_after(words, text)


def _read_spans(
    items: Any, text: str, bounds: list[Place], source: Source
) -> list[Mention]:
    """Make mentions of a list of objects, in its order.

    Each has a `label`, or gets `options.entity_label`, and either the character offsets
    `start` and `end` or the tokens `token_start` and `token_end`, inclusive.

    bounds: The characters of each token.
    """

    def read(item: Any, name: str) -> Mention:
        check_type(item, dict, name)
        start, end = _read_offsets(item, name, bounds)
        if item.get("label") is None:
            source.repaired(UNLABELLED, f"{name} of {text[:40]!r}")
            label = source.options.entity_label
            item = {"label": ENTITY_LABEL if label is None else label}
        label = check_type(item["label"], str, f"{name} label")
        return Mention(start, end, label, name)

    return source.flaws.each(items, "spans", read, FLAWED)


def _read_offsets(item: dict[str, Any], name: str, bounds: list[Place]) -> Place:
    characters = "start" in item or "end" in item
    keys = ("start", "end") if characters else ("token_start", "token_end")
    for key in keys:
        if key not in item:
            raise ValueError(
                f"missing key {key!r} in {name}; give {' and '.join(keys)}"
            )
    start, end = (check_type(item[key], int, f"{name} {key}") for key in keys)
    if characters:
        return start, end
    if not 0 <= start <= end < len(bounds):
        raise ValueError(
            f"{name} spans {start} to {end + 1}, out of range: the document has "
            f"{len(bounds)} tokens, counted from 0"
        )
    return bounds[start][0], bounds[end][1]


def _read_relations(
    items: Any,
    mentions: list[Mention],
    text: str,
    bounds: list[Place],
    source: Source,
) -> list[Link]:
    """Make links of a list of objects, repairing and counting what is flawed."""
    found: dict[tuple[int, int, str], Link] = {}

    def read(item: Any, name: str) -> None:
        if "label" not in check_type(item, dict, name):
            raise ValueError(f"missing key 'label' in {name}; name its type")
        label = check_type(item["label"], str, f"{name} label")
        places = [_read_token(item, key, name, bounds) for key in ARGUMENTS]
        head, tail = (
            _find(item, key, name, place, mentions, text)
            for key, place in zip(ARGUMENTS, places, strict=True)
        )
        flaw = head[1] or tail[1]
        if head[0] is None or tail[0] is None:
            flaw = NO_SPAN
        elif head[0] == tail[0]:
            flaw = SELF
        elif (head[0], tail[0], label) in found:
            flaw = LINK_TWICE
        else:
            found[head[0], tail[0], label] = Link(head[0], tail[0], label, name)
        if flaw:
            texts = [repr(text[slice(*place)]) for place in places]
            source.repaired(flaw, f"{label} from {texts[0]} to {texts[1]}")

    source.flaws.each(items, "relations", read)
    return list(found.values())


def _read_token(
    item: dict[str, Any], key: str, name: str, bounds: list[Place]
) -> Place:
    token = check_type(item.get(key), int, f"{name} {key}")
    if not 0 <= token < len(bounds):
        raise ValueError(
            f"{name} {key} is token {token}, counted from 0; the example has only "
            f"{len(bounds)}"
        )
    return bounds[token]


def _find(
    item: dict[str, Any],
    key: str,
    name: str,
    token: Place,
    mentions: list[Mention],
    text: str,
) -> tuple[int | None, str | None]:
    """The mention that an argument means, None if it means none, and its flaw."""
    given = check_type(item.get(f"{key}_span") or {}, dict, f"{name} {key}_span")
    # not its token_start: Prodigy stored token_end there where a span begins the text
    offsets = given.get("start"), given.get("end")
    exact = [i for i, m in enumerate(mentions) if (m.start, m.end) == offsets]
    exact.sort(key=lambda i: mentions[i].label != given.get("label"))
    around = [
        i for i, m in enumerate(mentions) if m.start <= token[0] and token[1] <= m.end
    ]
    around.sort(key=lambda i: mentions[i].start - mentions[i].end)  # the longest first
    if exact and exact[0] not in around:
        place = text[mentions[exact[0]].start : mentions[exact[0]].end]
        raise ValueError(
            f"{name} {key} is token {item[key]}, which is not in its {key}_span "
            f"{place!r}; correct one of them"
        )
    if not around:
        return None, NO_SPAN
    index = (exact or around)[0]
    last = mentions[index].end == token[1]
    whole = bool(exact) or (offsets == (None, None) and last)
    return index, None if whole else MOVED


PRODIGY = Format(
    "prodigy", read_prodigy, claims=claims_prodigy, options=("entity_label",)
)
