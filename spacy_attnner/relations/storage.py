"""How a document keeps relations, read and written: in span groups and, as spaCy's
relation tutorial does, in its user data.

The tutorial's `.spacy` files, and what its component predicts, have `doc._.rel`:
{(first token of the head, first token of the tail): {label: score}}, for entities of
`doc.ents`. In gold annotation a score of 0 says that two entities are not related.
"""

from collections.abc import Iterable
from numbers import Integral
from typing import Any

from spacy.tokens import Doc, Span

from ..span_groups import (
    TRIPLES,
    AlignedSpanGroup,
    align_groups,
    group_spans,
    text_start,
)
from .relation import (
    Relation,
    check_free,
    check_new,
    check_relation,
    relation_key,
    span_key,
    stored_triples,
)

RELATIONS_KEY = "relations"
USER_DATA_KEY: Any = ("._.", "rel", None, None)  # where spaCy keeps `doc._.rel`
SHAPE = "{(head start, tail start): {label: score}}"
RelDict = dict[tuple[int, int], dict[str, float]]


def has_relations(doc: Doc, key: str | None = None) -> bool:
    """Whether the document carries relation annotation, be it an empty one.

    key: One span group; None for any, and for what spaCy's tutorial keeps in user data.
    """
    if key is None:
        return bool(relation_keys(doc)) or _has_tutorial_relations(doc)
    return key in doc.spans and TRIPLES in doc.spans[key].attrs


def relation_keys(doc: Doc) -> list[str]:
    """The keys of the span groups that hold relations."""
    return [key for key, group in doc.spans.items() if TRIPLES in group.attrs]


def get_relations(doc: Doc, key: str | None = None) -> list[Relation]:
    """Read the relations of a document, in the order they were set.

    Where tokens were merged or split since, arguments are found by their characters;
    one that ends inside a merged token takes all of it. Relations whose arguments thus
    became one and the same span are left out, and of those that became the same
    relation the one with the highest score stays.

    key: One span group; None for all of them together, a relation of several with its
        highest score. Without any, what spaCy's relation tutorial keeps in user data,
        `doc._.rel`, is read.

    Raises ValueError if what is stored is not what `set_relations`, or the tutorial,
    stores.
    """
    if key is not None:
        return _read(doc, key) if has_relations(doc, key) else []
    keys = relation_keys(doc)
    if not keys:
        return _read_tutorial_relations(doc)
    if len(keys) == 1:
        return _read(doc, keys[0])
    return _distinct([relation for each in keys for relation in _read(doc, each)])


def relations_by_key(doc: Doc) -> dict[str, list[Relation]]:
    """The relations of each span group; {} where there is no relation annotation."""
    keys = relation_keys(doc)
    if not keys and _has_tutorial_relations(doc):
        return {RELATIONS_KEY: _read_tutorial_relations(doc)}
    return {key: _read(doc, key) for key in keys}


def set_relations(
    doc: Doc, relations: Iterable[Relation], key: str | None = None
) -> None:
    """Store relations on a document, replacing those that were there.

    key: The span group that is replaced, the others stay; None to replace all of them
        by `doc.spans["relations"]`.

    Raises ValueError if an argument is empty or belongs to another document, if a
    label is no string or a score no number, if a relation's two arguments are the same
    span, if a relation is given twice, or if the span group holds something that is
    not relations.
    """
    group = _make_group(doc, relations, RELATIONS_KEY if key is None else key)
    if key is None:
        for other in relation_keys(doc):
            del doc.spans[other]
    doc.spans[group.name] = group
    align_groups(doc)  # the others, which a later component may merge tokens of


def add_relations(
    doc: Doc, relations: Iterable[Relation], key: str = RELATIONS_KEY
) -> None:
    """Store the relations that a document does not have yet, in any span group.

    key: The span group that they are added to.

    Raises ValueError as `set_relations` does.
    """
    there = get_relations(doc)
    known = set(map(relation_key, there))
    new = [each for each in relations if relation_key(each) not in known]
    own = get_relations(doc, key) if relation_keys(doc) else there
    set_relations(doc, [*own, *new], key)


