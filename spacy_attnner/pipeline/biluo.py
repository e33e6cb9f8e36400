"""Gold entities as the set of BILUO tags that each token may have."""

from collections.abc import Sequence

import numpy
from spacy.attrs import ENT_IOB, ENT_TYPE, ORTH
from spacy.training import Example

KINDS = {"B": 1, "I": 2, "L": 3, "U": 4}
# by whether the entity begins here and whether it ends here
KIND = {(True, True): "U", (True, False): "B", (False, True): "L", (False, False): "I"}


def allowed_tags(
    example: Example,
    labels: dict[str, int],
    name: str,
    lengths: numpy.ndarray | None = None,
) -> numpy.ndarray:
    """Tags that the annotation admits, shape (n_tokens, 4 * n_labels + 1), bool.

    A token without annotation, or whose entity does not align with the predicted
    tokens or crosses from one sequence into the next, admits every tag.

    labels: Number of each label. name: The component, for messages.
    lengths: Tokens of each sequence that is tagged by itself; the whole document if
        None.
    Raises ValueError for a label that the component does not know.
    """
    tags = gold_tags(example)
    allowed = numpy.zeros((len(tags), 4 * len(labels) + 1), dtype=bool)
    for i, tag in enumerate(_drop_crossing(tags, lengths)):
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


def incorrect_paths(
    example: Example,
    key: str,
    labels: dict[str, int],
    lengths: numpy.ndarray | None = None,
) -> list[numpy.ndarray]:
    """Tag paths through spans that are known not to be entities.

    A span without a label is no entity of any label; one with a label that the
    component does not know, that does not align with the predicted tokens, or that
    crosses from one sequence into the next, is left out.

    key: Span group of the reference. labels: Number of each label.
    lengths: As in `allowed_tags`.

    Returns an array for each span, shape (n_tokens, 4 * n_labels + 1), bool: at its
    tokens the tags that would make it an entity, elsewhere all.
    """
    reference = example.reference
    if key not in reference.spans or not len(example.predicted):
        return []
    paths = []
    ends = _ends(len(example.predicted), lengths)
    spans = list(reference.spans[key])
    for span in example.get_aligned_spans_y2x(spans, allow_overlap=True):
        names = [span.label_] if span.label_ else list(labels)
        crosses = bool(((ends > span.start) & (ends < span.end)).any())
        if crosses or not labels.keys() >= set(names):
            continue
        path = numpy.ones((len(example.predicted), 4 * len(labels) + 1), dtype=bool)
        path[span.start : span.end] = False
        for name in names:
            for i, tag in enumerate(entity_tags(len(span), name), span.start):
                path[i, 4 * labels[name] + KINDS[tag[0]]] = True
        paths.append(path)
    return paths


def gold_tags(example: Example) -> list[str | None]:
    """BILUO tags of the reference on the predicted tokens, None where unknown.

    spaCy's own alignment looks at each token of both documents; where the tokens are
    the same, which is nearly always so, the reference's arrays say it faster.
    """
    x, y = example.predicted, example.reference
    if len(x) != len(y) or (x.to_array(ORTH) != y.to_array(ORTH)).any():
        return list(example.get_aligned_ner())
    iob = [*y.to_array(ENT_IOB).tolist(), 2]
    types = y.to_array(ENT_TYPE).tolist()
    strings = y.vocab.strings
    tags: list[str | None] = []
    for i, entity in enumerate(types):
        if iob[i] == 0:
            tags.append(None)
        elif iob[i] == 2 or not entity:
            tags.append("O")
        else:
            kind = KIND[iob[i] == 3, iob[i + 1] != 1]
            tags.append(f"{kind}-{strings[entity]}")
    return tags


def entity_tags(length: int, label: str) -> list[str]:
    """BILUO tags of one entity."""
    kinds = [KIND[i == 0, i == length - 1] for i in range(length)]
    return [f"{kind}-{label}" for kind in kinds]


def drop_broken(tags: Sequence[str | None]) -> list[str | None]:
    """Forget known tags that no valid path joins, e.g. an L without its B.

    "-" and "B-", spaCy's marks for missing and blocked tokens, become None and O.
    """
    result = [{"-": None, "": None}.get(tag or "", tag) for tag in tags]
    result = ["O" if tag is not None and tag[1:] == "-" else tag for tag in result]
    padded: list[str | None] = ["O", *result, "O"]
    for i in range(1, len(padded)):
        right = padded[i]
        # one open tag joins all pairs but an open entity and the inside of another
        gap = 2 if padded[i - 1] is None else 1
        left = padded[i - gap] if i >= gap else None
        if left is None or right is None:
            continue
        opened = left[2:] if left[0] in "BI" else None
        inside = right[2:] if right[0] in "IL" else None
        if opened != inside and (gap == 1 or (opened and inside)):
            _forget(padded, i - gap, step=-1)
            _forget(padded, i, step=1)
    return padded[1:-1]


def _drop_crossing(
    tags: list[str | None], lengths: numpy.ndarray | None
) -> list[str | None]:
    """`drop_broken`, sequence by sequence."""
    ends = _ends(len(tags), lengths).tolist()
    starts = [0, *ends][: len(ends)]  # of an empty document, none
    return [
        tag
        for start, end in zip(starts, ends, strict=True)
        for tag in drop_broken(tags[start:end])
    ]


def _ends(n_tokens: int, lengths: numpy.ndarray | None) -> numpy.ndarray:
    """Where each sequence of a document ends, shape (n_sequences,)."""
    return numpy.array([n_tokens]) if lengths is None else numpy.cumsum(lengths)


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
