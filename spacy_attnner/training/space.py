"""The values that a search may take: a YAML file of paths into a config."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import srsly
from spacy.util import dot_to_object
from thinc.api import Config

from ..errors import UserError

EXAMPLE = (
    "training.dropout: {low: 0.1, high: 0.5}\n"
    "training.batcher.size: [300, 600, 1200]\n"
    "training.optimizer.learn_rate.initial_rate: {low: 0.0005, high: 0.01, log: true}"
)
KEYS = ("low", "high", "log", "step")
Number = int | float


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, whole ones if all of them are.

    log: Draw their logarithms evenly.
    step: Between neighbours; None takes any number.
    """

    low: Number
    high: Number
    log: bool = False
    step: Number | None = None

    def suggest(self, trial: Any, path: str) -> Number:
        """A value of an Optuna trial."""
        numbers = (self.low, self.high, self.step)
        if all(isinstance(number, int | None) for number in numbers):
            low, high = int(self.low), int(self.high)
            return trial.suggest_int(path, low, high, step=self.step or 1, log=self.log)
        low, high = float(self.low), float(self.high)
        return trial.suggest_float(path, low, high, step=self.step, log=self.log)

    def plain(self) -> dict[str, Any]:
        """As in the file."""
        given = {"low": self.low, "high": self.high, "log": self.log, "step": self.step}
        return {key: value for key, value in given.items() if value}


@dataclass(frozen=True)
class Choices:
    """Some values, which have no order.

    values: Numbers, texts, true, false, null or lists of them, at least one.
    """

    values: tuple[Any, ...]

    def suggest(self, trial: Any, path: str) -> Any:
        """A value of an Optuna trial."""
        return self.value(trial.suggest_categorical(path, self._kept()))

    def value(self, kept: Any) -> Any:
        """The one that a trial kept as that."""
        return self.values[self._kept().index(kept)]

    def _kept(self) -> list[Any]:
        """As Optuna keeps them, which takes no lists."""
        return [json.dumps(x) if isinstance(x, list) else x for x in self.values]

    def plain(self) -> list[Any]:
        """As in the file."""
        return list(self.values)


Space = dict[str, Range | Choices]


def trial_values(space: Space, trial: Any) -> dict[str, Any]:
    """What an Optuna trial took of a space, by path, as far as it came."""
    found = trial.params
    return {
        path: each.value(found[path]) if isinstance(each, Choices) else found[path]
        for path, each in space.items()
        if path in found
    }


def read_space(path: Path, config: Config) -> Space:
    """The values of each path.

    config: Not interpolated; what is searched has to be there, not a reference.

    Raises UserError, naming the path, for what is no space of this config.
    """
    try:
        content = srsly.read_yaml(path)
    except ValueError as error:
        raise UserError(f"{path} is no YAML: {error}", f"Write:\n{EXAMPLE}") from error
    if not isinstance(content, dict) or not content:
        raise UserError(f"{path} names no values to search", f"Write:\n{EXAMPLE}")
    space: Space = {}
    for name, given in content.items():
        try:
            space[name] = _dimension(given)
            _check_path(str(name), config)
        except ValueError as error:
            raise UserError(f"{path}: {name}: {error}", f"Write:\n{EXAMPLE}") from error
    return space


def _dimension(given: Any) -> Range | Choices:
    if isinstance(given, list):
        for value in given:
            for each in value if isinstance(value, list) else [value]:
                if not isinstance(each, str | int | float | None):
                    raise ValueError(
                        f"{each!r} is no number, text, true, false, null or list"
                    )
        if not given:
            raise ValueError("there is nothing to choose from")
        return Choices(tuple(given))
    if not isinstance(given, dict):
        raise ValueError(f"{given!r} is neither a list of values nor low and high")
    unknown = [key for key in given if key not in KEYS]
    if unknown or "low" not in given or "high" not in given:
        raise ValueError(
            f"{dict(given)} has to have low and high, and may have log, step"
        )
    found = Range(**given)
    numbers = (found.low, found.high, 1 if found.step is None else found.step)
    if any(isinstance(x, bool) or not isinstance(x, int | float) for x in numbers):
        raise ValueError(f"{dict(given)} are not all numbers")
    if not isinstance(found.log, bool):
        raise ValueError(f"log is the text {found.log!r}: write true or false")
    if not found.low < found.high:
        raise ValueError(f"low {found.low} is not below high {found.high}")
    if found.step is not None:
        _check_step(found.low, found.high, found.step)
    if found.log and (found.low <= 0 or found.step):
        raise ValueError("log takes a low above 0, and no step")
    return found


def _check_step(low: Number, high: Number, step: Number) -> None:
    """Raises ValueError if steps do not lead from one end to the other."""
    if step <= 0:
        raise ValueError(f"step {step} is not above 0")
    n = round((high - low) / step)
    if n < 1 or not math.isclose(low + n * step, high, abs_tol=1e-9 * step):
        raise ValueError(f"steps of {step} do not lead from {low} to {high}")


def _check_path(path: str, config: Config) -> None:
    """Raises ValueError if there is no such value."""
    try:
        value = dot_to_object(config, path)
    except KeyError as error:
        raise ValueError(f"the config has no {path}") from error
    if isinstance(value, dict):
        raise ValueError(f"the config's {path} is a section, not a value")
