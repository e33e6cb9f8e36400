"""`spacy-attnner.SentenceRuns.v1`: documents cut into runs of sentences."""

import random
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import registry

from ..relations import spans_to_docs
from .gold_sentences import check_runs, draw_runs


@registry.augmenters("spacy-attnner.SentenceRuns.v1")
def create_sentence_runs(
    single: float = 0.5, max_tokens: int = 150
) -> Callable[[Language, Example], Iterator[Example]]:
    """Train on stretches of every length, so that a model knows single sentences and
    whole documents.

    At each reading of the corpus (every epoch if `max_epochs` is -1, else once) a
    document is cut anew: into its sentences, or into runs of sentences whose lengths
    are drawn evenly from 1 to `max_tokens`. A document without sentence starts stays
    whole.

    single: Share of the documents that are cut into single sentences.
    max_tokens: Most tokens of a run of several sentences.

    Raises ValueError for a share outside [0, 1] or a limit below 1.
    """
    check_runs("single", single, max_tokens)

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        doc = example.reference
        if not doc.has_annotation("SENT_START"):
            yield example
            return
        runs = doc.sents if random.random() < single else _runs(doc, max_tokens)
        for part in spans_to_docs(runs):
            yield _make_example(nlp, part)

    return augment


def _runs(doc: Doc, max_tokens: int) -> Iterator[Span]:
    """Consecutive sentences of at least one each, joined up to drawn lengths."""
    starts = numpy.array([sentence.start for sentence in doc.sents], dtype="int64")
    bounds = [*draw_runs(starts, len(doc), max_tokens).tolist(), len(doc)]
    for start, end in pairwise(bounds):
        yield doc[start:end]


def _make_example(nlp: Language, reference: Doc) -> Example:
    if not reference.has_unknown_spaces:
        return Example(nlp.make_doc(reference.text), reference)
    words = [token.text for token in reference]
    return Example(Doc(nlp.vocab, words=words), reference)
