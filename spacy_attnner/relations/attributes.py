"""`doc._.relations`, and `doc._.rel` in the shape of spaCy's tutorial."""

from typing import Any

from spacy.tokens import Doc, Span

from .relation import Relation
from .storage import get_relations, set_relations

SHAPE = "{(head start, tail start): {label: score}}"
RelDict = dict[tuple[int, int], dict[str, float]]


def get_rel_dict(doc: Doc) -> RelDict:
    """`doc._.rel`: {(head start, tail start): {label: score}}, as spaCy's tutorial.

    Arguments that begin at the same token are told apart by `doc._.relations` alone:
    here the highest of their scores is given.
    """
    result: RelDict = {}
    for relation in get_relations(doc):
        pair = relation.head.start, relation.tail.start
        labels = result.setdefault(pair, {})
        known = labels.get(relation.label, relation.score)
        labels[relation.label] = max(known, relation.score)
    return result


def set_rel_dict(doc: Doc, rel: RelDict) -> None:
    """Set relations in the shape of spaCy's tutorial; keys are starts of `doc.ents`.

    Labels with a score of 0 are left out: in the tutorial's gold annotation they say
    that two entities are not related.

    Raises ValueError if `rel` has another shape, or if a key's token starts no entity.
    """
    starts = {ent.start: ent for ent in doc.ents}
    if not isinstance(rel, dict):
        raise ValueError(f"{rel!r} is not {SHAPE}")
    relations = []
    for pair, labels in rel.items():
        is_pair = isinstance(pair, tuple) and len(pair) == 2
        if not is_pair or not isinstance(labels, dict):
            raise ValueError(f"{{{pair!r}: {labels!r}}} is not {SHAPE}")
        head, tail = (_entity(start, starts) for start in pair)
        relations += [
            Relation(head, tail, label, score)
            for label, score in labels.items()
            if score != 0
        ]
    set_relations(doc, relations)


def _entity(start: Any, starts: dict[int, Span]) -> Span:
    if start not in starts:
        raise ValueError(
            f"relation argument {start} is not the first token of an entity; "
            f"entities of this document start at {sorted(starts)}"
        )
    return starts[start]


def register_extensions() -> None:
    """Register `doc._.relations` and `doc._.rel`, once."""
    if not Doc.has_extension("relations"):
        Doc.set_extension("relations", getter=get_relations, setter=set_relations)
    if not Doc.has_extension("rel"):
        Doc.set_extension("rel", getter=get_rel_dict, setter=set_rel_dict)
