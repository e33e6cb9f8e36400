"""Relations as spaCy's relation tutorial keeps them, in the user data of documents.

Its `.spacy` files, and what its component predicts, have `doc._.rel`: {(first token of
the head, first token of the tail): {label: score}}, for entities of `doc.ents`. In gold
annotation a score of 0 says that two entities are not related.
"""

from numbers import Integral
from typing import Any

from spacy.tokens import Doc, Span

from ..span_groups import text_start
from .checks import check_relation
from .relation import Relation

USER_DATA_KEY: Any = ("._.", "rel", None, None)  # where spaCy keeps `doc._.rel`
SHAPE = "{(head start, tail start): {label: score}}"
RelDict = dict[tuple[int, int], dict[str, float]]


def has_tutorial_relations(doc: Doc) -> bool:
    """Whether the user data of a document has relations.

    What is no dictionary, or one of strings, is somebody else's attribute of that name.
    """
    rel = doc.user_data.get(USER_DATA_KEY)
    if not isinstance(rel, dict):
        return False
    return not rel or not all(isinstance(key, str) for key in rel)


def read_tutorial_relations(doc: Doc) -> list[Relation]:
    """The relations in the user data of a document, [] without any.

    Raises ValueError if they have another shape than the tutorial's.
    """
    if not has_tutorial_relations(doc):
        return []
    return relations_of_dict(doc, doc.user_data[USER_DATA_KEY])


def relations_of_dict(doc: Doc, rel: Any) -> list[Relation]:
    """Relations in the shape of spaCy's tutorial, without those that score 0.

    Raises ValueError if `rel` has another shape, or if a key's token starts no entity.
    """
    try:
        if not isinstance(rel, dict):
            raise ValueError(f"{rel!r} is not {SHAPE}")
        starts = {ent.start: ent for ent in doc.ents}
        return [
            relation
            for pair, labels in rel.items()
            for relation in _relations_of_pair(doc, pair, labels, starts)
        ]
    except ValueError as error:
        raise ValueError(f"doc._.rel of {text_start(doc)}: {error}") from error


def _relations_of_pair(
    doc: Doc, pair: Any, labels: Any, starts: dict[int, Span]
) -> list[Relation]:
    is_pair = isinstance(pair, tuple) and len(pair) == 2
    if not is_pair or not isinstance(labels, dict):
        raise ValueError(f"{{{pair!r}: {labels!r}}} is not {SHAPE}")
    scored = {label: score for label, score in labels.items() if score != 0}
    if not scored:
        return []
    head, tail = (_entity(start, starts) for start in pair)
    if head is tail:
        raise ValueError(
            f"relation {next(iter(scored))!r} joins {head.text!r} to itself"
        )
    relations = [Relation(head, tail, *each) for each in scored.items()]
    for relation in relations:
        check_relation(relation, doc)
    return relations


def _entity(start: Any, starts: dict[int, Span]) -> Span:
    if not isinstance(start, Integral) or start not in starts:
        raise ValueError(
            f"relation argument {start} is not the first token of an entity; "
            f"entities of this document start at {sorted(starts)}"
        )
    return starts[int(start)]
