"""What all components share: labels, a fresh start, and that they say what is wrong."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from thinc.api import Model

from ..models.output_size import renew_output
from .settings import Configured
from .surveys import (
    Survey,
    Watch,
    forget_sentences,
    require_initialized,
    warn_of_nothing,
    warn_of_sentences,
)
from .upstream import require_vectors


@dataclass(frozen=True)
class Start:
    """What `initialize` begins with.

    get_examples: Returns a representative sample of examples.
    survey: What is in the training data.
    nlp: The pipeline, if there is one.
    found: Whether the labels are those of the data.
    settings: Other arguments of `initialize`.
    """

    get_examples: Callable[[], Iterable[Example]]
    survey: Survey
    nlp: Language | None
    found: bool
    settings: dict[str, Any]


class Component(Configured):
    """A spaCy component of this package, above one of spaCy's classes.

    `initialize` makes it a new one: labels that were found in data, or stored, are
    forgotten; those that a user gave to `add_label` stay, in their order.
    """

    task = ""  # what the labels label, for messages
    told_of_sentences = False
    labels: tuple[str, ...]
    model: Model
    add_label: Callable[[str], int]
    _added: tuple[str, ...] = ()
    _rehearsal_model: Any = None

    @cached_property
    def watch(self) -> Watch:
        """What updates brought so far."""
        return Watch()

    def gold_labels(self, example: Example) -> Iterable[str]:
        """Labels that the reference of an example's `view` uses."""
        raise NotImplementedError

    def view(self, example: Example) -> Example:
        """The example with what the component learns where it looks for it."""
        return example

    def is_annotated(self, example: Example) -> bool:
        """Whether an example's reference says anything of what the labels label."""
        raise NotImplementedError

    def new_survey(self) -> Survey:
        """What counts the training data at initialization."""
        return Survey(self.name, self.task)

    def ready(self, docs: list[Doc]) -> None:
        """Prepare for a prediction: run a shared encoder where it has not been run.

        Raises ValueError where it cannot be found, or the component not be used yet.
        """
        require_initialized(self.name, self.model)
        require_vectors(self.model, docs, self.name, self._owner.find())
        warn_of_sentences(self, docs)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Iterable[str] | None = None,
        **settings: Any,
    ) -> None:
        """Find the labels, set the model's sizes and draw its weights.

        Nothing stays of an earlier training: weights are drawn by the `training.seed`
        of the config of `nlp`, and of the labels only those stay that were added with
        `add_label`.

        get_examples: Returns a representative sample of examples.
        labels: The labels, as `spacy init labels` writes them; found in the examples
            if None.

        Raises ValueError where there is no example or no label; warns of what the
        examples do not let the component learn.
        """
        survey = self.new_survey()
        method = f"{type(self).__name__}.initialize"
        for example in map(self.view, _validated(get_examples, method)):
            survey.add(example, self.gold_labels(example))
        survey.require_documents()
        with self._fresh(nlp):
            for label in sorted(survey.known) if labels is None else labels:
                self.add_label(label)
            if not self.labels:
                raise ValueError(
                    f"{self.name!r} found no {self.task} in the training data: "
                    f"annotate some, give initialize.components.{self.name}.labels, or "
                    "take the component out of the pipeline"
                )
            survey.warn(self.labels, nlp)
            self.watch.restart(survey.examples)
            forget_sentences(self)
            start = Start(get_examples, survey, nlp, labels is None, settings)
            self._initialize(start)

    def _initialize(self, start: "Start") -> None:
        """Set the model's sizes; the labels are known."""
        raise NotImplementedError

    def _remember(self, label: str) -> None:
        self._added = (*self._added, label)

    @contextmanager
    def _fresh(self, nlp: Language | None) -> Iterator[None]:
        """Initialize the component within this; weights come from the config's seed."""
        added = self._added
        self._forget_fitted()
        self.cfg["labels"] = list(added)
        self._rehearsal_model = None
        self.model = renew_output(self.model)
        try:
            with config_seed(nlp, self.name):
                yield
        finally:
            self._added = added

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Score predicted documents against their references, as the scorer does."""
        examples = list(examples)
        warn_of_nothing(self.name, examples)
        return super().score(examples, **kwargs)  # type: ignore[misc]


def _validated(get_examples: Any, method: str) -> Iterator[Example]:
    """What `validate_get_examples` lets pass, which would read it once more."""
    examples: Any = get_examples() if callable(get_examples) else None
    if not examples or not isinstance(examples, Iterable):
        validate_get_examples(get_examples, method)  # type: ignore[arg-type]
    for example in examples or ():
        validate_examples([example], method)
        yield example


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
