"""Which labels were looked for in a document: those that it lacks may be missing.

Of several corpora, each annotates some labels. A document of one that knows no diseases
does not say that there is none in it.
"""

from collections.abc import Iterable

from spacy.tokens import Doc

KEY = "annotated_labels"
ENTITIES, RELATIONS = "entities", "relations"


def layer(spans_key: str) -> str:
    """The kind of the entities in a span group, a layer beside `doc.ents`."""
    return f"{ENTITIES} in {spans_key}"


def annotated_labels(doc: Doc, kind: str) -> frozenset[str] | None:
    """The labels that were looked for; None if that is all there are.

    kind: `ENTITIES`, `RELATIONS` or a `layer`.
    """
    labels = doc.user_data.get(KEY, {}).get(kind)
    return None if labels is None else frozenset(labels)


def set_annotated_labels(doc: Doc, kind: str, labels: Iterable[str]) -> None:
    """Say which labels were looked for in a document."""
    doc.user_data[KEY] = {**doc.user_data.get(KEY, {}), kind: sorted(labels)}
