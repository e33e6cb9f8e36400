"""Gold entities as the set of BILUO tags that each token may have."""

from collections.abc import Sequence

import numpy
from spacy.training import Example

KINDS = {"B": 1, "I": 2, "L": 3, "U": 4}


def allowed_tags(example: Example, labels: dict[str, int], name: str) -> numpy.ndarray:
    """Tags that the annotation admits, shape (n_tokens, 4 * n_labels + 1), bool.

    A token without annotation, or whose entity does not align with the predicted
    tokens, admits every tag.

    labels: Number of each label. name: The component, for messages.
    Raises ValueError for a label that the component does not know.
    """
    tags = example.get_aligned_ner()
    allowed = numpy.zeros((len(tags), 4 * len(labels) + 1), dtype=bool)
    for i, tag in enumerate(drop_broken(tags)):
        if tag is None:
            allowed[i] = True
        elif tag == "O":
            allowed[i, 0] = True
        else:
            kind, label = tag.split("-", 1)
            if label not in labels:
                raise ValueError(_unknown_label(example, label, labels, name))
            allowed[i, 4 * labels[label] + KINDS[kind]] = True
    return allowed


def drop_broken(tags: Sequence[str | None]) -> list[str | None]:
    """Forget known tags that no valid path joins, e.g. an L without its B.

    "-" and "B-", spaCy's marks for missing and blocked tokens, become None and O.
    """
    result = [{"-": None, "": None}.get(tag or "", tag) for tag in tags]
    result = ["O" if tag is not None and tag[1:] == "-" else tag for tag in result]
    padded: list[str | None] = ["O", *result, "O"]
    for i in range(1, len(padded)):
        left, right = padded[i - 1], padded[i]
        if left is None or right is None:
            continue
        opened = left[2:] if left[0] in "BI" else None
        inside = right[2:] if right[0] in "IL" else None
        if opened != inside:
            _forget(padded, i - 1, step=-1)
            _forget(padded, i, step=1)
    return padded[1:-1]


def _forget(tags: list[str | None], start: int, step: int) -> None:
    """Blank the rest of the entity that reaches `start` from the side of `step`."""
    stop = "B" if step < 0 else "L"
    i = start
    while 0 < i < len(tags) - 1:
        tag = tags[i]
        if tag is None or tag[0] in "OU":
            return
        tags[i] = None
        if tag[0] == stop:
            return
        i += step


def _unknown_label(
    example: Example, label: str, labels: dict[str, int], name: str
) -> str:
    texts = [ent.text for ent in example.reference.ents if ent.label_ == label]
    return (
        f"entity {texts[0]!r} has the label {label!r}, which {name!r} does not know; "
        f"it knows {sorted(labels)}: correct the annotation, or call "
        f"add_label({label!r})"
    )
