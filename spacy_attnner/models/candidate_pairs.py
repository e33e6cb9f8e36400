"""Which ordered pairs of spans a relation component looks at."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy
from spacy.tokens import Doc, Span
from spacy.util import registry

from ..span_groups import group_spans, trimmed_spans
from ..words import words_before


@dataclass(frozen=True)
class Candidates:
    """A document with its spans and the ordered pairs of them.

    spans: The candidate arguments.
    pairs: Head and tail index into `spans`, int64, shape (n_pairs, 2).
    spans_key: The span group that they were taken from; "" if that is `doc.ents`.
    """

    doc: Doc
    spans: list[Span]
    pairs: numpy.ndarray
    spans_key: str = ""

    def __len__(self) -> int:
        return len(self.pairs)

    def of_types(self, known: set[tuple[str, str]]) -> "Candidates":
        """Those whose head and tail have known types.

        known: Pairs of labels, the head's first.
        """
        types = [span.label_ for span in self.spans]
        distinct = sorted(set(types))
        ids = numpy.array([distinct.index(label) for label in types])
        table = numpy.array([[(h, t) in known for t in distinct] for h in distinct])
        keep = table[ids[self.pairs[:, 0]], ids[self.pairs[:, 1]]]
        return replace(self, pairs=self.pairs[keep])

    def finder(self) -> Callable[[int, int], int | None]:
        """A function that tells the row of a pair of spans, if there is one."""
        n_spans = len(self.spans)
        codes = self.pairs[:, 0] * n_spans + self.pairs[:, 1]
        order = codes.argsort()

        def find(head: int, tail: int) -> int | None:
            code = head * n_spans + tail
            place = int(numpy.searchsorted(codes, code, sorter=order))
            if place == len(order) or codes[order[place]] != code:
                return None
            return int(order[place])

        return find


CandidateGetter = Callable[[Doc], Candidates]


def no_candidates(doc: Doc) -> Candidates:
    """A document in which no pair is looked at."""
    return Candidates(doc, [], numpy.zeros((0, 2), dtype="int64"))


@registry.misc("spacy-attnner.CandidatePairs.v1")
def make_candidate_pairs(
    max_length: int = 0, same_sentence: bool = False, spans_key: str = ""
) -> CandidateGetter:
    """All ordered pairs of a document's entities, within limits.

    Whitespace at the edges of spans is left out, and does not count in between.

    max_length: Most words between the two spans; 0 for no limit.
    same_sentence: Only pairs inside one sentence, where the document has sentences.
    spans_key: Span group to take the spans from; `doc.ents` if empty.
    """
    if max_length < 0:
        raise ValueError(f"max_length {max_length} is negative")
    return partial(
        _candidates,
        max_length=max_length,
        same_sentence=same_sentence,
        spans_key=spans_key,
    )


def _candidates(
    doc: Doc, *, max_length: int, same_sentence: bool, spans_key: str
) -> Candidates:
    spans = _distinct(doc, _given(doc, spans_key))
    sentences = same_sentence and doc.has_annotation("SENT_START")
    return Candidates(doc, spans, _pairs(spans, max_length, sentences), spans_key)


def _given(doc: Doc, spans_key: str) -> list[Span]:
    if not spans_key:
        return list(doc.ents)
    return group_spans(doc.spans[spans_key]) if spans_key in doc.spans else []


def _distinct(doc: Doc, spans: list[Span]) -> list[Span]:
    found = {(s.start, s.end, s.label): s for s in trimmed_spans(doc, spans)}
    return [found[key] for key in sorted(found)]


def _pairs(spans: list[Span], max_length: int, same_sentence: bool) -> numpy.ndarray:
    """Ordered pairs, (n_pairs, 2): a span with those behind it, then they with it."""
    if len(spans) < 2:
        return numpy.zeros((0, 2), dtype="int64")
    starts = numpy.array([span.start for span in spans], dtype="int64")
    ends = numpy.array([span.end for span in spans], dtype="int64")
    first = numpy.arange(len(spans))
    stop = numpy.full_like(first, len(spans))  # spans are sorted by their start
    if max_length:
        before = words_before(spans[0].doc)
        stop = before[starts].searchsorted(before[ends] + max_length, side="right")
    if same_sentence:
        sentence = numpy.array([span.sent.start for span in spans], dtype="int64")
        stop = numpy.minimum(stop, sentence.searchsorted(sentence, side="right"))
    counts = (stop - first - 1).clip(0)
    ends = counts.cumsum()
    here, before = first.repeat(counts), (ends - counts).repeat(counts)
    nth = numpy.arange(len(here)) - before
    pairs = numpy.empty((2 * len(here), 2), dtype="int64")
    forward = 2 * before + nth  # rows
    pairs[forward, 0] = here
    pairs[forward, 1] = here + 1 + nth
    pairs[forward + counts.repeat(counts)] = pairs[forward, ::-1]
    return pairs
