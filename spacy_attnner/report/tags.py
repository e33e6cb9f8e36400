"""The table of IOB2 tags, one unit a token."""

from collections import Counter
from collections.abc import Iterable, Sequence

from .comparison import Comparison, Entity
from .scores import ScoreTable, score_labels

OUTSIDE = "O"


def score_tags(comparisons: Iterable[Comparison]) -> ScoreTable:
    """Scores of B-LOC, I-LOC, …, O; the micro average is the accuracy.

    Tokens whose annotation is missing are left out.
    """
    correct: Counter[str] = Counter()
    predicted: Counter[str] = Counter()
    gold: Counter[str] = Counter()
    for comparison in comparisons:
        for gold_tag, predicted_tag in tag_pairs(comparison):
            gold[gold_tag] += 1
            predicted[predicted_tag] += 1
            correct[gold_tag] += gold_tag == predicted_tag
    labels = sorted({*gold, *predicted}, key=_order)
    return score_labels(labels, correct, predicted, gold)


def tag_pairs(comparison: Comparison) -> list[tuple[str, str]]:
    """Gold and predicted tag of every annotated token of a document."""
    n_tokens = len(comparison.doc)
    gold = iob2_tags(comparison.gold, n_tokens)
    found = sorted(
        (*comparison.predicted, *comparison.ignored), key=lambda entity: entity.start
    )
    predicted = iob2_tags(found, n_tokens)
    return [
        (gold[token.i], predicted[token.i])
        for token in comparison.doc
        if token.ent_iob != 0
    ]


def iob2_tags(entities: Sequence[Entity], n_tokens: int) -> list[str]:
    """One tag a token: B- begins an entity, I- goes on with it, O is outside.

    Where tokens differ from the gold ones two predictions can fall on the same token;
    the first keeps it.
    """
    tags = [OUTSIDE] * n_tokens
    for entity in entities:
        inside = range(entity.start, entity.end)
        if all(tags[i] == OUTSIDE for i in inside):
            for i in inside:
                tags[i] = f"I-{entity.label}"
            tags[entity.start] = f"B-{entity.label}"
    return tags


def _order(tag: str) -> tuple[bool, str, str]:
    return tag == OUTSIDE, tag[2:], tag[:1]
