"""What an optimizer knows, under names that hold in another process.

Thinc's optimizer knows parameters by the ids of models and shims, which count up while
a process makes them. Here they are numbered in the order of the pipeline.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import numpy
from spacy.language import Language
from thinc.api import Model, Optimizer, get_current_ops

Key = tuple[int, str]
ARRAYS = ("mom1", "mom2", "averages")
COUNTS = ("nr_update", "last_seen")


class Keys:
    """An optimizer's keys of a pipeline's parameters, and names for them."""

    def __init__(self, nlp: Language) -> None:
        self._models: dict[int, Model] = {}
        shims: dict[int, None] = {}
        for node in _nodes(nlp):
            self._models.setdefault(node.id, node)
            shims |= dict.fromkeys(shim.id for shim in node.shims)
        self._ids = {"model": list(self._models), "shim": list(shims)}
        self._numbers = {
            kind: {key: number for number, key in enumerate(ids)}
            for kind, ids in self._ids.items()
        }

    def name_of(self, key: Key) -> str:
        """A name of a key; raises KeyError for none of the pipeline's."""
        owner, parameter = key
        node = self._models.get(owner)
        kind = "model" if node is not None and node.has_param(parameter) else "shim"
        return f"{kind}:{self._numbers[kind][owner]}:{parameter}"

    def key_of(self, name: str) -> Key:
        """The key that a name is of; raises LookupError for none of the pipeline's."""
        kind, number, parameter = name.split(":", 2)
        return self._ids[kind][int(number)], parameter

    def make_gradients(self, updated: Iterable[Key]) -> None:
        """Zeros where parameters that were updated before have no gradient yet.

        Thinc leaves parameters without one out of a step, in which those with zeros
        go on by their momentum.
        """
        for owner, parameter in updated:
            node = self._models.get(owner)
            if node is None or not node.has_param(parameter):
                continue  # of a shim
            if not node.has_grad(parameter):
                value: Any = node.get_param(parameter)
                node.set_grad(parameter, node.ops.xp.zeros_like(value))


def _nodes(nlp: Language) -> Iterator[Model]:
    for _, component in nlp.components:
        model = getattr(component, "model", None)
        if isinstance(model, Model):
            yield from model.walk()


def take_state(
    optimizer: Optimizer, nlp: Language
) -> tuple[dict[str, numpy.ndarray], dict[str, Any]]:
    """The arrays of an optimizer by name, and the rest as plain data."""
    keys = Keys(nlp)
    ops = get_current_ops()
    arrays = {
        f"{what}/{keys.name_of(key)}": numpy.ascontiguousarray(ops.to_numpy(array))
        for what in ARRAYS
        for key, array in (getattr(optimizer, what) or {}).items()
    }
    counts: dict[str, Any] = {
        what: {keys.name_of(key): n for key, n in getattr(optimizer, what).items()}
        for what in COUNTS
    }
    return arrays, {**counts, "radam": optimizer._radam_buffer}


def put_state(
    optimizer: Optimizer,
    nlp: Language,
    arrays: dict[str, numpy.ndarray],
    counts: dict[str, Any],
) -> None:
    """Give an optimizer of the same kind what `take_state` found."""
    keys = Keys(nlp)
    ops: Any = get_current_ops()
    for what in ARRAYS:
        own = getattr(optimizer, what)
        if own is not None:
            own.clear()
    for name, array in arrays.items():
        what, _, key = name.partition("/")
        if what in ARRAYS:
            getattr(optimizer, what)[keys.key_of(key)] = ops.asarray(array)
    for what in COUNTS:
        found = {keys.key_of(name): n for name, n in counts[what].items()}
        setattr(optimizer, what, defaultdict(int, found))
    optimizer._radam_buffer = counts["radam"]
    keys.make_gradients(optimizer.nr_update)
