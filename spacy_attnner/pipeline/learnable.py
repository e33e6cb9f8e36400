"""Whether there is anything to learn, and what is said where there is not."""

import math
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from spacy.errors import Errors
from spacy.language import Language
from spacy.training import Example
from thinc.api import Model

FEW = 200  # examples without annotation that a component takes in silence


class Survey:
    """What one pass over the training data finds, for `initialize` and its warnings.

    name: The component. task: What its labels label. A subclass counts more.
    """

    def __init__(self, name: str, task: str) -> None:
        self.name = name
        self.task = task
        self.examples = 0
        self.words = 0
        self.labels: Counter[str] = Counter()

    def add(self, example: Example, labels: Iterable[str]) -> None:
        """Count an example and the gold labels that it has."""
        self.examples += 1
        self.words += len(example.predicted)
        self.labels.update(labels)

    def require_documents(self) -> None:
        """Raises ValueError where the training data has no document."""
        if not self.examples:
            raise ValueError(
                f"there are no documents in the training data of {self.name!r}: spaCy "
                "reads `.spacy` files and folders of them, and passes over all others; "
                "make one with `python -m spacy attn convert train.jsonl train.spacy`"
            )

    def warn(self, labels: Sequence[str], nlp: Language | None) -> None:
        """Say what cannot be learnt of the data, given the component's labels."""
        training = {} if nlp is None else nlp.config.interpolate().get("training", {})
        # of a stream, or of no data at all, spaCy shows too little
        made_up = self.examples == 1 and not self.labels
        if training.get("max_epochs") != -1 and not made_up:
            self._warn_of_labels(labels)
        self._warn_of_schedule(training)

    def _warn_of_labels(self, labels: Sequence[str]) -> None:
        unseen = sorted(set(labels) - self.labels.keys())
        if unseen:
            warnings.warn(
                f"{self.name!r} has labels that none of the {self.examples:,} training "
                f"examples has among its {self.task}, so that they cannot be learnt: "
                f"{unseen}; the examples have {dict(sorted(self.labels.items()))}",
                stacklevel=2,
            )

    def _warn_of_schedule(self, training: dict[str, Any]) -> None:
        epochs, every = training.get("max_epochs"), training.get("eval_frequency")
        per_epoch = self._steps(training.get("batcher") or {})
        if not (epochs and every and per_epoch) or epochs < 0:
            return
        if epochs * per_epoch <= every:
            warnings.warn(
                f"{epochs} epochs of {self.examples:,} training examples are about "
                f"{epochs * per_epoch} steps, fewer than the {every} after which "
                "`spacy train` evaluates: it would keep the untrained model; set "
                f"training.eval_frequency to {per_epoch}, an epoch, or training."
                "max_epochs to 0 and training.max_steps to the steps that you want",
                stacklevel=2,
            )

    def _steps(self, batcher: dict[str, Any]) -> int:
        """About how many batches an epoch has; 0 where that is not known."""
        units = {
            "spacy.batch_by_words.v1": self.words,
            "spacy.batch_by_sequence.v1": self.examples,
        }.get(batcher.get("@batchers", ""), 0)
        size = batcher.get("size")
        return math.ceil(units / size) if isinstance(size, int) and size else 0


class Watch:
    """Counts the examples of updates until one is annotated; says once if none is."""

    def __init__(self) -> None:
        self.limit = FEW
        self.examples = 0
        self.done = False

    def restart(self, n_examples: int) -> None:
        """Begin anew: a pass over the data has this many examples."""
        self.limit = max(FEW, 2 * n_examples)
        self.examples = 0
        self.done = False

    def count(self, name: str, task: str, annotated: Iterable[bool]) -> None:
        """Take note of a batch: which of its examples have annotation."""
        if self.done:
            return
        batch = list(annotated)
        self.examples += len(batch)
        self.done = any(batch)
        if not self.done and self.examples >= self.limit:
            self.done = True
            warnings.warn(
                f"{name!r} learns nothing: {task} are annotated in none of the "
                f"{self.examples:,} examples that it was updated with; annotate some, "
                "or take it out of the pipeline (nlp.select_pipes) for these updates",
                stacklevel=2,
            )


def warn_of_nothing(name: str, examples: Sequence[Example]) -> None:
    """Say that there are no documents to score."""
    if not examples:
        warnings.warn(
            f"{name!r} has no documents to be scored on: is the development corpus a "
            "`.spacy` file, or a folder of them? `python -m spacy attn convert "
            "dev.jsonl dev.spacy` makes one",
            stacklevel=2,
        )


def require_initialized(name: str, model: Model) -> None:
    """Raises ValueError, spaCy's E109, for a model whose output has no weights."""
    if not model.has_ref("output_layer"):
        return
    output = model.get_ref("output_layer")
    if any(output.has_param(param) is not True for param in output.param_names):
        raise ValueError(Errors.E109.format(name=name))


def require_finite(name: str, loss: float) -> None:
    """Raises ValueError for a loss after which every weight would be NaN."""
    if not math.isfinite(loss):
        raise ValueError(
            f"the loss of {name!r} is {loss}, and nothing was updated: the learning "
            "rate may be too high, or the vectors or the first weights hold NaN"
        )