def drop_relations(doc: Doc) -> None:
    """Take all relation annotation off a document, that of the tutorial, too."""
    for key in relation_keys(doc):
        del doc.spans[key]
    if _has_tutorial_relations(doc):
        del doc.user_data[USER_DATA_KEY]


def realign_relations(doc: Doc, key: str | None = None) -> int:
    """Make the span groups of this package follow the document's tokens.

    Those that it wrote do; what spaCy read from bytes, or from a `DocBin`, does once
    one of its functions has read it, or this one was called. Without it, spaCy's
    `doc.copy()`, `doc.to_bytes()`, `DocBin`, `doc.to_json()` and `Doc.from_docs` raise
    an error after tokens were merged. Where spaces are unknown, `DocBin` puts one
    between the parts of a split token, which moves all characters after it: split no
    tokens of such documents.

    key: One span group of relations; None for all.

    Returns how many relations were lost because merging made their arguments the same.
    """
    align_groups(doc)
    lost = 0
    for each in relation_keys(doc) if key is None else [key]:
        if has_relations(doc, each):
            n_stored = len(doc.spans[each].attrs[TRIPLES])
            relations = get_relations(doc, each)
            if len(relations) < n_stored:
                set_relations(doc, relations, each)
            lost += n_stored - len(relations)
    return lost


def _read(doc: Doc, key: str) -> list[Relation]:
    align_groups(doc)
    group = doc.spans[key]
    spans = group_spans(group)
    return _distinct(
        [
            Relation(spans[head], spans[tail], label, float(score))
            for head, tail, label, score in stored_triples(group, key)
        ]
    )


def _make_group(doc: Doc, relations: Iterable[Relation], key: str) -> AlignedSpanGroup:
    check_free(doc, key)
    spans: list[Span] = []
    index: dict[tuple[int, int, int], int] = {}
    triples: dict[tuple[int, int, str], float] = {}
    for relation in relations:
        check_relation(relation, doc)
        head, tail = (
            _index(span, spans, index) for span in (relation.head, relation.tail)
        )
        triple = head, tail, str(relation.label)
        check_new(relation, triple, triples)
        triples[triple] = float(relation.score)
    attrs = {TRIPLES: [[*triple, score] for triple, score in triples.items()]}
    return AlignedSpanGroup(doc, name=key, attrs=attrs, spans=spans)


def _distinct(relations: list[Relation]) -> list[Relation]:
    best: dict[tuple, Relation] = {}
    for each in relations:
        key = relation_key(each)
        known = best.get(key)
        if key[0] != key[1] and (known is None or known.score < each.score):
            best[key] = each
    return list(best.values())


def _index(span: Span, spans: list[Span], index: dict) -> int:
    """Where a span stands among the arguments; it is added if it is new."""
    key = span_key(span)
    if key not in index:
        index[key] = len(spans)
        spans.append(span)
    return index[key]


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
    set_relations(doc, _relations_of_dict(doc, rel))


def _has_tutorial_relations(doc: Doc) -> bool:
    """Whether the user data of a document has relations.

    What is no dictionary, or one of strings, is somebody else's attribute of that name.
    """
    rel = doc.user_data.get(USER_DATA_KEY)
    if not isinstance(rel, dict):
        return False
    return not rel or not all(isinstance(key, str) for key in rel)


def _read_tutorial_relations(doc: Doc) -> list[Relation]:
    """The relations in the user data of a document, [] without any.

    Raises ValueError if they have another shape than the tutorial's.
    """
    if not _has_tutorial_relations(doc):
        return []
    return _relations_of_dict(doc, doc.user_data[USER_DATA_KEY])


def _relations_of_dict(doc: Doc, rel: Any) -> list[Relation]:
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
