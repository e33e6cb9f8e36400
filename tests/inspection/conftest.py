"""Annotated documents in a line each. All sentences are invented."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab

from spacy_attnner.inspection.finding import Finding
from spacy_attnner.inspection.look import Inspection, inspect_data
from spacy_attnner.relations import Relation, set_relations

VOCAB = Vocab()


def make_doc(
    text: str,
    ents: Sequence[tuple[int, int, str]] | None = None,
    rels: Iterable[tuple[int, int, str]] | None = None,
    cats: dict[str, float] | None = None,
    name: str | None = None,
) -> Doc:
    """Words are between single spaces, an empty one is a whitespace token; `|` begins a
    sentence.

    ents: First word, end, label. rels: Entity, entity, label.
    """
    parts = text.split(" ")
    words = [part.lstrip("|") or " " for part in parts]
    doc = Doc(VOCAB, words=words)
    if "|" in text:
        for token, part in zip(doc, parts, strict=True):
            token.is_sent_start = part.startswith("|")
    if ents is not None:
        doc.set_ents([Span(doc, *ent) for ent in ents], default="outside")
    if rels is not None:
        spans = [Span(doc, *ent) for ent in ents or ()]
        found = [Relation(spans[head], spans[tail], rel) for head, tail, rel in rels]
        set_relations(doc, found)
    doc.cats = cats or {}
    if name is not None:
        doc.user_data["id"] = name
    return doc


@pytest.fixture
def store(tmp_path: Path) -> Callable[..., Path]:
    """`store(docs, "train")`: the file that holds them."""

    def write(docs: Iterable[Doc], name: str = "train") -> Path:
        path = tmp_path / f"{name}.spacy"
        DocBin(docs=docs, store_user_data=True).to_disk(path)
        return path

    return write


@pytest.fixture
def look(store) -> Callable[..., Inspection]:
    """`look(train, dev, test)` at lists of documents."""

    def inspect(*splits: Iterable[Doc], **settings) -> Inspection:
        names = ("train", "dev", "test")
        paths = [store(docs, name) for docs, name in zip(splits, names, strict=False)]
        return inspect_data(paths, **settings)

    return inspect


def finding_of(found: Inspection, kind: str) -> Finding:
    """The one finding of a kind."""
    (finding,) = (each for each in found.findings if each.kind == kind)
    return finding


def kinds_of(found: Inspection) -> set[str]:
    return {each.kind for each in found.findings}
