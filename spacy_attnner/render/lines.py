"""Where the tokens of a text stand on lines of a certain width."""

import unicodedata
from collections import defaultdict
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
# and about those of other scripts, in Hebrew and Arabic of DejaVu Sans
OTHER_SCRIPTS = {
    222: "ιіјי",
    278: "ΙІוןا",
    360: "гזג",
    400: "τנ",
    460: "εζξςзктء",
    490: "Јدذ",
    583: "К",
    620: "σЗъעפبتثجحخ",
    665: "πφжмאהחטםמסףתقك",
    720: "ΩψЦыюקש",
    778: "ΘΟΦωОФЪшف",
    833: "ΜΨЋМфщњ",
    890: "ЂЫљطظ",
    930: "ЖШЩ",
    1040: "ЉЊЮسشصض",
}
ADVANCE = {
    letter: n / 1000
    for table in (ADVANCES, OTHER_SCRIPTS)
    for n, letters in table.items()
    for letter in letters
}
UPPER, OTHER = ADVANCE["B"], ADVANCE["n"]
SPACE = ADVANCE[" "]
# of Unicode's kinds of characters
DIRECTIONS = {"L": "L", "R": "R", "AL": "R", "EN": "EN"}
JOINER, SKIN_TONES = "\u200d", "🏻🏼🏽🏾🏿"


@dataclass
class Line:
    """Tokens beside each other.

    tokens: Their numbers. starts, widths: In pixels from the left.
    cells: Left and right end of each, with the room that is left free beside it.
    """

    tokens: list[int] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)
    cells: list[tuple[float, float]] = field(default_factory=list)
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
    needs: Sequence[tuple[int, int, float]] = (),
) -> list[Line]:
    """Break a text into lines.

    tokens: Their texts; behind one with a line break a new line begins.
    spaces: Whether a space follows each.
    width: Of a line, in pixels; a longer token is squeezed into one of its own.
    right_to_left: Whether lines begin on the right.
    needs: Spans, as first token and end, and how wide they are at least on each line.
    """
    spans: dict[int, list[tuple[int, int, float]]] = defaultdict(list)
    for span in needs:
        for i in range(span[0], span[1]):
            spans[i].append(span)
    lines = [Line()]
    for i, token in enumerate(tokens):
        own = min(text_width(token), width)
        begun = [need for start, _, need in spans[i] if start == i]
        if lines[-1].tokens and lines[-1].width + max(own, *begun, 0.0) > width:
            lines.append(Line())
        line = lines[-1]
        line.tokens.append(i)
        line.starts.append(line.width)
        line.widths.append(own)
        line.cells.append((line.width, line.width + own))
        _make_room(line, [span for span in spans[i] if span[1] == i + 1])
        line.width = line.cells[-1][1] + (EM * SPACE if spaces[i] else 0.0)
        if "\n" in token:
            lines.append(Line())
    lines = [line for line in lines if line.tokens]
    for line in lines:
        _make_room(line, spans[line.tokens[-1]])
        for first, last in _turned([tokens[i] for i in line.tokens], right_to_left):
            _mirror(line, first, last, line.cells[first][0], line.cells[last][1])
        if right_to_left:
            _mirror(line, 0, len(line.tokens) - 1, 0.0, width)
    return lines


def _make_room(line: Line, needs: Sequence[tuple[int, int, float]]) -> None:
    """Leave room behind the last token, for spans that it is part of."""
    for start, _, need in needs:
        begin, _ = line.cells[max(0, start - line.tokens[0])]
        left, right = line.cells[-1]
        line.cells[-1] = left, max(right, begin + need)


def direction_of(text: str) -> str:
    """Of the first letter that has one, "L" or "R"; "EN" of a number, else ""."""
    kinds = [DIRECTIONS.get(unicodedata.bidirectional(c), "") for c in text]
    letters = [kind for kind in kinds if kind in ("L", "R")]
    return letters[0] if letters else max(kinds, default="")


def _turned(tokens: Sequence[str], right_to_left: bool) -> Iterator[tuple[int, int]]:
    """First and last of tokens that run against the direction of their text.

    Numbers run with the letters before them.
    """
    own, other = ("R", "L") if right_to_left else ("L", "R")
    first: int | None = None
    last = 0
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
        begin, end = line.cells[i]
        line.cells[i] = left + right - end, left + right - begin
