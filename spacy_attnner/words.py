"""Words: the tokens of a document that are not whitespace.

spaCy's tokenizer makes tokens of doubled spaces and line breaks. Models of this package
never see them, so that they change nothing; places among the words are turned into
places among the tokens here.
"""

import numpy
from spacy.attrs import IS_SPACE
from spacy.tokens import Doc


def words_of(doc: Doc) -> numpy.ndarray | None:
    """Which tokens are words, bool, (n_tokens,); None where there is no whitespace."""
    spaces = doc.to_array(IS_SPACE)
    return spaces == 0 if spaces.any() else None


def word_places(doc: Doc) -> numpy.ndarray | None:
    """The token of each word, (n_words,); None where all tokens are words."""
    words = words_of(doc)
    return None if words is None else numpy.flatnonzero(words)


def n_words(doc: Doc) -> int:
    """Tokens that are not whitespace."""
    words = words_of(doc)
    return len(doc) if words is None else int(words.sum())


def words_before(doc: Doc) -> numpy.ndarray:
    """How many words stand before each token, and in all, shape (n_tokens + 1,)."""
    words = words_of(doc)
    if words is None:
        return numpy.arange(len(doc) + 1)
    return numpy.concatenate([[0], words.cumsum()])


def tokens_of(places: numpy.ndarray | None, start: int, end: int) -> tuple[int, int]:
    """First token and end of a span of words, given `word_places`."""
    if places is None:
        return start, end
    return int(places[start]), int(places[end - 1]) + 1
