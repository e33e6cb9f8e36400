"""spaCy v2's JSON for training: documents of paragraphs, sentences and tokens.

    [{"id": 0, "paragraphs": [
       {"raw": "Ada left.", "cats": [{"label": "news", "value": 1.0}],
        "sentences": [{"tokens": [{"orth": "Ada", "space": " ", "ner": "U-PER"},
                                  {"orth": "left", "space": "", "ner": "O"}, …]}]}]}]

Each paragraph is a document. Entities are BILUO tags; a token without a tag, or with
"-", is not annotated. Parts of speech, heads and what else is said of tokens is left
out and counted.

https://v2.spacy.io/api/annotation#json-input; spaCy's `docs_to_json` writes it.
"""

from collections.abc import Iterator
from typing import Any

from .alignment import spaces_after
from .json_values import check_type, read_score
from .reading import Source
from .recognition import Format
from .record import Mention, Record
from .tags import read_tags

TOKEN_KEYS = frozenset(("id", "orth", "space", "ner"))
LEFT_OUT = "tags, heads and the like of a paragraph's tokens: left out"
PARTLY = "text with tokens not annotated: nor are its others outside of entities"
UNKNOWN = ("-", "", None)


def read_spacy_json(source: Source) -> Iterator[Record]:
    """Read the paragraphs of a file."""

    def parse(part: tuple[dict[str, Any], int, Any]) -> Iterator[Record]:
        document, i, paragraph = part
        name = document.get("id")
        check_type(paragraph, dict, f"paragraphs[{i}]")
        yield _make_record(paragraph, None if name is None else f"{name}-{i}", source)

    return source.records(source.parts("paragraphs"), parse)


def _make_record(paragraph: dict[str, Any], name: str | None, source: Source) -> Record:
    tokens, sent_starts = _read_tokens(paragraph)
    if any(set(token) - TOKEN_KEYS for token in tokens):
        source.repaired(LEFT_OUT, repr(tokens[0]["orth"]))
    tags = [token.get("ner") for token in tokens]
    words = [token["orth"] for token in tokens]
    spaces = [bool(token["space"]) for token in tokens if "space" in token]
    if paragraph.get("raw") is not None:
        spaces = spaces_after(words, check_type(paragraph["raw"], str, "raw"))
    return Record(
        words=words,
        spaces=spaces if len(spaces) == len(words) else None,
        sent_starts=sent_starts,
        entities=read_biluo(tags, source),
        partial=any(tag in UNKNOWN for tag in tags),
        cats=_read_cats(paragraph, source),
        id=name,
    )


def _read_tokens(paragraph: dict[str, Any]) -> tuple[list[dict[str, Any]], list[bool]]:
    """The tokens, and whether each begins a sentence."""
    tokens: list[dict[str, Any]] = []
    sent_starts: list[bool] = []
    sentences = check_type(paragraph.get("sentences"), list, "sentences")
    for i, sentence in enumerate(sentences):
        name = f"sentences[{i}]"
        check_type(sentence, dict, name)
        items = check_type(sentence.get("tokens"), list, f"{name} tokens")
        for j, item in enumerate(items):
            place = f"{name} tokens[{j}]"
            if not check_type(
                check_type(item, dict, place).get("orth"), str, f"{place} orth"
            ):
                raise ValueError(f"{place} orth is empty; remove the token")
            tokens.append(item)
            sent_starts.append(j == 0)
    return tokens, sent_starts


def read_biluo(tags: list[Any], source: Source) -> list[Mention] | None:
    """The entities of tags of which some may be unknown; None if all are."""
    if all(tag in UNKNOWN for tag in tags):
        return None
    known = ["O" if tag in UNKNOWN else check_type(tag, str, "ner") for tag in tags]
    n_lost = tags.count("O")
    if n_lost and len(known) > len(tags) - sum(tag in UNKNOWN for tag in tags):
        source.repaired(PARTLY, f"{n_lost} tokens", n_lost)
    return read_tags(known, "ner", source)


def _read_cats(paragraph: dict[str, Any], source: Source) -> dict[str, float] | None:
    def read(item: Any, name: str) -> tuple[str, float]:
        label = check_type(check_type(item, dict, name).get("label"), str, name)
        return label, read_score(item.get("value"), f"{name} {label!r}")

    return dict(source.flaws.each(paragraph.get("cats") or [], "cats", read)) or None


def claims_spacy_json(value: dict[str, Any]) -> bool:
    """Whether an object can be of no other format."""
    return isinstance(value.get("paragraphs"), list)


SPACY_JSON = Format("spacy_json", read_spacy_json, claims=claims_spacy_json)
