"""Drawings written as SVG: lines of tokens, boxes, arcs and heat."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from .lines import EM, Line, lay_out, text_width
from .page import markup

TEXT, LABEL, STEP, GAP = 20.0, 13.0, 17.0, 12.0  # heights
SMALL = 10.0  # em of labels
BOLD = 1.1  # how much wider the labels of boxes are for it
EDGE = 3.0  # by which a box is wider than its text
STYLE = """
.attn { font-family: Arial, Helvetica, sans-serif; fill: currentColor; }
.attn text { font-size: 15px; white-space: pre; unicode-bidi: isolate; }
.attn .target { fill: none; stroke: currentColor; stroke-width: 1.5px; }
.attn .caption { font-size: 10px; fill-opacity: .8; }
.attn .label { font-size: 10px; font-weight: 600; }
.attn .in { fill: #1d2530; }
.attn .arc { fill: none; stroke: currentColor; stroke-opacity: .55; }
.attn .arc-label { font-size: 10px; text-anchor: middle; }
"""


@dataclass
class Box:
    """A span to be drawn.

    start, end: Tokens. title: Shown beside the pointer.
    """

    start: int
    end: int
    label: str
    color: str
    title: str


@dataclass
class Arc:
    """A relation to be drawn.

    head, tail: Numbers of boxes. texts: What is written in them.
    """

    head: int
    tail: int
    label: str
    title: str
    texts: tuple[str, str]


@dataclass
class Segment:
    """A part of an arc on one line, in pixels.

    left, right: Its ends, of which `down` are those that lead to a box.
    """

    left: float
    right: float
    down: tuple[bool, bool]
    arrow: tuple[bool, bool]
    label: str
    title: str
    level: int = 0


@dataclass
class Drawing:
    """Lines of tokens, and what is drawn around them."""

    tokens: Sequence[str]
    lines: list[Line]
    width: float
    right_to_left: bool = False
    boxes: list[Box] = field(default_factory=list)
    arcs: list[Arc] = field(default_factory=list)
    heat: list[tuple[str, float, str]] = field(default_factory=list)
    targets: set[int] = field(default_factory=set)
    caption: str = ""


def to_svg(drawing: Drawing) -> str:
    """One element `svg`, with its style."""
    places = _places(drawing)
    segments = _segments(drawing, places)
    boxes: dict[int, list[Box]] = defaultdict(list)
    for box in drawing.boxes:
        for number in sorted({places[i][0] for i in range(box.start, box.end)}):
            boxes[number].append(box)
    parts, y = [], 0.0
    for number, line in enumerate(drawing.lines):
        y += GAP + STEP * _stack(segments[number], drawing.width)
        parts += [_arc(each, y, drawing.width) for each in segments[number]]
        levels = _box_levels(line, boxes[number])
        parts += _line(drawing, line, list(zip(boxes[number], levels, strict=True)), y)
        y += TEXT + LABEL * max(levels, default=1 if drawing.boxes else 0)
    below = _caption(drawing, y)
    y += STEP * len(below)
    width = drawing.width + 2 * EDGE
    size = f'viewBox="{-EDGE:g} 0 {width:g} {y + GAP:g}" width="{width:g}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="attn" {size}>',
            f"<style>{STYLE}</style>",
            *parts,
            *below,
            "</svg>",
        ]
    )


def label_width(label: str) -> float:
    """How much room the label of a box needs."""
    return BOLD * text_width(label, SMALL) + 2.0


def _caption(drawing: Drawing, y: float) -> list[str]:
    """Lines of small text below y."""
    words = drawing.caption.split()
    lines = lay_out(words, [True] * len(words), drawing.width * EM / SMALL)
    return [
        f'<text class="caption" x="0" y="{y + STEP * number:.1f}">'
        f"{markup(' '.join(words[i] for i in line.tokens))}</text>"
        for number, line in enumerate(lines, start=1)
    ]


def _places(drawing: Drawing) -> dict[int, tuple[int, float, float]]:
    """Line, left and right end of every token."""
    return {
        token: (number, start, start + width)
        for number, line in enumerate(drawing.lines)
        for token, start, width in zip(
            line.tokens, line.starts, line.widths, strict=True
        )
    }


def _segments(
    drawing: Drawing, places: dict[int, tuple[int, float, float]]
) -> dict[int, list[Segment]]:
    """The parts of all arcs, by line."""
    ends: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    for i, arc in enumerate(drawing.arcs):
        ends[arc.head].append((i, True))
        ends[arc.tail].append((i, False))
    x: dict[tuple[int, bool], tuple[int, float]] = {}
    for box, arcs in ends.items():
        first, last = drawing.boxes[box].start, drawing.boxes[box].end - 1
        line, *edges = places[first]
        other, *others = places[last]
        bounds = [*edges, *(others if other == line else ())]
        left, right = min(bounds), max(bounds)
        for place, end in enumerate(arcs, start=1):
            x[end] = line, left + (right - left) * place / (len(arcs) + 1)
    found: dict[int, list[Segment]] = defaultdict(list)
    for i, arc in enumerate(drawing.arcs):
        for line, segment in _parts(arc, x[i, True], x[i, False], drawing):
            found[line].append(segment)
    return found


def _parts(
    arc: Arc, head: tuple[int, float], tail: tuple[int, float], drawing: Drawing
) -> list[tuple[int, Segment]]:
    """One part on a line with both ends; else one from each of them to the edge."""
    if head[0] == tail[0]:
        forward = head[1] <= tail[1]
        left, right = sorted((head[1], tail[1]))
        arrows = (not forward, forward)
        about = arc.label, arc.title
        return [(head[0], Segment(left, right, (True, True), arrows, *about))]
    found = []
    for (line, x), other, is_tail in ((head, tail, False), (tail, head, True)):
        elsewhere = f"← {arc.texts[0]}" if is_tail else f"→ {arc.texts[1]}"
        about = f"{arc.label} {elsewhere}", arc.title
        if (other[0] > line) != drawing.right_to_left:  # to the right edge
            down, arrows = (True, False), (is_tail, False)
            segment = Segment(x, drawing.width, down, arrows, *about)
        else:
            down, arrows = (False, True), (False, is_tail)
            segment = Segment(0.0, x, down, arrows, *about)
        found.append((line, segment))
    return found


def _stack(segments: list[Segment], width: float) -> int:
    """Give parts that would cross levels of their own; returns how many there are."""
    extents = []
    for segment in segments:
        left, right = _label_place(segment, width)
        extents.append((min(segment.left, left) - 2, max(segment.right, right) + 2))
    levels = _levels(extents)
    for segment, level in zip(segments, levels, strict=True):
        segment.level = level
    return max(levels, default=0)


def _box_levels(line: Line, boxes: list[Box]) -> list[int]:
    """How many labels high the boxes on a line are: more than those within them."""
    first, end = line.tokens[0], line.tokens[-1] + 1
    return _levels([(max(box.start, first), min(box.end, end)) for box in boxes])


def _levels(extents: Sequence[tuple[float, float]]) -> list[int]:
    """Levels from 1, none with two extents that overlap, short ones on the first."""
    levels: list[list[tuple[float, float]]] = []
    found = [0] * len(extents)
    for i in sorted(range(len(extents)), key=lambda i: _length_and_left(extents[i])):
        left, right = extents[i]
        free = [
            number
            for number, there in enumerate(levels)
            if all(right <= begin or left >= end for begin, end in there)
        ]
        if not free:
            levels.append([])
        number = free[0] if free else len(levels) - 1
        found[i] = number + 1
        levels[number].append((left, right))
    return found


def _length_and_left(extent: tuple[float, float]) -> tuple[float, float]:
    return extent[1] - extent[0], extent[0]


def _label_place(segment: Segment, width: float) -> tuple[float, float]:
    """Left and right end of an arc's label: above its middle, inside the picture."""
    half = text_width(segment.label, SMALL) / 2 + 3.0
    middle = min((segment.left + segment.right) / 2, width - half)
    middle = max(middle, half)
    return middle - half, middle + half


def _arc(segment: Segment, y: float, width: float) -> str:
    """A part of an arc above a line whose tokens begin at y."""
    top, foot = y - STEP * segment.level + 6.0, y - 2.0
    left, right = segment.left, segment.right
    begin = f"M{left:.1f} {foot:.1f}V{top:.1f}" if segment.down[0] else ""
    begin = begin or f"M{left:.1f} {top:.1f}"
    path = f"{begin}H{right:.1f}" + (f"V{foot:.1f}" if segment.down[1] else "")
    parts = [f'<path class="arc" d="{path}"/>']
    for x, is_there in zip((left, right), segment.arrow, strict=True):
        if is_there:
            points = f"{x - 3.5:.1f},{foot - 6:.1f} {x + 3.5:.1f},{foot - 6:.1f}"
            parts.append(f'<polygon points="{points} {x:.1f},{foot:.1f}"/>')
    middle = sum(_label_place(segment, width)) / 2
    parts.append(
        f'<text class="arc-label" x="{middle:.1f}" y="{top - 2:.1f}">'
        f"{markup(segment.label)}</text>"
    )
    title = f"<title>{markup(segment.title)}</title>"
    return f'<g class="relation">{title}{"".join(parts)}</g>'


def _line(
    drawing: Drawing, line: Line, boxes: Iterable[tuple[Box, int]], y: float
) -> list[str]:
    """The tokens of a line that begins at y, and what is behind them.

    boxes: Each with its level.
    """
    place = dict(zip(line.tokens, line.cells, strict=True))
    parts = []
    inside: set[int] = set()
    for box, level in sorted(boxes, key=lambda pair: -pair[1]):  # the inner ones last
        height = TEXT + LABEL * level
        inside.update(range(box.start, box.end))
        here = [place[i] for i in range(box.start, box.end) if i in place]
        left, right = min(a for a, _ in here), max(b for _, b in here)
        parts.append(
            f'<g class="entity"><title>{markup(box.title)}</title>'
            f'<rect x="{left - 1:.1f}" y="{y:.1f}" width="{right - left + 2:.1f}" '
            f'height="{height - 2:.1f}" rx="3" fill="{escape(box.color)}"/>'
            f'<text class="label in" x="{left:.1f}" y="{y + height - 4:.1f}">'
            f"{markup(box.label)}</text></g>"
        )
    for token, start, width in zip(line.tokens, line.starts, line.widths, strict=True):
        text = drawing.tokens[token]
        if drawing.heat:
            color, opacity, title = drawing.heat[token]
            parts.append(
                f'<rect class="heat" x="{start:.1f}" y="{y:.1f}" width="{width:.1f}" '
                f'height="{TEXT:.1f}" rx="3" fill="{color}" '
                f'fill-opacity="{opacity:.2f}"><title>{title}</title></rect>'
            )
        if not text.isspace():
            parts.append(
                f'<text class="token{" in" * (token in inside)}" '
                f'x="{start:.1f}" y="{y + EM:.1f}" '
                f'textLength="{max(width, 1.0):.1f}" '
                f'lengthAdjust="spacingAndGlyphs">{markup(text)}</text>'
            )
    return parts + _outlines(drawing, line, y)


def _outlines(drawing: Drawing, line: Line, y: float) -> list[str]:
    """Around the tokens of a line that are explained, those side by side together."""
    runs: list[list[float]] = []
    last = None
    for token, start, width in zip(line.tokens, line.starts, line.widths, strict=True):
        if token not in drawing.targets:
            continue
        if last is None or token != last + 1:
            runs.append([start, start + width])
        runs[-1] = [min(runs[-1][0], start), max(runs[-1][1], start + width)]
        last = token
    return [
        f'<rect class="target" x="{left - 1:.1f}" y="{y:.1f}" '
        f'width="{right - left + 2:.1f}" height="{TEXT:.1f}" rx="3"/>'
        for left, right in runs
    ]
