"""Gold entities as the set of BILUO tags that each word may have.

Words are all tokens but whitespace, which no entity begins or ends with: annotated
entities that do so are trimmed to their words.
"""

from collections.abc import Sequence

import numpy
from spacy.attrs import ENT_IOB, ENT_TYPE, ORTH
from spacy.training import Example

from ..annotated import ENTITIES, annotated_labels
from ..words import words_before, words_of

INSIDE = ("B-", "I-", "L-", "U-")
KINDS = {"B": 1, "I": 2, "L": 3, "U": 4}
# by whether the entity begins here and whether it ends here
KIND = {(True, True): "U", (True, False): "B", (False, True): "L", (False, False): "I"}


def allowed_tags(
    example: Example,
    labels: dict[str, int],
    name: str,
    lengths: numpy.ndarray | None = None,
) -> numpy.ndarray:
    """Tags that the annotation admits, shape (n_words, 4 * n_labels + 1), bool.

    A word without annotation, or whose entity does not align with the predicted
    tokens or crosses from one sequence into the next, admits every tag. A word outside
    of all entities admits those of labels that were not looked for in the document
    (`annotated.py`).

    labels: Number of each label. name: The component, for messages.
    lengths: Words of each sequence that is tagged by itself; the whole document if
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
    looked_for = annotated_labels(example.reference, ENTITIES)
    if looked_for is not None:
        others = numpy.array([label not in looked_for for label in labels], dtype=bool)
        columns = numpy.concatenate([[False], numpy.repeat(others, 4)])
        allowed[numpy.ix_(allowed[:, 0], columns)] = True
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

    Returns an array for each span, shape (n_words, 4 * n_labels + 1), bool: at its
    words the tags that would make it an entity, elsewhere all.
    """
    reference = example.reference
    before = words_before(example.predicted)
    n_words = int(before[-1])
    if key not in reference.spans or not n_words:
        return []
    paths = []
    ends = _ends(n_words, lengths)
    spans = list(reference.spans[key])
    for span in example.get_aligned_spans_y2x(spans, allow_overlap=True):
        names = [span.label_] if span.label_ else list(labels)
        start, end = before[[span.start, span.end]].tolist()
        crosses = bool(((ends > start) & (ends < end)).any())
        if start == end or crosses or not labels.keys() >= set(names):
            continue
        path = numpy.ones((n_words, 4 * len(labels) + 1), dtype=bool)
        path[start:end] = False
        for name in names:
            for i, tag in enumerate(entity_tags(end - start, name), start):
                path[i, 4 * labels[name] + KINDS[tag[0]]] = True
        paths.append(path)
    return paths


def gold_tags(example: Example) -> list[str | None]:
    """BILUO tags of the reference on the predicted words, None where unknown.

    spaCy's own alignment looks at each token of both documents; where the tokens are
    the same, which is nearly always so, the reference's arrays say it faster.
    """
    words = words_of(example.predicted)
    tags = _token_tags(example)
    return tags if words is None else _tags_of_words(tags, words)


def _token_tags(example: Example) -> list[str | None]:
    """The same on the predicted tokens, whitespace among them."""
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


def _tags_of_words(
    tags: Sequence[str | None], words: numpy.ndarray
) -> list[str | None]:
    """BILUO tags without those of whitespace, whatever of an entity stood there.

    words: Which tokens are words, bool, shape (n_tokens,).
    """
    begins = [tag is not None and tag[:2] in ("B-", "U-") for tag in tags]
    entities = numpy.cumsum(begins)[words].tolist()
    kept = [tag for tag, is_word in zip(tags, words, strict=True) if is_word]
    places = [
        n if tag is not None and tag[:2] in INSIDE and tag[2:] else None
        for n, tag in zip(entities, kept, strict=True)
    ]
    padded = [None, *places, None]
    result: list[str | None] = []
    for tag, left, own, right in zip(kept, padded, places, padded[2:], strict=False):
        if tag is not None and own is not None:
            tag = f"{KIND[left != own, right != own]}-{tag[2:]}"
        result.append(tag)
    return result


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


def _ends(n_words: int, lengths: numpy.ndarray | None) -> numpy.ndarray:
    """Where each sequence of a document ends, shape (n_sequences,)."""
    return numpy.array([n_words]) if lengths is None else numpy.cumsum(lengths)


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
