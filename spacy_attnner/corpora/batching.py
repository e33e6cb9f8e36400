"""A batcher for corpora that each annotate a part, which are in every batch."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from spacy.tokens import Doc
from spacy.training import Example
from spacy.training.batchers import minibatch_by_words
from spacy.util import minibatch, registry

from ..annotated import ENTITIES, RELATIONS, layer
from ..relations import has_relations
from .mixing import CATEGORIES

Batcher = Callable[[Iterable[Example]], Iterator[list[Example]]]
BUFFER = 100_000  # examples in memory at once


@registry.batchers("spacy-attnner.EvenBatches.v1")
def create_even_batches(size: int, tolerance: float = 0.2) -> Batcher:
    """Batches of about so many words, each with its share of what examples annotate.

    The loss of a batch is a mean over what is annotated in it. Where long documents of
    one corpus leave room for three of another one in this batch, and for fifty in the
    next, those three count as much as the fifty, and gradients are noisy. So documents
    that annotate the same are spread evenly over an epoch, in the order they come in.

    size: Words of a batch.
    tolerance: Share of them that a batch may have more.
    """

    def batches(examples: Iterable[Example]) -> Iterator[list[Example]]:
        evenly = (
            each for part in minibatch(examples, BUFFER) for each in _spread(part)
        )
        yield from minibatch_by_words(evenly, size, tolerance, get_length=_n_words)

    return batches


def _spread(examples: Iterable[Example]) -> list[Example]:
    """Examples by where they are among the words of those that annotate the same."""
    groups: dict[frozenset[str], list[Example]] = defaultdict(list)
    for example in examples:
        groups[_annotated(example.reference)].append(example)
    placed: list[tuple[float, int, Example]] = []
    for group in groups.values():
        total = sum(map(_n_words, group)) or 1
        before = 0
        for each in group:
            middle = before + _n_words(each) / 2
            placed.append((middle / total, len(placed), each))
            before += _n_words(each)
    return [example for _, _, example in sorted(placed, key=lambda each: each[:2])]


def _n_words(example: Example) -> int:
    return len(example.predicted)


def _annotated(doc: Doc) -> frozenset[str]:
    """What a document says something of."""
    found = {layer(key) for key in doc.spans}
    found |= {ENTITIES} if doc.has_annotation("ENT_IOB") else set()
    found |= {RELATIONS} if has_relations(doc) else set()
    return frozenset(found | ({CATEGORIES} if doc.cats else set()))
