"""Renaming entity labels and choosing categories while a corpus is converted."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from spacy.tokens import Doc, Span

from ..relations import Relation, get_relations, has_relations, set_relations
from .errors import CorpusError


def relabel(
    docs: Iterable[Doc],
    path: str | Path,
    names: Mapping[str, str],
    cats: Collection[str] | None,
) -> Iterator[Doc]:
    """Rename entity labels and choose categories of a whole corpus.

    path: The file that the documents come from.
    names: The new label of each old one; labels not named stay.
    cats: Keep only these; None keeps all.

    Raises CorpusError at the end if a name or a category never occurred.
    """
    ent_labels: set[str] = set()
    cat_labels: set[str] = set()
    for doc in docs:
        ent_labels.update(ent.label_ for ent in doc.ents)
        cat_labels.update(doc.cats)
        if names:
            rename_entities(doc, names)
        if cats:
            keep_cats(doc, cats)
        yield doc
    for wanted, there, option in (
        (names, ent_labels, "--map-labels"),
        (cats or (), cat_labels, "--cats"),
    ):
        unknown = set(wanted) - there
        if unknown:
            listed = ", ".join(sorted(unknown))
            known = ", ".join(sorted(there)) or "none"
            message = f"{option} names {listed}, but the labels there are: {known}"
            raise CorpusError(path, None, message)


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
