"""The words around a relation, to see what it was read from."""

from spacy.tokens import Doc, Span

AROUND = 20  # tokens to each side, where no sentences are known
LONGEST = 100  # tokens to each side within a sentence: a table may be one
GAP = 30  # tokens between two pieces from which on they are written as two
BETWEEN = " … "


def get_context(head: Span, tail: Span, *, sentences: bool) -> str:
    """The sentences of both arguments, or the tokens around them.

    Its length is bounded, so that the relations of a long document do not copy it
    each: arguments far apart give two pieces with an ellipsis between them.

    sentences: Whether the document has sentence starts.
    """
    doc = head.doc
    first, second = sorted(_piece(doc, span, sentences) for span in (head, tail))
    if second[0] - first[1] <= GAP:
        return doc[first[0] : max(first[1], second[1])].text
    return BETWEEN.join(doc[start:end].text for start, end in (first, second))


def _piece(doc: Doc, span: Span, sentences: bool) -> tuple[int, int]:
    """Tokens around an argument, from start to end."""
    reach = LONGEST if sentences else AROUND
    start, end = max(0, span.start - reach), min(len(doc), span.end + reach)
    if sentences and span.start < span.end:  # an empty span is in no sentence
        start = max(start, doc[span.start].sent.start)
        end = min(end, doc[span.end - 1].sent.end)
    return start, end
