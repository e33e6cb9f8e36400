"""What explains a prediction: on its own, on a document, as plain data."""

from dataclasses import asdict, dataclass
from typing import Any

from spacy.tokens import Doc, SpanGroup

from ..span_groups import AlignedSpanGroup

KEY = "explanations"
PARTS = {"tokens": str, "spaces": bool, "weights": (float, int)}  # one of each a token


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
        for name, kind in PARTS.items():
            values = getattr(found, name)
            if not isinstance(values, list) or not all(
                isinstance(each, kind) for each in values
            ):
                raise ValueError(f"the {name} of an explanation are {values!r:.80}")
        n = len(found.tokens)
        if not len(found.weights) == len(found.spaces) == n:
            raise ValueError(
                f"an explanation has {n} tokens and {len(found.weights)} weights"
            )
        return found


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
