"""What the components share: labels, initialization and updates."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.training import Example, validate_examples, validate_get_examples
from thinc.api import Model, Optimizer, set_dropout_rate

from .fresh import FreshStart

INIT_SAMPLE = 10  # examples whose documents set the model's sizes


class AttnPipe(TrainablePipe, FreshStart):
    """A trainable component: units x classes -> decode.

    A subclass says what its gold labels are (`gold_labels`), how many outputs a number
    of labels needs (`n_outputs`), what the model is fed (`inputs`), and implements
    `predict`, `set_annotations` and `get_loss`.
    """

    task = ""  # what the labels label, for messages

    @property
    def labels(self) -> tuple[str, ...]:
        """The component's labels, in the order of the model's outputs."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> tuple[str, ...]:
        """The labels as `spacy init labels` stores them."""
        return self.labels

    def gold_labels(self, example: Example) -> Iterable[str]:
        """Labels that an example's reference uses."""
        raise NotImplementedError

    def n_outputs(self, n_labels: int) -> int:
        """Width of the model's output for a number of labels."""
        return n_labels

    def inputs(self, examples: list[Example]) -> list[Any]:
        """What the model is fed in an update."""
        return [example.predicted for example in examples]

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
            resize = self.model.attrs["resize_output"]
            self.model = resize(self.model, self.n_outputs(len(self.labels)))
        return 1

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Iterable[str] | None = None,
    ) -> None:
        """Find the labels, set the model's sizes and draw its weights.

        Nothing stays of an earlier training: weights are drawn by the `training.seed`
        of the config of `nlp`, and of the labels only those stay that were added with
        `add_label`.

        get_examples: Returns a representative sample of examples.
        labels: The labels, as `spacy init labels` writes them; found in the examples
            if None.

        Raises ValueError where there is no example or no label.
        """
        validate_get_examples(get_examples, f"{type(self).__name__}.initialize")
        if labels is None:
            labels = {
                label
                for example in get_examples()
                for label in self.gold_labels(example)
            }
            labels = sorted(labels)
        with self._fresh(nlp):
            for label in labels:
                self.add_label(label)
            if not self.labels:
                raise ValueError(
                    f"{self.name!r} found no {self.task} in the training data: "
                    f"annotate some, give initialize.components.{self.name}.labels, or "
                    "take the component out of the pipeline"
                )
            self._initialize_model(list(islice(get_examples(), INIT_SAMPLE)))

    def _initialize_model(self, sample: list[Example]) -> None:
        resize = self.model.attrs["resize_output"]
        self.model = resize(self.model, self.n_outputs(len(self.labels)))
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
        if not any(len(example.predicted) for example in examples):
            return losses
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
        backprop(d_scores)
        release_listeners(self.model)
        if sgd is not None:
            self.finish_update(sgd)
        losses[self.name] += loss


def release_listeners(model: Model) -> None:
    """Let listeners go of what a shared `tok2vec` gave them for an update, once over.

    The way of the gradient is a local function, which cannot be pickled.
    """
    for node in model.walk():
        if isinstance(node, Tok2VecListener):
            node.receive(None, None, None)  # type: ignore[arg-type]
