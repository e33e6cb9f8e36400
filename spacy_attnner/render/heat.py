"""Explanations as heat over the tokens of a text."""

from collections.abc import Iterator
from itertools import pairwise

from ..explain.explanation import Explanation
from .page import markup

# what speaks for the target, and what against it; both read on light and on dark
FOR, AGAINST = (232, 135, 58), (66, 105, 208)
CSS = """
.heat { line-height: 2.1; overflow-wrap: anywhere; margin-bottom: 1.4rem; }
.heat details { display: inline; }
.heat summary { display: inline; cursor: pointer; color: var(--soft); }
.heat span { border-radius: 3px; padding: .12em 0; }
.heat .target { outline: 1.5px solid currentColor; }
"""
DECIMALS = 3
QUIET = 0.02  # share of the largest weight that cannot be seen
LONG, CONTEXT = 80, 20  # tokens: of a quiet stretch that is folded, and left around it


def heat(explanation: Explanation) -> str:
    """A paragraph of HTML, whose tokens are shaded by their weights.

    Orange speaks for the target, blue against it; the strongest shade is that of the
    largest weight. Tokens of an entity, of a head and of a tail are outlined. A token's
    title is its weight. Long stretches that do not count are folded.
    """
    most = max((abs(weight) for weight in explanation.weights), default=0.0)
    targets = targets_of(explanation)
    parts = []
    for i, token in enumerate(explanation.tokens):
        parts.append(_token(token, explanation.weights[i], most, i in targets))
        if explanation.spaces[i]:
            parts[-1] += " "
    counts = [
        i in targets or abs(weight) > QUIET * most
        for i, weight in enumerate(explanation.weights)
    ]
    for start, end in _quiet(counts):
        fold = f'<details><summary dir="ltr">… {end - start} tokens …</summary>'
        parts[start] = fold + parts[start]
        parts[end - 1] += "</details> "
    return f'<div class="heat" dir="auto">{"".join(parts)}</div>'


def _quiet(counts: list[bool]) -> Iterator[tuple[int, int]]:
    """Start and end of what is folded: long stretches of tokens that do not count, but
    for what stands beside a token that does.
    """
    places = [i for i, each in enumerate(counts) if each]
    for before, after in pairwise([None, *places, None]):
        start = 0 if before is None else before + 1 + CONTEXT
        end = len(counts) if after is None else after - CONTEXT
        if places and end - start >= LONG:
            yield start, end


def caption(explanation: Explanation) -> str:
    """What is explained, how probable it is, and how that was found, as plain text."""
    target = explanation.target
    words = [explanation.component + ":", target["kind"], target["label"]]
    if target["kind"] == "entity":
        words.append(f"“{_text(explanation, target['start'], target['end'])}”")
    if target["kind"] == "relation":
        head, tail = (_text(explanation, *target[end]) for end in ("head", "tail"))
        words.append(f"from “{head}” to “{tail}”")
    found = f", probability {explanation.probability:.3f}"
    method = explanation.method.replace("_", " ")
    if explanation.error is not None:
        method += f", completeness error {100 * explanation.error:.1f} %"
    return " ".join(words) + found + f" ({method})"


def targets_of(explanation: Explanation) -> set[int]:
    """Tokens of the spans that are explained."""
    target = explanation.target
    if target["kind"] == "entity":
        return set(range(target["start"], target["end"]))
    if target["kind"] == "relation":
        return {i for end in ("head", "tail") for i in range(*target[end])}
    return set()


def _text(explanation: Explanation, start: int, end: int) -> str:
    pairs = zip(explanation.tokens, explanation.spaces, strict=True)
    text = "".join(token + " " * space for token, space in list(pairs)[start:end])
    return text.strip()


def _token(text: str, weight: float, most: float, is_target: bool) -> str:
    share = abs(weight) / most if most else 0.0
    color = ", ".join(map(str, FOR if weight > 0 else AGAINST))
    style = f' style="background: rgba({color}, {0.7 * share:.2f})"' if share else ""
    kind = ' class="target"' if is_target else ""
    title = f' title="{weight:.{DECIMALS}f}"'
    return f"<span{kind}{title}{style}>{markup(text)}</span>"
