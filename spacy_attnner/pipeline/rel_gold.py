"""Which of a document's candidate pairs have which gold relations."""

from collections.abc import Sequence
from typing import Any

import numpy
from spacy.tokens import Span
from spacy.training import Example

from ..relations import get_relations
from ..span_groups import trimmed


def gold_labels_of(
    example: Example, candidates: Any, labels: Sequence[str], name: str
) -> numpy.ndarray:
    """Gold labels of the candidate pairs of `predicted`, float32, (n_pairs, n_labels).

    Gold relations between other pairs are left out: misses, for the scorer. Whitespace
    at the edges of arguments does not count.

    name: Of the component, for the error.

    Raises ValueError for a relation with a label that is not among `labels`.
    """
    columns = {label: i for i, label in enumerate(labels)}
    places: dict[Any, int] = {_key(span): i for i, span in enumerate(candidates.spans)}
    find = candidates.finder()
    truth = numpy.zeros((len(candidates), len(labels)), dtype="float32")
    for relation in get_relations(example.reference):
        if relation.label not in columns:
            raise ValueError(
                f"relation {relation.label!r} from {relation.head.text!r} to "
                f"{relation.tail.text!r} has a label that {name!r} does not know; it "
                f"knows {sorted(labels)}: correct the annotation, or call "
                f"add_label({relation.label!r})"
            )
        head = places.get(_aligned(example, relation.head))
        tail = places.get(_aligned(example, relation.tail))
        row = None if head is None or tail is None else find(head, tail)
        if row is not None:
            truth[row, columns[relation.label]] = 1.0
    return truth


def _key(span: Span) -> tuple[int, int, int]:
    return span.start, span.end, span.label


def _aligned(example: Example, span: Span) -> tuple[int, int, int] | None:
    """Where the words of a reference span stand in the predicted document."""
    words = trimmed(span)
    if words is None:
        return None
    aligned = example.get_aligned_spans_y2x([words], allow_overlap=True)
    found = trimmed(aligned[0]) if aligned else None
    return None if found is None else _key(found)
