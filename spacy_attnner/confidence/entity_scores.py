"""How sure a component is of an entity: the confidence that it was given.

Every `attn_ner` keeps its entities in a span group with `attrs["scores"]`, in the same
order, and `attrs["attn_ner"]`, whose how-manieth turn it was: of several that scored
the same entity, the last one set it. A component that leaves `doc.ents` alone marks its
group with `attrs["layer"]`: what it says of the same characters is of other guidelines
and comes last. Groups without a turn are other people's.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

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
LAYER = "layer"
CONFIDENCES_KEY = "attn_ner"


class ScoredEntities(NamedTuple):
    """The entities of a group, each with its probability.

    turn: Whose they are of the components that scored the document.
    layer: Whether that component leaves `doc.ents` alone.
    """

    entities: Sequence[tuple[Span, float]]
    turn: int
    layer: bool = False


def get_confidence(span: Span, key: str = "") -> float | None:
    """The probability that a component gave an entity, None without one.

    The entity is found by its characters and label, by its characters alone where the
    span has no label; one that lies inside a merged token is that token. Of several
    components that scored it, the last one counts that sets `doc.ents`, or else the
    last one.

    key: The span group that the span is of, which counts first.
    """
    return _look_up(scored_groups(span.doc, key), span)[0]


def confidences(doc: Doc, spans: Iterable[Span], key: str = "") -> list[float | None]:
    """What `get_confidence` says of each of a document's spans, in one pass."""
    groups = scored_groups(doc, key)
    return [_look_up(groups, span)[0] for span in spans]


def set_confidences(
    doc: Doc,
    scored: Iterable[tuple[Span, float]],
    key: str = CONFIDENCES_KEY,
    *,
    layer: bool = False,
) -> None:
    """Say how sure a component is of the entities that it set.

    scored: The entities, each with its probability.
    key: The span group that keeps them; it is replaced.
    layer: Whether they are that group's alone, and not those of `doc.ents`.
    """
    turn = max((group.attrs[TURN] for _, group in scored_groups(doc)), default=0)
    put_confidences(doc, key, ScoredEntities(list(scored), turn + 1, layer))


def put_confidences(doc: Doc, key: str, scored: ScoredEntities) -> None:
    """Keep entities with their scores in a span group, which is replaced."""
    attrs: dict[str, Any] = {
        SCORES: [round(float(score), 6) for _, score in scored.entities],
        TURN: scored.turn,
    }
    if scored.layer:
        attrs[LAYER] = True
    spans = [span for span, _ in scored.entities]
    doc.spans[key] = AlignedSpanGroup(doc, name=key, attrs=attrs, spans=spans)


def confidences_by_key(doc: Doc) -> dict[str, ScoredEntities]:
    """The entities with their scores of each group that has some."""
    return {
        key: ScoredEntities(
            list(zip(group, group.attrs[SCORES], strict=False)),
            group.attrs[TURN],
            _is_layer(group),
        )
        for key, group in scored_groups(doc)
    }


def scores_of(
    doc: Doc, spans: Iterable[Span], key: str, *, layer: bool = False
) -> list[tuple[Span, float]]:
    """The spans that are a component's own, with their scores.

    key: The component's span group. layer: Whether it leaves `doc.ents` alone.
    """
    groups = scored_groups(doc, key if layer else "")
    found = ((span, *_look_up(groups, span)) for span in spans)
    return [(span, p) for span, p, where in found if where == key and p is not None]


def scored_groups(doc: Doc, first: str = "") -> list[tuple[str, AlignedSpanGroup]]:
    """The groups of entities with scores, with their keys, in the order in which they
    count: those of components that set `doc.ents` before layers, the latest first.

    first: The key of a group that counts before all others.
    """
    align_groups(doc)
    groups = [
        (key, group)
        for key, group in doc.spans.items()
        if isinstance(group, AlignedSpanGroup) and is_scored(group)
    ]
    return sorted(
        groups,
        key=lambda item: (item[0] != first, _is_layer(item[1]), -item[1].attrs[TURN]),
    )


def is_scored(group: SpanGroup) -> bool:
    """Whether a group holds the entities of an `attn_ner` and their scores."""
    turn, scores = group.attrs.get(TURN), group.attrs.get(SCORES)
    return type(turn) is int and isinstance(scores, list | tuple)


def _is_layer(group: SpanGroup) -> bool:
    return group.attrs.get(LAYER) is True


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
