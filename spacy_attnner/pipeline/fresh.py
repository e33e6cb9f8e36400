"""Initialization as a beginning: nothing is left of what was learnt before."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy
from spacy.language import Language


class FreshStart:
    """For a component with `labels` in its `cfg`: `initialize` makes it a new one.

    Labels that were found in data, or stored, are forgotten; those that a user gave to
    `add_label` stay, in the order in which they were added.
    """

    _added: tuple[str, ...] = ()

    def _remember(self, label: str) -> None:
        self._added = (*self._added, label)

    @contextmanager
    def _fresh(self, nlp: Language | None) -> Iterator[None]:
        """Initialize the component within this; weights come from the config's seed."""
        component: Any = self
        added = self._added
        component.cfg["labels"] = list(added)
        if hasattr(component, "_rehearsal_model"):
            component._rehearsal_model = None
        renew = component.model.attrs.get("renew_output")
        if renew is not None:
            component.model = renew(component.model)
        try:
            with config_seed(nlp, component.name):
                yield
        finally:
            self._added = added


@contextmanager
def config_seed(nlp: Language | None, name: str) -> Iterator[None]:
    """Draw weights by `training.seed` of a pipeline's config, if it has one.

    NumPy's generator, from which all weights come, goes on where it was before.

    name: Of the component, so that no two begin with the same weights.
    """
    config = {} if nlp is None else nlp.config.interpolate()
    seed = config.get("training", {}).get("seed")
    if seed is None:
        yield
        return
    state = numpy.random.get_state()
    numpy.random.seed([seed % 2**32, zlib.crc32(name.encode("utf8"))])
    try:
        yield
    finally:
        numpy.random.set_state(state)
