"""`span._.confidence`: the probability that the model gave an entity."""

from collections.abc import Iterable

from spacy.tokens import Doc, Span

SCORED_GROUPS = "scores"  # attribute of the span groups that carry scores


def get_confidence(span: Span) -> float | None:
    """Score of a span in any of its document's scored span groups, None without one.

    A span is found by its tokens and, where it has a label, by that too.
    """
    for group in span.doc.spans.values():
        scores = group.attrs.get(SCORED_GROUPS)
        if scores is None:
            continue
        for other, score in zip(group, scores, strict=False):
            same = other.start == span.start and other.end == span.end
            if same and span.label in (0, other.label):
                return float(score)
    return None


def confidences(doc: Doc, spans: Iterable[Span]) -> list[float | None]:
    """What `get_confidence` says of each of a document's spans, in one pass."""
    found: dict[tuple[int, int, int], float] = {}
    for group in doc.spans.values():
        for span, score in zip(group, group.attrs.get(SCORED_GROUPS, ()), strict=False):
            for label in (span.label, 0):
                found.setdefault((span.start, span.end, label), float(score))
    return [found.get((span.start, span.end, span.label)) for span in spans]


def register_confidence() -> None:
    """Register `span._.confidence`, once."""
    if not Span.has_extension("confidence"):
        Span.set_extension("confidence", getter=get_confidence)


register_confidence()
