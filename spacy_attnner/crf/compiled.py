"""The compiled recursions, where they were built, and why not where they were not."""

import os
import warnings
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

VARIABLE = "SPACY_ATTNNER_CRF"
SUFFIXES = (".so", ".pyd", ".dylib")


def loop() -> ModuleType | None:
    """The extension made of `binding.c`; None where PyTorch serves."""
    return _find()[0]


def extension_state() -> str:
    """Where the extension is, or why there is none."""
    return _find()[1]


def torch_chosen() -> bool:
    """Whether the environment asks for PyTorch.

    Raises ValueError if it asks for something else.
    """
    chosen = os.environ.get(VARIABLE, "")
    if chosen not in ("", "torch"):
        raise ValueError(f"{VARIABLE} is {chosen!r}: set it to torch, or not at all")
    return chosen == "torch"


@cache
def _find() -> tuple[ModuleType | None, str]:
    if torch_chosen():
        return None, f"{VARIABLE}=torch"
    try:
        found = import_module(f"{__package__}._loop")
    except (ImportError, OSError) as error:
        return None, _failure(error)
    return found, str(found.__file__)


def _failure(error: Exception) -> str:
    """What is wrong; of an extension that is there it warns."""
    folder = Path(__file__).parent
    names = [x.name for x in folder.glob("_loop.*") if x.suffix in SUFFIXES]
    if not names:
        return "no extension was built, as without a C compiler"
    reason = f"{folder / names[0]} cannot be loaded ({error})"
    warnings.warn(
        f"{reason}: the CRF runs in PyTorch, which is slower. Install spacy-attnner "
        f"again, for this Python and machine, or set {VARIABLE}=torch",
        stacklevel=2,
    )
    return reason
