"""Renaming entity labels and choosing categories while a corpus is converted."""

from collections.abc import Collection, Mapping

from spacy.tokens import Doc, Span

from ..relations import Relation, get_relations, has_relations, set_relations


def rename_entities(doc: Doc, names: Mapping[str, str]) -> None:
    """Rename entity labels, in the entities and in the arguments of relations.

    names: The new label of each old one; labels not named stay.
    """

    def rename(span: Span) -> Span:
        label = names.get(span.label_, span.label_)
        return Span(doc, span.start, span.end, label)

    ents = [rename(ent) for ent in doc.ents]
    relations = [
        Relation(rename(each.head), rename(each.tail), each.label, each.score)
        for each in get_relations(doc)
    ]
    doc.set_ents(ents, default="unmodified")
    if has_relations(doc):
        set_relations(doc, relations)


def keep_cats(doc: Doc, cats: Collection[str]) -> None:
    """Drop all categories but these."""
    doc.cats = {label: value for label, value in doc.cats.items() if label in cats}


def labels_before(labels: Collection[str], names: Mapping[str, str]) -> set[str]:
    """The labels that are among `labels` once they are renamed."""
    renamed = {old for old, new in names.items() if new in labels}
    return renamed | {label for label in labels if label not in names}
