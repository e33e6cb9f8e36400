"""Making tokens begin and end where an annotation does."""

from collections.abc import Collection
from itertools import pairwise

from spacy.tokens import Doc


def split_tokens(doc: Doc, offsets: Collection[int]) -> Doc:
    """The same text with tokens split at these character offsets.

    offsets: Where a token must begin or end. Those that stand there already, or in
        the space between tokens, change nothing.

    Returns the document itself if nothing is to be split, else a new one that holds
    words and spaces only.
    """
    words: list[str] = []
    spaces: list[bool] = []
    for token in doc:
        inside = {at - token.idx for at in offsets if 0 < at - token.idx < len(token)}
        cuts = [0, *sorted(inside), len(token)]
        words += [token.text[start:end] for start, end in pairwise(cuts)]
        spaces += [False] * len(inside) + [bool(token.whitespace_)]
    if len(words) == len(doc):
        return doc
    return Doc(doc.vocab, words=words, spaces=spaces)
