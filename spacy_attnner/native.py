"""The compiled parts, where they were built, and why not where they were not."""

import os
import warnings
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

VARIABLE = "SPACY_ATTNNER_TORCH"
SUFFIXES = (".so", ".pyd", ".dylib")


def extension(name: str) -> ModuleType | None:
    """A compiled module of this package; None where PyTorch serves in its place.

    name: "crf._loop" or "layers._recurrence".
    """
    return _find(name)[0]


def extension_state(name: str) -> str:
    """Where an extension is, or why there is none."""
    return _find(name)[1]


def torch_chosen() -> bool:
    """Whether the environment asks for PyTorch in place of what is compiled.

    Raises ValueError if it asks for something else.
    """
    chosen = os.environ.get(VARIABLE, "")
    if chosen not in ("", "0", "1"):
        raise ValueError(f"{VARIABLE} is {chosen!r}: set it to 1, or not at all")
    return chosen == "1"


@cache
def _find(name: str) -> tuple[ModuleType | None, str]:
    if torch_chosen():
        return None, f"{VARIABLE}=1"
    try:
        found = import_module(f"{__package__}.{name}")
    except (ImportError, OSError) as error:
        return None, _failure(name, error)
    return found, str(found.__file__)


def _failure(name: str, error: Exception) -> str:
    """What is wrong; of an extension that is there it warns."""
    folder, _, stem = name.partition(".")
    package = Path(__file__).parent
    files = (package / folder).glob(f"{stem}.*")
    built = [path for path in files if path.suffix in SUFFIXES]
    if not built and (package.parent / "setup.py").is_file():
        return (
            f"{package} is the source, in which none was built: what is installed is "
            "found in another folder, and here by `spacy ...` for `python -m spacy ...`"
        )
    if not built:
        return "no extension was built, as without a C compiler"
    reason = f"{built[0]} cannot be loaded ({error})"
    warnings.warn(
        f"{reason}: PyTorch does its work, which is slower. Install spacy-attnner "
        f"again, for this Python and machine, or set {VARIABLE}=1",
        stacklevel=2,
    )
    return reason
