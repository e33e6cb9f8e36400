"""Relations in the shape of spaCy's tutorial: `doc._.rel`."""

from spacy.tokens import Doc

from .storage import get_relations, set_relations
from .tutorial import RelDict, relations_of_dict


def get_rel(doc: Doc) -> RelDict:
    """`doc._.rel`: {(head start, tail start): {label: score}}, as spaCy's tutorial.

    Arguments that begin at the same token are told apart by `get_relations` alone:
    here the highest of their scores is given.
    """
    result: RelDict = {}
    for relation in get_relations(doc):
        pair = relation.head.start, relation.tail.start
        labels = result.setdefault(pair, {})
        known = labels.get(relation.label, relation.score)
        labels[relation.label] = max(known, relation.score)
    return result


def set_rel(doc: Doc, rel: RelDict) -> None:
    """Set relations in the shape of spaCy's tutorial; keys are starts of `doc.ents`.

    Labels with a score of 0 are left out: in the tutorial's gold annotation they say
    that two entities are not related.

    Raises ValueError if `rel` has another shape, or if a key's token starts no entity.
    """
    set_relations(doc, relations_of_dict(doc, rel))
