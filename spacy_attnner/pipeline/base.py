"""The base of components that are trained by a loss of their own."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from spacy.pipeline import TrainablePipe
from spacy.training import Example, validate_examples
from thinc.api import Optimizer, set_dropout_rate

from ..models.batch import Batch
from ..models.output_size import grow_output
from ..words import n_words
from .component import Component, Start
from .surveys import note_sentences, require_finite, require_initialized
from .upstream import release_listeners

INIT_SAMPLE = 10  # examples whose documents set the model's sizes


class AttnPipe(Component, TrainablePipe):
    """A trainable component: units x classes -> decode.

    A subclass says what its gold labels are (`gold_labels`), how many outputs a number
    of labels needs (`n_outputs`), what the model is fed (`inputs`), and implements
    `predict`, `set_annotations` and `get_loss`.
    """

    @property
    def labels(self) -> tuple[str, ...]:
        """The component's labels, in the order of the model's outputs."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> tuple[str, ...]:
        """The labels as `spacy init labels` stores them."""
        return self.labels

    def inputs(self, examples: list[Example]) -> list[Any]:
        """What the model is fed in an update."""
        return Batch(example.predicted for example in examples)

    def add_label(self, label: str) -> int:
        """Add a label; a trained model grows an output for it.

        Returns 1, or 0 where the label was there. Raises ValueError for anything but a
        non-empty string.
        """
        if not isinstance(label, str) or not label.strip():
            raise ValueError(
                f"label {label!r} of {self.name!r} is not a non-empty string"
            )
        if label in self.labels:
            return 0
        self._remember(label)
        self.cfg["labels"].append(label)
        self.vocab.strings.add(label)
        output = self.model.get_ref("output_layer")
        if output.has_dim("nO"):
            self.model = grow_output(self.model, self.n_outputs(len(self.labels)))
        return 1

    def _initialize(self, start: Start) -> None:
        sample = list(islice(start.get_examples(), INIT_SAMPLE))
        self.model = grow_output(self.model, self.n_outputs(len(self.labels)))
        self.model.initialize(X=self.inputs(sample))

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch; what is not annotated costs nothing.

        drop: Dropout rate, also of the PyTorch layers.
        sgd: The optimizer; gradients are kept, not applied, if None.

        Returns `losses` with this component's loss added under its name.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, f"{type(self).__name__}.update")
        require_initialized(self.name, self.model)
        if not any(n_words(example.predicted) for example in examples):
            release_listeners(self.model)
            return losses
        self.watch.count(self.name, self.task, map(self.is_annotated, examples))
        note_sentences(self, (example.predicted for example in examples))
        inputs = self.inputs(examples)
        self._learn(
            inputs,
            lambda scores: self.loss_of(examples, inputs, scores),
            drop=drop,
            sgd=sgd,
            losses=losses,
        )
        return losses

    def loss_of(
        self, examples: list[Example], inputs: list[Any], scores: Any
    ) -> tuple[float, Any]:
        """`get_loss` where what the model was fed is known."""
        return self.get_loss(examples, scores)

    def _learn(
        self,
        inputs: list[Any],
        get_loss: Callable[[Any], tuple[float, Any]],
        *,
        drop: float,
        sgd: Optimizer | None,
        losses: dict[str, float],
    ) -> None:
        """One step of the model: from scores to a loss and their gradient, and back."""
        set_dropout_rate(self.model, drop)
        scores, backprop = self.model.begin_update(inputs)
        loss, d_scores = get_loss(scores)
        require_finite(self.name, loss)
        backprop(weighted(d_scores, self.cfg["loss_weight"]))
        release_listeners(self.model)
        if sgd is not None:
            self.finish_update(sgd)
        losses[self.name] += loss


def weighted(d_scores: Any, weight: float) -> Any:
    """The gradient of a loss that counts so much: an array, or a list of arrays."""
    if weight == 1.0:
        return d_scores
    if isinstance(d_scores, list):
        return [each * weight for each in d_scores]
    return d_scores * weight
