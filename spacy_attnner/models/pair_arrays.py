"""The entity pairs of documents as flat arrays."""

import numpy

from ..layers.spans import N_TYPE_HASHES, N_TYPE_ROWS
from .candidates import Candidates

Arrays = tuple[numpy.ndarray, ...]  # the fields of a `PairBatch`


def pair_arrays(batch: list[Candidates], context: int, max_context: int) -> Arrays:
    """Spans, types, pairs and contexts of a batch, in flat token positions."""
    spans, types, pairs, contexts = [], [], [], []
    token = n_spans = 0
    for c in batch:
        bounds = numpy.array(
            [(s.start, s.end) for s in c.spans], dtype="int64"
        ).reshape(-1, 2)
        both = bounds[c.pairs]  # (n_pairs, 2, 2)
        first = (both[:, :, 0].min(1) - context).clip(0)
        end = (both[:, :, 1].max(1) + context).clip(None, len(c.doc))
        end = numpy.minimum(end, first + max_context)
        contexts.append(numpy.stack([first, end], 1) + token)
        spans.append(bounds + token)
        pairs.append(c.pairs + n_spans)
        types += [type_rows(span.label) for span in c.spans]
        token += len(c.doc)
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
