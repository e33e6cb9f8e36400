"""The spans of a group, where they stand now."""

import struct
from typing import Any

import srsly
from spacy.tokens import Doc, Span, SpanGroup

# id, kb_id, label, start, end, start_char, end_char: what `SpanGroup.to_bytes` packs
STORED_SPAN = struct.Struct(">QQQllll")


def group_spans(group: SpanGroup) -> list[Span]:
    """The spans of a group, in its order, whatever became of the tokens since.

    After `doc.retokenize()` the token indices of a span group are those of the old
    tokens, while its characters still hold: reading it as it is gives other words, or
    an IndexError at the end of the document. Here such spans are found again by their
    characters; a span that begins or ends inside a merged token takes all of it.

    Raises ValueError where a span lies outside the text.
    """
    spans = stored_spans(group)
    return realigned_spans(group) if spans is None else spans


def stored_spans(group: SpanGroup) -> list[Span] | None:
    """The spans of a group as spaCy reads them, None where tokens changed since."""
    doc = group.doc
    try:
        spans = list(group)
    except IndexError:  # past the last token: surely an index of other tokens
        return None
    return spans if all(_is_aligned(doc, span) for span in spans) else None


def realigned_spans(group: SpanGroup) -> list[Span]:
    """The spans of a group, found by their characters alone.

    Raises ValueError where a span lies outside the text.
    """
    # only the bytes give offsets of spans that cannot be made
    stored: Any = srsly.msgpack_loads(group.to_bytes())
    return [_find(group.doc, *STORED_SPAN.unpack(data)) for data in stored["spans"]]


def text_start(doc: Doc) -> str:
    """The first words of a document, to name it in a message."""
    start = doc[:8].text
    return repr(start if len(doc) <= 8 else f"{start} …")


def _is_aligned(doc: Doc, span: Span) -> bool:
    start, end = span.start, span.end
    if start == end:
        return True
    last = doc[end - 1]
    return doc[start].idx == span.start_char and last.idx + len(last) == span.end_char


def _find(
    doc: Doc,
    span_id: int,
    kb_id: int,
    label: int,
    start: int,
    end: int,
    start_char: int,
    end_char: int,
) -> Span:
    span = doc.char_span(
        start_char,
        end_char,
        label=label,
        kb_id=kb_id,
        span_id=span_id,
        alignment_mode="expand",
    )
    if span is None:
        raise ValueError(
            f"a span of characters {start_char} to {end_char} lies outside the "
            f"document {text_start(doc)}, which has {len(doc.text)} characters"
        )
    return span
