"""The entity pairs of documents as flat arrays."""

import numpy

from ..layers.spans import N_TYPE_HASHES, N_TYPE_ROWS
from ..words import words_before
from .candidates import Candidates

Arrays = tuple[numpy.ndarray, ...]  # the fields of a `PairBatch`


def pair_arrays(batch: list[Candidates], context: int, max_context: int) -> Arrays:
    """Spans, types, pairs and contexts of a batch, in flat word positions."""
    spans, types, pairs, contexts = [], [], [], []
    word = n_spans = 0
    for c in batch:
        before = words_before(c.doc)
        bounds = numpy.array(
            [(s.start, s.end) for s in c.spans], dtype="int64"
        ).reshape(-1, 2)
        bounds = before[bounds]  # words, not tokens
        both = bounds[c.pairs]  # (n_pairs, 2, 2)
        first = (both[:, :, 0].min(1) - context).clip(0)
        end = (both[:, :, 1].max(1) + context).clip(None, before[-1])
        end = numpy.minimum(end, first + max_context)
        contexts.append(numpy.stack([first, end], 1) + word)
        spans.append(bounds + word)
        pairs.append(c.pairs + n_spans)
        types += [type_rows(span.label) for span in c.spans]
        word += int(before[-1])
        n_spans += len(c.spans)
    return (
        numpy.concatenate(spans),
        numpy.array(types, dtype="int64").reshape(-1, N_TYPE_HASHES),
        numpy.concatenate(pairs),
        numpy.concatenate(contexts),
    )


def type_rows(label: int) -> list[int]:
    """Rows of an entity type's embedding, from its 64-bit hash."""
    return [(label >> (20 * i)) % N_TYPE_ROWS for i in range(N_TYPE_HASHES)]
