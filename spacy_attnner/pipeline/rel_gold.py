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
    rows = PairRows(candidates)
    truth = numpy.zeros((len(candidates), len(labels)), dtype="float32")
    for relation in get_relations(example.reference):
        if relation.label not in columns:
            raise ValueError(
                f"relation {relation.label!r} from {relation.head.text!r} to "
                f"{relation.tail.text!r} has a label that {name!r} does not know; it "
                f"knows {sorted(labels)}: correct the annotation, or call "
                f"add_label({relation.label!r})"
            )
        head = aligned_key(example, relation.head)
        row = rows.row(head, aligned_key(example, relation.tail))
        if row is not None:
            truth[row, columns[relation.label]] = 1.0
    return truth


Key = tuple[int, int, int]  # start, end, label


class PairRows:
    """Finds the row of a candidate pair by the places and labels of its spans."""

    def __init__(self, candidates: Any) -> None:
        self.places = {key_of(span): i for i, span in enumerate(candidates.spans)}
        self.find = candidates.finder()

    def row(self, head: Key | None, tail: Key | None) -> int | None:
        """The row, or None where the pair is no candidate."""
        if head not in self.places or tail not in self.places:
            return None
        return self.find(self.places[head], self.places[tail])


def key_of_words(span: Span) -> Key | None:
    """`key_of` a span without whitespace at its edges; None if it has no word."""
    words = trimmed(span)
    return None if words is None else key_of(words)


def key_of(span: Span) -> Key:
    """By what a span is found."""
    return span.start, span.end, span.label


def aligned_key(example: Example, span: Span) -> Key | None:
    """Where the words of a reference span stand in the predicted document."""
    words = trimmed(span)
    if words is None:
        return None
    aligned = example.get_aligned_spans_y2x([words], allow_overlap=True)
    return key_of_words(aligned[0]) if aligned else None
