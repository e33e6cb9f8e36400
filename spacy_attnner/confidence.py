"""`span._.confidence`: the probability that the model gave an entity."""

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


def entity_confidences(doc: Doc) -> list[float | None]:
    """The confidence of each of `doc.ents`, in one pass."""
    found = {
        (span.start, span.end, span.label): float(score)
        for group in doc.spans.values()
        for span, score in zip(group, group.attrs.get(SCORED_GROUPS, ()), strict=False)
    }
    return [found.get((ent.start, ent.end, ent.label)) for ent in doc.ents]


def register_confidence() -> None:
    """Register `span._.confidence`, once."""
    if not Span.has_extension("confidence"):
        Span.set_extension("confidence", getter=get_confidence)


register_confidence()
