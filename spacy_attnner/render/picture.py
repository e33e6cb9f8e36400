"""Entities, relations and explanations as SVG: boxes, arcs and heat over the text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy.displacy.render import DEFAULT_LABEL_COLORS
from spacy.tokens import Doc, Span
from spacy.util import registry

from ..atomic import write_text
from ..confidence import get_confidence
from ..explain.explanation import Explanation
from ..relations import Relation, get_relations
from .heat import AGAINST, FOR, caption, targets_of
from .lines import direction_of, lay_out
from .svg import Arc, Box, Drawing, label_width, to_svg

WIDTH = 900.0  # pixels
LONGEST = 30  # characters of the text of an entity beside an arc
SAME = {"PER": "PERSON", "LOCATION": "LOC", "ORGANIZATION": "ORG", "PEOP": "PERSON"}
PALETTE = ("#7aecec", "#feca74", "#ff9561", "#bfeeb7", "#c887fb", "#9cc9cc", "#ffeb80")


@dataclass(frozen=True)
class Picture:
    """An SVG; notebooks show it, `save` writes it."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        """In a page, which lends its ink; Jupyter shows an SVG as an image."""
        return self.svg

    def save(self, path: str | Path, *, dark: bool = False) -> None:
        """Write it to a file, whole or not at all.

        dark: Light ink on dark paper. An image does not know the page that shows it, so
            that it has colours of its own.
        """
        ink, paper = ("#e4e8ee", "#0d1117") if dark else ("#1d2530", "#ffffff")
        style = f'style="color: {ink}; background: {paper}"'
        write_text(Path(path), self.svg.replace("<svg ", f"<svg {style} ", 1) + "\n")


def picture(
    what: Doc | Explanation,
    *,
    width: float = WIDTH,
    relations: Iterable[Relation] | None = None,
    spans_key: str = "",
    layers: Iterable[str] = (),
) -> Picture:
    """Draw a document's entities and relations, or an explanation.

    Entities have displaCy's colours, the stronger the higher their confidence is;
    relations are arcs from head to tail, cut at the edge where the two stand on
    different lines, with the other one's text beside their label; an explanation is
    heat over its tokens, orange for its target and blue against it. The tokens of the
    target are outlined, and what was asked stands below.

    width: In pixels.
    relations: Those to draw; all of the document if None.
    spans_key: Span group to draw instead of `doc.ents`.
    layers: Span groups to draw beside `doc.ents`.
    """
    if isinstance(what, Explanation):
        return Picture(to_svg(_of_explanation(what, width)))
    found = get_relations(what) if relations is None else list(relations)
    own = what.spans[spans_key] if spans_key else what.ents
    spans = [(span, spans_key) for span in own]
    others = [(span, key) for key in layers for span in what.spans.get(key, ())]
    return Picture(to_svg(_of_document(what, width, found, spans, others)))


def _of_explanation(explanation: Explanation, width: float) -> Drawing:
    tokens = explanation.tokens
    most = max((abs(weight) for weight in explanation.weights), default=0.0)
    rtl = _is_right_to_left(tokens)
    lines = lay_out(tokens, explanation.spaces, width, right_to_left=rtl)
    drawing = Drawing(tokens, lines, width, rtl)
    drawing.targets, drawing.caption = targets_of(explanation), caption(explanation)
    for weight in explanation.weights:
        share = 0.7 * abs(weight) / most if most else 0.0
        color = "rgb({}, {}, {})".format(*(FOR if weight > 0 else AGAINST))
        drawing.heat.append((color, share, f"{weight:.3f}"))
    return drawing


def _of_document(
    doc: Doc,
    width: float,
    relations: list[Relation],
    spans: list[tuple[Span, str]],
    others: list[tuple[Span, str]],
) -> Drawing:
    """Spans and relations, and others that are drawn where no span is the same.

    spans, others: Each with the key of its span group.
    """
    tokens, spaces = [t.text for t in doc], [bool(t.whitespace_) for t in doc]
    direction = doc.vocab.writing_system.get("direction")
    rtl = direction == "rtl" or _is_right_to_left(tokens)
    own = {(span.start, span.end, span.label_) for span, _ in spans}
    ends = [(span, "") for each in relations for span in (each.head, each.tail)]
    for span, key in (*others, *ends):
        if (span.start, span.end, span.label_) not in own:
            own.add((span.start, span.end, span.label_))
            spans.append((span, key))
    needs = [(span.start, span.end, label_width(span.label_)) for span, _ in spans]
    lines = lay_out(tokens, spaces, width, right_to_left=rtl, needs=needs)
    drawing = Drawing(tokens, lines, width, rtl)
    numbers = {}
    for span, key in spans:
        numbers[span.start, span.end, span.label_] = len(drawing.boxes)
        drawing.boxes.append(_box(span, key))
    for each in relations:
        pair = [each.head, each.tail]
        head, tail = (numbers[span.start, span.end, span.label_] for span in pair)
        title = f"{each.head.text} {each.label} {each.tail.text}, {each.score:.3f}"
        texts = _short(each.head.text), _short(each.tail.text)
        drawing.arcs.append(Arc(head, tail, each.label, title, texts))
    return drawing


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _box(span: Span, key: str) -> Box:
    confidence = get_confidence(span, key)
    title = span.label_ if confidence is None else f"{span.label_}, {confidence:.3f}"
    color = color_of(span.label_)
    if confidence is not None:
        color = _paler(color, 0.15 + 0.85 * confidence)
    return Box(span.start, span.end, span.label_, color, title)


def _paler(color: str, share: float) -> str:
    """A colour mixed with white; those that are not written #rrggbb stay."""
    try:
        parts = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    except ValueError:
        return color
    mixed = (round(255 + share * (part - 255)) for part in parts)
    return "#" + "".join(f"{part:02x}" for part in mixed)


def color_of(label: str) -> str:
    """displaCy's colour of a label; of those that it does not know one of its own."""
    known = dict(DEFAULT_LABEL_COLORS)
    others: Any = registry.displacy_colors.get_all()
    for colors in others.values():
        given: Any = colors() if callable(colors) else colors
        known.update(given)
    name = SAME.get(label.upper(), label.upper())
    return known.get(name, PALETTE[sum(map(ord, label)) % len(PALETTE)])


def _is_right_to_left(tokens: Sequence[str]) -> bool:
    """Whether the first letter that has a direction is of such a script."""
    return next(filter(("L", "R").__contains__, map(direction_of, tokens)), "L") == "R"
