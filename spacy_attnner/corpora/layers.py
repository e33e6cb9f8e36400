"""Layers of entities: span groups of entities by other guidelines, beside `doc.ents`.

A file has one layer, in `doc.ents`; KEY=FILE on the command line says that it is that
of the span group KEY.
"""

from pathlib import Path

from spacy.language import Language
from spacy.training import Example

from ..errors import UserError


def split_layer(given: Path | str) -> tuple[Path, str]:
    """A file, and the span group that its entities are of: of KEY=FILE; "" if they are
    those of `doc.ents`.
    """
    key, equals, path = str(given).partition("=")
    if not equals or Path(given).exists():
        return Path(given), ""
    return Path(path), key


def check_layer(nlp: Language, given: Path | str, layer: str) -> None:
    """Raises UserError for a span group that no component sets.

    given: What named it.
    """
    settings = (getattr(pipe, "cfg", {}) for _, pipe in nlp.pipeline)
    keys = [each.get("spans_key") for each in settings if not each.get("set_ents")]
    known = list(filter(None, keys))
    if layer and layer not in known:
        raise UserError(
            f"no component sets the span group {layer!r}, as {given} says",
            f"The groups are {', '.join(known) or 'none'}; of a file whose entities "
            "are in doc.ents, leave out the name before =.",
        )


def move_entities(example: Example, key: str) -> None:
    """Put entities into a span group; what else there is of entities is missing."""
    for doc in (example.reference, example.predicted):
        if doc.has_annotation("ENT_IOB"):
            doc.spans[key] = list(doc.ents)
            doc.set_ents([], default="missing")
