"""`spacy-attnner.GoldSentences.v1`: documents that come with their sentence starts."""

import random
from collections.abc import Callable, Iterator

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import registry


@registry.augmenters("spacy-attnner.GoldSentences.v1")
def create_gold_sentences(
    share: float = 1.0, max_tokens: int = 100
) -> Callable[[Language, Example], Iterator[Example]]:
    """Set the gold sentence starts on `predicted`.

    spaCy's `Corpus` hands components documents without sentence starts. A component
    that uses them, as `spacy-attnner.AttentionEncoder.v1` does, would be trained and
    scored without. What is set is drawn once, when the corpus is read.

    share: Share of the documents that show all sentence starts. The others show only
        some, so that they fall into runs of sentences, of lengths drawn evenly from 1
        to `max_tokens`: what a sentence splitter makes of headlines and tables.
    max_tokens: Most tokens of a run of several sentences.

    Raises ValueError for a share outside [0, 1] or a limit below 1.
    """
    check_runs("share", share, max_tokens)

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        if example.reference.has_annotation("SENT_START"):
            starts = gold_sentence_starts(example)
            if random.random() >= share:
                starts = draw_runs(starts, len(example.predicted), max_tokens)
            set_sentence_starts(example.predicted, starts)
        yield example

    return augment


def check_runs(name: str, share: float, max_tokens: int) -> None:
    """Raises ValueError for a share outside [0, 1] or a limit below 1."""
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"{name} {share} is not in [0, 1]")
    if max_tokens < 1:
        raise ValueError(f"max_tokens {max_tokens} is less than 1")


def gold_sentence_starts(example: Example) -> numpy.ndarray:
    """The reference's sentence starts as tokens of `predicted`, shape (n_sentences,).

    A start inside a predicted token is one of the next token.
    """
    reference = example.reference
    starts = numpy.array([sent.start for sent in reference.sents], dtype="int64")
    predicted = example.predicted
    if len(predicted) == len(reference) and all(
        a.orth == b.orth for a, b in zip(predicted, reference, strict=True)
    ):
        return starts
    offsets = [token.idx for token in predicted]
    wanted = [reference[int(start)].idx for start in starts]
    found = numpy.unique(numpy.searchsorted(offsets, wanted))
    return found[found < len(predicted)]


def draw_runs(starts: numpy.ndarray, n_tokens: int, max_tokens: int) -> numpy.ndarray:
    """Some of the starts: consecutive sentences joined up to drawn lengths."""
    kept: list[int] = []
    limit = 0
    ends = [*starts[1:].tolist(), n_tokens]
    for start, end in zip(starts.tolist(), ends, strict=True):
        if not kept or end - kept[-1] > limit:
            kept.append(start)
            limit = random.randint(1, max_tokens)
    return numpy.array(kept, dtype="int64")


def set_sentence_starts(doc: Doc, starts: numpy.ndarray) -> None:
    """Make sentences of a document begin at these tokens and nowhere else."""
    is_start = numpy.zeros(len(doc), dtype=bool)
    is_start[starts] = True
    for token, start in zip(doc, is_start.tolist(), strict=True):
        token.is_sent_start = start
