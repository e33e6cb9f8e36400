"""Attention-based entities, relations and text categories for spaCy.

The components, architectures, readers and scorers are registered through entry
points: installing the package makes them available to every spaCy config. Nothing else
happens before one of them is used.
"""

from importlib.metadata import version

from .confidence import get_confidence, set_confidences
from .extensions import register_extensions
from .relations import (
    Relation,
    get_rel,
    get_relations,
    has_relations,
    realign_relations,
    set_rel,
    set_relations,
)

__version__ = version("spacy-attnner")
__all__ = [
    "Relation",
    "__version__",
    "get_confidence",
    "get_rel",
    "get_relations",
    "has_relations",
    "realign_relations",
    "register_extensions",
    "set_confidences",
    "set_rel",
    "set_relations",
]
