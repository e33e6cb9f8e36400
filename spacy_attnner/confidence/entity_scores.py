"""How sure a component is of an entity: the confidence that it was given.

Every `attn_ner` keeps its entities in a span group with `attrs["scores"]`, in the same
order, and `attrs["attn_ner"]`, whose how-manieth turn it was: of several that scored
the same entity, the last one set it. Groups without that number are other people's.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from spacy.tokens import Doc, Span, SpanGroup

from ..span_groups import (
    END_CHAR,
    LABEL,
    START_CHAR,
    TURN,
    AlignedSpanGroup,
    align_groups,
    stored_spans,
)

SCORES = "scores"
CONFIDENCES_KEY = "attn_ner"


def get_confidence(span: Span) -> float | None:
    """The probability that a component gave an entity, None without one.

    The entity is found by its characters and label, by its characters alone where the
    span has no label; one that lies inside a merged token is that token. Of several
    components that scored it, the last one counts.
    """
    return _look_up(scored_groups(span.doc), span)[0]


def confidences(doc: Doc, spans: Iterable[Span]) -> list[float | None]:
    """What `get_confidence` says of each of a document's spans, in one pass."""
    groups = scored_groups(doc)
    return [_look_up(groups, span)[0] for span in spans]


def set_confidences(
    doc: Doc, scored: Iterable[tuple[Span, float]], key: str = CONFIDENCES_KEY
) -> None:
    """Say how sure a component is of the entities that it set.

    scored: The entities, each with its probability.
    key: The span group that keeps them; it is replaced.
    """
    turn = max((group.attrs[TURN] for _, group in scored_groups(doc)), default=0)
    put_confidences(doc, list(scored), key, turn + 1)


def put_confidences(
    doc: Doc, scored: Sequence[tuple[Span, float]], key: str, turn: int
) -> None:
    """`set_confidences` of pairs, with whose turn it is."""
    attrs = {SCORES: [round(float(score), 6) for _, score in scored], TURN: turn}
    spans = [span for span, _ in scored]
    doc.spans[key] = AlignedSpanGroup(doc, name=key, attrs=attrs, spans=spans)


def confidences_by_key(doc: Doc) -> dict[str, tuple[int, list[tuple[Span, float]]]]:
    """The turn, and the entities with their scores, of each group that has some."""
    return {
        key: (
            group.attrs[TURN],
            list(zip(group, group.attrs[SCORES], strict=False)),
        )
        for key, group in scored_groups(doc)
    }


def scores_of(doc: Doc, spans: Iterable[Span], key: str) -> list[tuple[Span, float]]:
    """The spans that are a component's own, with their scores.

    key: The component's span group.
    """
    groups = scored_groups(doc)
    found = ((span, *_look_up(groups, span)) for span in spans)
    return [(span, p) for span, p, where in found if where == key and p is not None]


def scored_groups(doc: Doc) -> list[tuple[str, AlignedSpanGroup]]:
    """The groups of entities with scores, with their keys, the latest first."""
    align_groups(doc)
    groups = [
        (key, group)
        for key, group in doc.spans.items()
        if isinstance(group, AlignedSpanGroup) and is_scored(group)
    ]
    return sorted(groups, key=lambda item: -item[1].attrs[TURN])


def is_scored(group: SpanGroup) -> bool:
    """Whether a group holds the entities of an `attn_ner` and their scores."""
    turn, scores = group.attrs.get(TURN), group.attrs.get(SCORES)
    return type(turn) is int and isinstance(scores, list | tuple)


class EntityIndex:
    """The entities of a group by their characters, as they were when they were set."""

    def __init__(self, group: AlignedSpanGroup) -> None:
        stored = stored_spans(group)
        self.order = sorted(range(len(stored)), key=lambda i: stored[i][START_CHAR])
        self.starts = [stored[i][START_CHAR] for i in self.order]
        self.ends = [span[END_CHAR] for span in stored]
        self.labels = [span[LABEL] for span in stored]

    def find(self, span: Span) -> list[int]:
        """The places of the entities that became this span."""
        if span.start >= span.end:
            return []
        first_end, last_start = _edges(span)
        start = bisect_left(self.starts, span.start_char)
        stop = bisect_left(self.starts, first_end)
        return [
            i
            for i in self.order[start:stop]
            if last_start < self.ends[i] <= span.end_char
            and span.label in (0, self.labels[i])
        ]


def _edges(span: Span) -> tuple[int, int]:
    """Where the first token of a span ends and the last one starts, in characters.

    An entity that starts and ends inside of them takes all of both. Of a span that was
    made before tokens were merged or split, it is that of the same characters alone.
    """
    doc = span.doc
    if span.end <= len(doc):
        first, last = doc[span.start], doc[span.end - 1]
        if first.idx == span.start_char and last.idx + len(last) == span.end_char:
            return first.idx + len(first), last.idx
    return span.start_char + 1, span.end_char - 1


def _look_up(
    groups: Sequence[tuple[str, AlignedSpanGroup]], span: Span
) -> tuple[float | None, str]:
    """The score of a span and the key of the group that has it."""
    for key, group in groups:
        if group.index is None:
            group.index = EntityIndex(group)
        scores = group.attrs[SCORES]
        found = [scores[i] for i in group.index.find(span) if i < len(scores)]
        if found:
            return float(max(found)), key
    return None, ""
