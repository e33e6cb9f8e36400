"""Where the tokens of a text stand on lines of a certain width."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..hidden import shown

EM = 15.0  # pixels
# thousandths of an em that Arial's, Helvetica's and Liberation Sans' letters advance
ADVANCES = {
    191: "'",
    222: "ijl",
    260: "|",
    278: " !,./:;I[\\]ft",
    333: "()-`r{}",
    355: '"',
    389: "*",
    469: "^",
    500: "Jckvsxyz",
    556: "#$?L_0123456789abdeghnopqu",
    584: "+<=>~",
    611: "FTZ",
    667: "&ABEKPSVXY",
    722: "CDHNRUw",
    778: "GOQ",
    833: "Mm",
    889: "%",
    944: "W",
    1000: "—…",
    1015: "@",
}
ADVANCE = {letter: n / 1000 for n, letters in ADVANCES.items() for letter in letters}
UPPER, OTHER = ADVANCE["B"], ADVANCE["n"]
SPACE = ADVANCE[" "]
# of Unicode's kinds of characters
DIRECTIONS = {"L": "L", "R": "R", "AL": "R", "EN": "EN"}
JOINER, SKIN_TONES = "\u200d", "🏻🏼🏽🏾🏿"


@dataclass
class Line:
    """Tokens beside each other.

    tokens: Their numbers. starts, widths: In pixels from the left.
    """

    tokens: list[int] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)
    width: float = 0.0


def text_width(text: str, em: float = EM) -> float:
    """About how wide a text is, in pixels: what is drawn is fitted into it."""
    text = shown(text)
    return em * sum(map(_em_of, text, "\0" + text))


def _em_of(character: str, before: str) -> float:
    """How far a character advances; `before` is the one before it."""
    is_wide = unicodedata.east_asian_width(character) in ("W", "F")
    if is_wide and (before == JOINER or character in SKIN_TONES):
        return 0.0  # part of the emoji before it
    if unicodedata.category(character) in ("Mn", "Me", "Cf", "Cc"):
        return 0.0
    if is_wide:
        return 1.0
    if character.isspace():
        return SPACE
    letter = unicodedata.normalize("NFD", character)[0]
    return ADVANCE.get(letter, UPPER if character.isupper() else OTHER)


def lay_out(
    tokens: Sequence[str],
    spaces: Sequence[bool],
    width: float,
    *,
    right_to_left: bool = False,
) -> list[Line]:
    """Break a text into lines.

    tokens: Their texts; behind one with a line break a new line begins.
    spaces: Whether a space follows each.
    width: Of a line, in pixels; a longer token has a line of its own.
    right_to_left: Whether lines begin on the right.
    """
    lines = [Line()]
    for i, token in enumerate(tokens):
        own = text_width(token)
        if lines[-1].tokens and lines[-1].width + own > width:
            lines.append(Line())
        line = lines[-1]
        line.tokens.append(i)
        line.starts.append(line.width)
        line.widths.append(own)
        line.width += own + (EM * SPACE if spaces[i] else 0.0)
        if "\n" in token:
            lines.append(Line())
    lines = [line for line in lines if line.tokens]
    for line in lines:
        for first, last in _turned([tokens[i] for i in line.tokens], right_to_left):
            right = line.starts[last] + line.widths[last]
            _mirror(line, first, last, line.starts[first], right)
        if right_to_left:
            _mirror(line, 0, len(line.tokens) - 1, 0.0, width)
    return lines


def direction_of(text: str) -> str:
    """ "L" or "R", the direction of its first letter that has one; "EN" for a number,
    "" for neither.
    """
    kinds = [DIRECTIONS.get(unicodedata.bidirectional(c), "") for c in text]
    letters = [kind for kind in kinds if kind in ("L", "R")]
    return letters[0] if letters else max(kinds, default="")


def _turned(tokens: Sequence[str], right_to_left: bool) -> Iterator[tuple[int, int]]:
    """First and last of tokens that run against the direction of their text.

    Numbers run with the letters before them.
    """
    own, other = ("R", "L") if right_to_left else ("L", "R")
    first = last = None
    for i, token in enumerate([*map(direction_of, tokens), own]):
        if token == other or (token == "EN" and first is not None):
            first, last = i if first is None else first, i
        elif token == own and first is not None:
            yield first, last
            first = None


def _mirror(line: Line, first: int, last: int, left: float, right: float) -> None:
    """Set tokens of a line in the opposite order between two places."""
    for i in range(first, last + 1):
        line.starts[i] = left + right - line.starts[i] - line.widths[i]
