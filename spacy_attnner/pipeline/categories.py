"""Checks of text categorizers: their model's classes, other components' categories."""

import warnings
from collections.abc import Iterable, Sequence

from spacy.language import Language
from thinc.api import Model


def require_classes(name: str, model: Model, *, exclusive: bool) -> None:
    """Raises ValueError for a model whose classes are not the component's kind.

    exclusive: Whether exactly one category applies.
    """
    if model.attrs.get("multi_label", not exclusive) is exclusive:
        other = "attn_textcat_multilabel" if exclusive else "attn_textcat"
        raise ValueError(
            f"the model of {name!r} has exclusive_classes = "
            f"{str(not exclusive).lower()}: set components.{name}.model."
            f"exclusive_classes to {str(exclusive).lower()}, or use the factory "
            f"{other!r}"
        )


def warn_of_strange_categories(
    name: str, categories: Iterable[str], nlp: Language | None
) -> None:
    """Say which categories no component of the pipeline is to learn.

    categories: Those of the training data that this component does not know.
    """
    strange = set(categories)
    if nlp is not None:
        settings = nlp.config["initialize"]["components"]
        for other, pipe in nlp.pipeline:
            labels = settings.get(other, {}).get("labels")
            if other == name:
                continue
            if labels is not None and not isinstance(labels, Sequence):
                return  # from a file: not known before that component is initialized
            strange -= {*(labels or ()), *getattr(pipe, "labels", ())}
    if strange:
        warnings.warn(
            f"{name!r} ignores the categories {sorted(strange)} of the training "
            f"data: they are not among initialize.components.{name}.labels, and no "
            "other component has them; add them there, or leave the labels out",
            stacklevel=2,
        )
