"""The config of a training: read, and what is wrong with its values said."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from spacy.cli._util import show_validation_error
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training import Example
from spacy.util import load_config
from thinc.api import Config

from ..errors import UserError

Reader = Callable[[Language], Iterable[Example]]
COUNTS = ("eval_frequency", "accumulate_gradient")  # in [training], of steps


def read_config(path: Path, overrides: dict[str, Any] | None = None) -> Config:
    """A config, not interpolated, with values by their paths in place of its own.

    Raises UserError, naming the path, for a number that is none, a count below 1 and
    what [training] does not know.
    """
    with show_validation_error(path):
        config = load_config(path, overrides=overrides or {}, interpolate=False)
    for name, value in _numbers(config):
        if not math.isfinite(value):
            raise UserError(
                f"{path}: {name} is {value}, which is no number", "Set it to a number."
            )
    known = ConfigSchemaTraining.__annotations__
    for name in config.get("training", {}):
        if name not in known:
            close = get_close_matches(name, known) or sorted(known)
            raise UserError(
                f"{path}: there is no training.{name}",
                f"Set training.{' or training.'.join(close)}.",
            )
    for name in COUNTS:
        value = config.get("training", {}).get(name)
        if isinstance(value, int) and value < 1:
            raise UserError(
                f"{path}: training.{name} is {value}", "Set it to a number of steps."
            )
    return config


def _numbers(section: dict[str, Any], path: str = "") -> Iterator[tuple[str, float]]:
    for name, value in section.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{path}{name}.")
        elif isinstance(value, float):
            yield f"{path}{name}", value


@contextmanager
def wrong_values(source: Path | str) -> Iterator[None]:
    """Say of a ValueError that a value of the config, or a document, is wrong.

    source: The config, or a part of it.
    """
    path = source if isinstance(source, Path) else None
    try:
        with show_validation_error(path, hint_fill=False):
            yield
    except ValueError as error:
        raise UserError(
            f"{source}: {error}",
            "Change the value in the config, or the documents that it names.",
        ) from error


def reading(name: str, corpus: Reader, counts: dict[str, int]) -> Reader:
    """A reader of the config that says what is wrong with documents.

    name: Its path in the config.
    counts: Gets the number of examples, by the path, whenever all were read.
    """

    def read(nlp: Language) -> Iterator[Example]:
        n = 0
        with wrong_values(name):
            for example in corpus(nlp):
                n += 1
                yield example
        counts[name] = n

    return read
