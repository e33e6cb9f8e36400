"""What explains a prediction: on its own, on a document, as plain data."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from spacy.tokens import Doc, SpanGroup

from ..span_groups import AlignedSpanGroup

KEY = "explanations"


def _is_number(value: Any) -> bool:
    return type(value) in (float, int) and math.isfinite(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool)


# what each is, of which there is one a token
PARTS = {"tokens": _is_text, "spaces": _is_truth, "weights": _is_number}
FIELDS: dict[str, Callable[[Any], bool]] = {
    "component": _is_text,
    "method": _is_text,
    "probability": _is_number,
    "error": lambda value: value is None or _is_number(value),
}


@dataclass(frozen=True)
class Explanation:
    """How much each token of a document counts for a probability.

    component: Name of the component whose probability it is.
    target: What was explained, as plain data: its `kind` ("category", "entity" or
        "relation") and `label`, with `start` and `end` of an entity, and `head` and
        `tail` of a relation, [start, end] each, in tokens.
    probability: Of the target.
    method: How it was found.
    tokens: The texts of the tokens.
    spaces: Whether a space follows each of them.
    weights: Of each token; positive ones speak for the target.
    error: Of integrated gradients, what the weights lack of adding up to the difference
        that the tokens make, as a share of it, or of 0.01 if it is less; else None.
    """

    component: str
    target: dict[str, Any]
    probability: float
    method: str
    tokens: list[str]
    spaces: list[bool]
    weights: list[float]
    error: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Explanation":
        """Of what `to_json` gave, or of a line that `spacy attn explain` wrote, without
        its `doc`; raises ValueError if it is something else.
        """
        try:
            found = cls(**{key: value for key, value in data.items() if key != "doc"})
        except (AttributeError, TypeError) as error:
            raise ValueError(f"{data!r:.80} is no explanation: {error}") from error
        for name, is_one in PARTS.items():
            values = getattr(found, name)
            if not isinstance(values, list) or not all(map(is_one, values)):
                raise ValueError(f"the {name} of an explanation are {values!r:.80}")
        n = len(found.tokens)
        if not len(found.weights) == len(found.spaces) == n:
            raise ValueError(
                f"an explanation has {n} tokens and {len(found.weights)} weights"
            )
        for name, is_one in FIELDS.items():
            value = getattr(found, name)
            if not is_one(value):
                raise ValueError(f"the {name} of an explanation is {value!r:.80}")
        if not _is_target(found.target, n):
            raise ValueError(
                f"the target of an explanation of {n} tokens is {found.target!r:.80}"
            )
        return found


def _is_target(value: Any, n: int) -> bool:
    """Whether it is what `Explanation` calls a target, of a document of n tokens."""
    if not isinstance(value, dict) or not isinstance(value.get("label"), str):
        return False
    spans = {
        "category": [],
        "entity": [[value.get("start"), value.get("end")]],
        "relation": [value.get("head"), value.get("tail")],
    }.get(str(value.get("kind")))
    return spans is not None and all(_is_span(each, n) for each in spans)


def _is_span(value: Any, n: int) -> bool:
    places = value if isinstance(value, list | tuple) else ()
    if len(places) != 2 or any(type(each) is not int for each in places):
        return False
    return 0 <= places[0] < places[1] <= n


def set_explanations(doc: Doc, explanations: list[Explanation]) -> None:
    """Keep explanations with a document, in place of those that it has.

    They survive `DocBin` and `to_bytes`, as attributes of `doc.spans["explanations"]`.
    Raises ValueError where that group is something else.
    """
    group = doc.spans.get(KEY)
    if group is not None and KEY not in group.attrs:
        raise ValueError(f"doc.spans[{KEY!r}] is somebody else's: rename that group")
    attrs = {KEY: [each.to_json() for each in explanations]}
    doc.spans[KEY] = AlignedSpanGroup(doc, name=KEY, attrs=attrs, spans=[])


def get_explanations(doc: Doc) -> list[Explanation]:
    """The explanations that are kept with a document."""
    group: SpanGroup | None = doc.spans.get(KEY)
    stored = [] if group is None else group.attrs.get(KEY, [])
    return [Explanation.from_json(each) for each in stored]
