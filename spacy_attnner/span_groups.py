"""Span groups whose spans are found where they stand now.

After `doc.retokenize()` the token indices of a span group are those of the old tokens,
while its characters still hold: reading it as it is gives other words, or an IndexError
at the end of the document. Every group that this package writes is an
`AlignedSpanGroup`, which goes by characters. What spaCy reads from bytes is not;
`align_groups` makes it one.
"""

import struct
import threading
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import srsly
import srsly.msgpack
from spacy.tokens import Doc, Span, SpanGroup

from .words import words_of

TRIPLES = "triples"  # attribute of the groups that hold relations
TURN = "attn_ner"  # attribute of the groups that hold entities and their scores
# id, kb_id, label, start, end, start_char, end_char: what `SpanGroup.to_bytes` packs
STORED_SPAN = struct.Struct(">QQQllll")
ID, KB_ID, LABEL, START_CHAR, END_CHAR = 0, 1, 2, 5, 6
StoredSpan = tuple[int, ...]
_packers = threading.local()


def pack_message(value: Any) -> bytes:
    """As `srsly.msgpack_dumps`, which looks through the entry points of all packages
    whenever it packs something; here that is done once a thread.
    """
    packer = _packers.__dict__.get("packer")
    if packer is None:
        packer = _packers.packer = srsly.msgpack.Packer(use_bin_type=True)
    return packer.pack(value)


class AlignedSpanGroup(SpanGroup):
    """A span group that is read, copied and stored as its spans stand now.

    What is kept are the characters that were given, so that a token which is merged and
    split again costs nothing. Raises ValueError where a span lies outside the text.
    """

    index: Any = None  # what was built of the group, until it is changed

    def __iter__(self) -> Iterator[Span]:
        return iter(group_spans(self))

    def __getitem__(self, i: int) -> Span:
        if not -len(self) <= i < len(self):
            return super().__getitem__(i)  # spaCy's error
        span = _aligned(self, i)
        return group_spans(self)[i] if span is None else span

    def copy(self, doc: Doc | None = None) -> "AlignedSpanGroup":
        """The same group, of another document with the same tokens if one is given."""
        group = super().copy(self.doc if doc is None else doc)
        attrs = group.attrs
        return type(self)(group.doc, name=self.name, attrs=attrs, spans=list(group))

    def to_bytes(self) -> bytes:
        """As spaCy's, on the tokens that there are now."""
        spans = [STORED_SPAN.pack(*_stored(span)) for span in group_spans(self)]
        return pack_message({"name": self.name, "attrs": self.attrs, "spans": spans})

    def from_bytes(self, bytes_data: bytes) -> "AlignedSpanGroup":
        self.index = None
        super().from_bytes(bytes_data)
        return self

    def append(self, span: Span) -> None:
        self.index = None
        super().append(span)

    def __setitem__(self, i: int, span: Span) -> None:
        self.index = None
        SpanGroup.__setitem__(self, i, span)  # type: ignore[attr-defined]

    def __delitem__(self, i: int) -> None:
        self.index = None
        SpanGroup.__delitem__(self, i)  # type: ignore[attr-defined]

    def _concat(self, other: Any, *, inplace: bool = False) -> SpanGroup:
        """What +, += and `extend` do."""
        self.index = None
        return super()._concat(other, inplace=inplace)  # type: ignore[misc]


def align_groups(doc: Doc) -> None:
    """Make every span group that this package wrote an `AlignedSpanGroup`.

    Those of documents that were read from bytes are none.
    """
    for key, group in list(doc.spans.items()):
        if isinstance(group, AlignedSpanGroup):
            continue
        if TRIPLES in group.attrs or TURN in group.attrs:
            doc.spans[key] = as_aligned(group)


def as_aligned(group: SpanGroup) -> AlignedSpanGroup:
    """The same group, whatever became of its tokens."""
    if isinstance(group, AlignedSpanGroup):
        return group
    aligned = AlignedSpanGroup(group.doc, name=group.name)
    aligned.extend(group)  # as it is, whatever its tokens
    aligned.attrs = group.attrs
    return aligned


def group_spans(group: SpanGroup) -> list[Span]:
    """The spans of any group, in its order, whatever became of the tokens since.

    A span that begins or ends inside a merged token takes all of it. Raises ValueError
    where a span lies outside the text.
    """
    spans = []
    for i in range(len(group)):
        span = _aligned(group, i)
        if span is None:
            return realigned_spans(group)
        spans.append(span)
    return spans


def realigned_spans(group: SpanGroup) -> list[Span]:
    """The spans of a group, found by their characters alone.

    Raises ValueError where a span lies outside the text.
    """
    return [_find(group.doc, stored) for stored in stored_spans(group)]


def stored_spans(group: SpanGroup) -> list[StoredSpan]:
    """What a group holds of each span, see `STORED_SPAN`."""
    with suppress(IndexError):  # of a span past the last token
        spans = [SpanGroup.__getitem__(group, i) for i in range(len(group))]
        return list(map(_stored, spans))
    # only the bytes give offsets of spans that cannot be made
    bare = SpanGroup(group.doc)
    bare.extend(group)
    bare.attrs = {}  # which may hold what cannot be stored
    data: Any = srsly.msgpack_loads(bare.to_bytes())
    return [STORED_SPAN.unpack(each) for each in data["spans"]]


def trimmed(span: Span) -> Span | None:
    """A span without whitespace tokens at its edges, None if there is nothing else."""
    doc, start, end = span.doc, span.start, span.end
    while start < end and doc[start].is_space:
        start += 1
    while end > start and doc[end - 1].is_space:
        end -= 1
    if start == end:
        return None
    if (start, end) == (span.start, span.end):
        return span
    return Span(doc, start, end, span.label, kb_id=span.kb_id, span_id=span.id)


def trimmed_spans(doc: Doc, spans: list[Span]) -> list[Span]:
    """Spans of a document without whitespace tokens at their edges, nor empty ones."""
    if words_of(doc) is None:
        return [span for span in spans if span.start < span.end]
    found = map(trimmed, spans)
    return [span for span in found if span is not None]


def text_start(doc: Doc) -> str:
    """The first words of a document, to name it in a message."""
    start = doc[:8].text
    return repr(start if len(doc) <= 8 else f"{start} …")


def _aligned(group: SpanGroup, i: int) -> Span | None:
    """A span as spaCy reads it, None where its tokens changed since."""
    doc = group.doc
    try:
        span = SpanGroup.__getitem__(group, i)
    except IndexError:  # past the last token: surely an index of other tokens
        return None
    start, end = span.start, span.end
    if start == end:
        return span
    last = doc[end - 1]
    same = doc[start].idx == span.start_char and last.idx + len(last) == span.end_char
    return span if same else None


def _stored(span: Span) -> StoredSpan:
    place = (span.start, span.end, span.start_char, span.end_char)
    return (span.id, span.kb_id, span.label, *place)


def _find(doc: Doc, stored: StoredSpan) -> Span:
    start, end = stored[START_CHAR], stored[END_CHAR]
    attrs: Any = {"kb_id": stored[KB_ID], "span_id": stored[ID]}
    if start == end:
        i = bisect_left(range(len(doc)), start, key=lambda i: doc[i].idx)
        return Span(doc, i, i, stored[LABEL], **attrs)
    span = doc.char_span(
        start, end, label=stored[LABEL], alignment_mode="expand", **attrs
    )
    if span is None:
        raise ValueError(
            f"a span of characters {start} to {end} lies outside the document "
            f"{text_start(doc)}, which has {len(doc.text)} characters"
        )
    return span
