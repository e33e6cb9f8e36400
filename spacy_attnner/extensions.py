"""Extension attributes: registered when a component is made that sets them.

They are for reading: this package itself goes by functions, which work whatever became
of an attribute.
"""

import warnings
from collections.abc import Callable
from typing import Any

from spacy.tokens import Doc, Span

from .confidence import get_confidence
from .relations import get_rel, get_relations, set_rel, set_relations


def register_extensions() -> None:
    """Register `span._.confidence`, `doc._.relations` and `doc._.rel`.

    An attribute of that name that somebody else registered stays theirs, and a
    UserWarning says which function to call instead. Calling it again does no harm.
    """
    register_confidence()
    register_relations()


def register_confidence() -> None:
    """Register `span._.confidence`, as `register_extensions` does."""
    _register(Span, "confidence", get_confidence)


def register_relations() -> None:
    """Register `doc._.relations` and `doc._.rel`, as `register_extensions` does."""
    _register(Doc, "relations", get_relations, set_relations)
    _register(Doc, "rel", get_rel, set_rel)


def _register(
    owner: Any, name: str, getter: Callable, setter: Callable | None = None
) -> None:
    if not owner.has_extension(name):
        owner.set_extension(name, getter=getter, setter=setter)
        return
    other = owner.get_extension(name)
    if _place(other[2]) != _place(getter):
        attribute = f"{owner.__name__.lower()}._.{name}"
        warnings.warn(
            f"{attribute} is somebody else's, registered with {_describe(*other)}, and "
            f"is left to them: call spacy_attnner.{getter.__name__} for what "
            "spacy-attnner has under this name",
            stacklevel=3,
        )


def _describe(
    default: Any, method: Callable | None, getter: Callable | None, setter: Any
) -> str:
    for kind, function in (("getter", getter), ("method", method)):
        if function is not None:
            return f"the {kind} {_place(function)}"
    return f"the default {default!r}"


def _place(function: Any) -> str:
    """Module and name of a function."""
    name = getattr(function, "__qualname__", repr(function))
    return f"{getattr(function, '__module__', '')}.{name}"
