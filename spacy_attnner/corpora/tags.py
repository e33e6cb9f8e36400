"""Decoding IOB tags, in the dialects IOB1 and IOB2 alike."""

from collections.abc import Iterable
from typing import NamedTuple

from spacy.tokens import Doc, Span


class TaggedSpan(NamedTuple):
    """An entity read from tags.

    start, end: Its tokens, the end exclusive.
    label: Its type.
    begins_inside: Whether its first tag is an `I-`: plain IOB1, a flaw in IOB2.
    """

    start: int
    end: int
    label: str
    begins_inside: bool


def split_tag(tag: str) -> tuple[str, str]:
    """Split a tag into its prefix and its label, ("O", "") for no entity.

    Raises ValueError if it is neither `O` nor `B-TYPE` nor `I-TYPE`.
    """
    prefix, _, label = tag.partition("-")
    if tag != "O" and (prefix not in ("B", "I") or not label):
        raise ValueError(f"tag {tag!r} is none of O, B-TYPE and I-TYPE; correct it")
    return prefix, label


def decode_iob(tags: Iterable[str]) -> list[TaggedSpan]:
    """Read the entities of one sentence.

    `B-` always begins an entity; `I-` continues one of its type and otherwise begins
    one (Ramshaw & Marcus 1995).

    Raises ValueError if a tag is malformed.
    """
    spans: list[TaggedSpan] = []
    for i, (prefix, label) in enumerate(map(split_tag, tags)):
        if prefix == "O":
            continue
        last = spans[-1] if spans else None
        if prefix == "I" and last and last.end == i and last.label == label:
            spans[-1] = last._replace(end=i + 1)
        else:
            spans.append(TaggedSpan(i, i + 1, label, prefix == "I"))
    return spans


def set_tagged_entities(doc: Doc, spans: Iterable[TaggedSpan]) -> None:
    """Set the entities of a document; every other token is annotated as outside."""
    doc.set_ents(
        [Span(doc, span.start, span.end, span.label) for span in spans],
        default="outside",
    )
