"""What a pipeline found in a text: a row of an answer."""

from typing import Any

from spacy.tokens import Doc

from ..export.found import category_records, entity_records, relation_records


def answer_of(doc: Doc, id: str | int | None = None) -> dict[str, Any]:
    """A document that a pipeline has read, in types that JSON knows.

        {"id": 7, "text": "…", "entities": […], "relations": […], "cats": {"news": 0.9}}

    `id` is there if one is given; the others are those of `export.found`.

    Raises ValueError for a probability that is no finite number.
    """
    row: dict[str, Any] = {} if id is None else {"id": id}
    return row | {
        "text": doc.text,
        "entities": entity_records(doc),
        "relations": relation_records(doc),
        "cats": category_records(doc),
    }
