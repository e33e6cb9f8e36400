"""Attention-based entities, relations and text categories for spaCy.

The components, architectures, readers and scorers are registered through entry
points: installing the package makes them available to every spaCy config.
"""

from importlib.metadata import version

from .relations import Relation, get_relations, set_relations

__version__ = version("spacy-attnner")
__all__ = ["Relation", "__version__", "get_relations", "set_relations"]
