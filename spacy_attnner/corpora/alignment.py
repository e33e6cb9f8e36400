"""Offsets of a file and tokens of a document: what counts them, edges, boundaries."""

import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import accumulate, pairwise, product
from typing import TypeVar

from spacy.tokens import Doc

T = TypeVar("T")

_PAIRS = ("()", "[]", "{}", "«»", "»«", "“”", "„“", "\u2018\u2019", '""', "''")
PAIRED = {one: other for a, b in _PAIRS for one, other in ((a, b), (b, a))}
Place = tuple[int, int]  # characters, the end exclusive


def squeezed(text: str) -> str:
    return " ".join(text.split())


def is_covered(text: str, place: Place, stored: str | None) -> bool:
    """Whether a place holds the text that the format stores, if it does."""
    found = text[slice(*place)]
    if not isinstance(stored, str):
        return stored is None
    # Label Studio writes a line end as these two characters
    forms = stored, stored.replace(r"\n", " ")
    return stored == found or squeezed(found) in map(squeezed, forms)


def other_units(text: str) -> Iterator[tuple[str, dict[int, int]]]:
    """What else offsets may count, and the character at each of them."""
    if any(char > "\uffff" for char in text):
        yield "UTF-16 units", _indices(1 + (char > "\uffff") for char in text)
    if not text.isascii():
        yield "bytes", _indices(len(char.encode("utf8", "replace")) for char in text)
    if "\r\n" in text:
        ends = (text[i : i + 2] == "\r\n" for i in range(len(text)))
        yield "CRLF as one character", _indices(1 - end for end in ends)
    elif "\n" in text:
        yield "line feeds as two", _indices(1 + (char == "\n") for char in text)


def _indices(widths: Iterable[int]) -> dict[int, int]:
    """The character at each offset, given how much each of them counts."""
    return {at: i for i, at in enumerate(accumulate(widths, initial=0))}


def spaces_after(words: Sequence[str], text: str) -> list[bool]:
    """Whether a space follows each of the words that a text consists of.

    Raises ValueError if it does not consist of them.
    """
    spaces: list[bool] = []
    at = 0
    for i, word in enumerate(words):
        if not word or not text.startswith(word, at):
            raise ValueError(
                f"tokens[{i}] is {word!r} where the text has {text[at : at + 20]!r}; "
                "give all tokens of the text in its order, or none"
            )
        at += len(word)
        spaces.append(text[at : at + 1] == " ")
        at += spaces[-1]
    if at < len(text):
        raise ValueError(
            f"the tokens end before {text[at : at + 20]!r}; give all tokens, or none"
        )
    return spaces


def nearest(
    heads: Iterable[T], tails: Iterable[T], start: Callable[[T], int]
) -> tuple[T, T] | None:
    """The two mentions of two entities that stand nearest to each other, if any do.

    start: Where a mention begins.
    """
    pairs = (pair for pair in product(heads, tails) if pair[0] != pair[1])
    return min(pairs, key=lambda p: abs(start(p[0]) - start(p[1])), default=None)


def trim(doc: Doc, text: str, start: int, end: int) -> Place:
    """Characters of a document without whitespace and punctuation at their edges.

    Punctuation is what stands in a token of its own, so that `U.S.` stays; a bracket or
    quote stays whose other half is inside. What holds nothing else stays as it is.
    """
    first, last = start, end
    while first < last and _is_loose(doc, first, text[first], text[first + 1 : last]):
        first += 1
    while first < last and _is_loose(
        doc, last - 1, text[last - 1], text[first : last - 1]
    ):
        last -= 1
    return (first, last) if first < last else (start, end)


def _is_loose(doc: Doc, at: int, char: str, inside: str) -> bool:
    """Whether a character at an edge is no part of what is inside."""
    if char.isspace():
        return True
    other = PAIRED.get(char)
    if unicodedata.category(char)[0] != "P" or (other and other in inside):
        return False
    return doc.char_span(at, at + 1) is not None


def describe_misaligned(doc: Doc, name: str, place: Place, mode: str) -> str:
    """What to say of an entity that does not begin and end with a token."""
    start, end = place
    left, right = _nearest_boundaries(doc, start, end)
    flaw, others = "does not begin and end with a token", "expand, contract or split"
    if mode == "contract":
        flaw, others = "holds no whole token", "expand or split"
    return (
        f"{name} {doc.text[start:end]!r} ({start} to {end}) {flaw}; the nearest that "
        f"does is {doc.text[left:right]!r} ({left} to {right}): give that, or choose "
        f"--align {others}"
    )


def _nearest_boundaries(doc: Doc, start: int, end: int) -> Place:
    """The character offsets nearest to these where a token begins and one ends."""
    left = min((token.idx for token in doc), key=lambda at: abs(at - start))
    ends = (token.idx + len(token) for token in doc)
    right = min((at for at in ends if at > left), key=lambda at: abs(at - end))
    return left, right


def split_tokens(doc: Doc, offsets: Collection[int]) -> Doc:
    """The same text with tokens split at these character offsets.

    offsets: Where a token must begin or end. Those that stand there already, or in
        the space between tokens, change nothing.

    Returns the document itself if nothing is to be split, else a new one that holds
    words, spaces and the starts of sentences, and the categories.
    """
    words: list[str] = []
    spaces: list[bool] = []
    starts: list[bool | int | None] = []
    for token in doc:
        inside = {at - token.idx for at in offsets if 0 < at - token.idx < len(token)}
        cuts = [0, *sorted(inside), len(token)]
        words += [token.text[start:end] for start, end in pairwise(cuts)]
        spaces += [False] * len(inside) + [bool(token.whitespace_)]
        starts += [token.is_sent_start] + [False] * len(inside)
    if len(words) == len(doc):
        return doc
    known = starts if doc.has_annotation("SENT_START") else None
    made = Doc(doc.vocab, words=words, spaces=spaces, sent_starts=known)
    made.cats = doc.cats
    return made
