"""What a relation is and how a `Doc` stores it.

Relations live in a span group, `doc.spans["relations"]`: the group holds the argument
spans and its `attrs["triples"]` one `[head, tail, label, score]` per relation, where
`head` and `tail` index the group's spans. Plain ints, strings and floats survive
`DocBin` (without `store_user_data`), `to_bytes` and multiprocessing.

A document without the group has *no relation annotation*; one with an empty group is
annotated as having no relation.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from spacy.tokens import Doc, Span, SpanGroup

RELATIONS_KEY = "relations"


@dataclass(frozen=True)
class Relation:
    """One directed, labelled relation between two spans of a document.

    head: The span that the relation starts from.
    tail: The span that it points at.
    label: Its type, e.g. "Work_For".
    score: Its probability, 1.0 for annotations.
    """

    head: Span
    tail: Span
    label: str
    score: float = 1.0


def has_relations(doc: Doc, key: str = RELATIONS_KEY) -> bool:
    """Whether the document carries relation annotation, be it an empty one."""
    return key in doc.spans and "triples" in doc.spans[key].attrs


def get_relations(doc: Doc, key: str = RELATIONS_KEY) -> list[Relation]:
    """Read the relations of a document, in the order they were set."""
    if not has_relations(doc, key):
        return []
    group = doc.spans[key]
    spans = list(group)
    return [
        Relation(spans[head], spans[tail], label, float(score))
        for head, tail, label, score in group.attrs["triples"]
    ]


def set_relations(
    doc: Doc, relations: Iterable[Relation], key: str = RELATIONS_KEY
) -> None:
    """Store relations on a document, replacing what was there.

    Raises ValueError if an argument belongs to another document, if a relation's two
    arguments are the same span, or if a triple is given twice.
    """
    spans: list[Span] = []
    index: dict[tuple[int, int, int], int] = {}
    triples: list[list[int | str | float]] = []
    seen: set[tuple[int, int, str]] = set()
    for relation in relations:
        ids = []
        for span in (relation.head, relation.tail):
            if span.doc is not doc:
                raise ValueError(
                    f"argument {span.text!r} of relation {relation.label!r} belongs to "
                    "another document; build it from this one: doc[start:end]"
                )
            span_key = (span.start, span.end, span.label)
            if span_key not in index:
                index[span_key] = len(spans)
                spans.append(span)
            ids.append(index[span_key])
        head, tail = ids
        if head == tail:
            raise ValueError(
                f"relation {relation.label!r} joins {relation.head.text!r} to itself"
            )
        if (head, tail, relation.label) in seen:
            raise ValueError(
                f"relation {relation.label!r} between {relation.head.text!r} and "
                f"{relation.tail.text!r} is given twice"
            )
        seen.add((head, tail, relation.label))
        triples.append([head, tail, relation.label, float(relation.score)])
    doc.spans[key] = SpanGroup(doc, name=key, attrs={"triples": triples}, spans=spans)


def get_rel_dict(doc: Doc) -> dict[tuple[int, int], dict[str, float]]:
    """`doc._.rel`: {(head start, tail start): {label: score}}, as spaCy's tutorial."""
    result: dict[tuple[int, int], dict[str, float]] = {}
    for rel in get_relations(doc):
        result.setdefault((rel.head.start, rel.tail.start), {})[rel.label] = rel.score
    return result


def set_rel_dict(doc: Doc, rel: dict[tuple[int, int], dict[str, float]]) -> None:
    """Set relations in the shape of spaCy's tutorial; keys are starts of `doc.ents`.

    Raises ValueError if a key's token starts no entity.
    """
    starts = {ent.start: ent for ent in doc.ents}
    for pair in rel:
        for start in pair:
            if start not in starts:
                raise ValueError(
                    f"relation argument {start} is not the first token of an entity; "
                    f"entities of this document start at {sorted(starts)}"
                )
    set_relations(
        doc,
        [
            Relation(starts[head], starts[tail], label, score)
            for (head, tail), labels in rel.items()
            for label, score in labels.items()
        ],
    )


def register_extensions() -> None:
    """Register `doc._.relations` and `doc._.rel`, once."""
    if not Doc.has_extension("relations"):
        Doc.set_extension("relations", getter=get_relations, setter=set_relations)
    if not Doc.has_extension("rel"):
        Doc.set_extension("rel", getter=get_rel_dict, setter=set_rel_dict)


register_extensions()
