"""Why a pipeline gives a category, an entity or a relation its probability."""

from .explainer import Explainer, explain
from .explanation import Explanation, get_explanations, set_explanations
from .methods import DEFAULT, METHODS

__all__ = [
    "DEFAULT",
    "METHODS",
    "Explainer",
    "Explanation",
    "explain",
    "get_explanations",
    "set_explanations",
]
