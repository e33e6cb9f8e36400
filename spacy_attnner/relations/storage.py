"""Relations in span groups: reading and writing."""

from collections.abc import Iterable

from spacy.tokens import Doc, Span

from ..span_groups import TRIPLES, AlignedSpanGroup, align_groups, group_spans
from .checks import check_free, check_new, check_relation, stored_triples
from .relation import Relation, relation_key, span_key
from .tutorial import USER_DATA_KEY, has_tutorial_relations, read_tutorial_relations

RELATIONS_KEY = "relations"


def has_relations(doc: Doc, key: str | None = None) -> bool:
    """Whether the document carries relation annotation, be it an empty one.

    key: One span group; None for any, and for what spaCy's tutorial keeps in user data.
    """
    if key is None:
        return bool(relation_keys(doc)) or has_tutorial_relations(doc)
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
        return read_tutorial_relations(doc)
    if len(keys) == 1:
        return _read(doc, keys[0])
    return _distinct([relation for each in keys for relation in _read(doc, each)])


def relations_by_key(doc: Doc) -> dict[str, list[Relation]]:
    """The relations of each span group; {} where there is no relation annotation."""
    keys = relation_keys(doc)
    if not keys and has_tutorial_relations(doc):
        return {RELATIONS_KEY: read_tutorial_relations(doc)}
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
    if has_tutorial_relations(doc):
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
