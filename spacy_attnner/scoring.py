"""Scorers: relations end to end, strict and by boundaries."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from spacy.scorer import PRFScore
from spacy.training import Example
from spacy.util import registry

from .relations import Relation, get_relations, has_relations


@registry.scorers("spacy-attnner.relation_scorer.v1")
def make_relation_scorer() -> Callable:
    """The scorer of `attn_rel`."""
    return score_relations


def score_relations(examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
    """Precision, recall and F1 of the relations of `doc._.relations`.

    A predicted relation counts as correct under *strict* scoring (Bekoulis et al. 2018)
    if both spans, both entity types, the label and the direction are right; under
    *boundaries*, if all but the entity types are. A gold relation that was not found
    is a miss, whether or not its pair was ever a candidate. Documents without relation
    annotation are left out.

    Returns `rel_p`, `rel_r`, `rel_f` (strict, micro), `rel_macro_f`, `rel_f_per_type`
    and `rel_boundaries_p`/`_r`/`_f`; None for all where nothing is annotated.
    """
    strict, boundaries = PRFScore(), PRFScore()
    per_type: dict[str, PRFScore] = {}
    annotated = False
    for example in examples:
        if not has_relations(example.reference):
            continue
        annotated = True
        gold = Counter(_key(r) for r in get_relations(example.reference))
        predicted = Counter(_key(r) for r in get_relations(example.predicted))
        _count(strict, predicted, gold)
        _count(boundaries, _untyped(predicted), _untyped(gold))
        for label in {key[-1] for key in (*gold, *predicted)}:
            score = per_type.setdefault(label, PRFScore())
            _count(score, _only(predicted, label), _only(gold, label))
    if not annotated:
        return dict.fromkeys(
            (
                *("rel_p", "rel_r", "rel_f", "rel_macro_f", "rel_f_per_type"),
                *("rel_boundaries_p", "rel_boundaries_r", "rel_boundaries_f"),
            )
        )
    macro = sum(s.fscore for s in per_type.values()) / max(1, len(per_type))
    return {
        "rel_p": strict.precision,
        "rel_r": strict.recall,
        "rel_f": strict.fscore,
        "rel_macro_f": macro,
        "rel_f_per_type": {k: per_type[k].to_dict() for k in sorted(per_type)},
        "rel_boundaries_p": boundaries.precision,
        "rel_boundaries_r": boundaries.recall,
        "rel_boundaries_f": boundaries.fscore,
    }


def _key(relation: Relation) -> tuple:
    head, tail = relation.head, relation.tail
    return (
        (head.start_char, head.end_char, head.label_),
        (tail.start_char, tail.end_char, tail.label_),
        relation.label,
    )


def _untyped(keys: Counter) -> Counter:
    return Counter((head[:2], tail[:2], label) for head, tail, label in keys)


def _only(keys: Counter, label: str) -> Counter:
    return Counter({key: n for key, n in keys.items() if key[-1] == label})


def _count(score: PRFScore, predicted: Counter, gold: Counter) -> None:
    correct = (predicted & gold).total()
    score.tp += correct
    score.fp += predicted.total() - correct
    score.fn += gold.total() - correct
