"""What the components share: labels, initialization and updates."""

from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import islice
from typing import Any

from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from thinc.api import Optimizer, set_dropout_rate

from ..words import n_words
from .fresh import FreshStart
from .learnable import (
    Survey,
    Watch,
    require_finite,
    require_initialized,
    warn_of_nothing,
)
from .sentence_use import forget_sentences, note_sentences
from .settings import Configured
from .upstream import release_listeners, require_vectors

INIT_SAMPLE = 10  # examples whose documents set the model's sizes


class AttnPipe(Configured, FreshStart, TrainablePipe):
    """A trainable component: units x classes -> decode.

    A subclass says what its gold labels are (`gold_labels`), how many outputs a number
    of labels needs (`n_outputs`), what the model is fed (`inputs`), and implements
    `predict`, `set_annotations` and `get_loss`.
    """

    task = ""  # what the labels label, for messages
    told_of_sentences = False

    @cached_property
    def watch(self) -> Watch:
        """What updates brought so far."""
        return Watch()

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

    def is_annotated(self, example: Example) -> bool:
        """Whether an example's reference says anything of what the labels label."""
        raise NotImplementedError

    def new_survey(self) -> Survey:
        """What counts the training data at initialization."""
        return Survey(self.name, self.task)

    def inputs(self, examples: list[Example]) -> list[Any]:
        """What the model is fed in an update."""
        return [example.predicted for example in examples]

    def require_vectors(self, docs: list[Doc]) -> None:
        """Run a shared encoder on documents that it has not seen, if there is one.

        Raises ValueError where it cannot be found, or the component not be used yet.
        """
        require_initialized(self.name, self.model)
        require_vectors(self.model, docs, self.name, self._owner.find())

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

        Raises ValueError where there is no example or no label; warns of what the
        examples do not let the component learn.
        """
        validate_get_examples(get_examples, f"{type(self).__name__}.initialize")
        survey = self.new_survey()
        for example in get_examples():
            survey.add(example, self.gold_labels(example))
        survey.require_documents()
        self._forget_fitted()
        with self._fresh(nlp):
            for label in sorted(survey.labels) if labels is None else labels:
                self.add_label(label)
            if not self.labels:
                raise ValueError(
                    f"{self.name!r} found no {self.task} in the training data: "
                    f"annotate some, give initialize.components.{self.name}.labels, or "
                    "take the component out of the pipeline"
                )
            survey.warn(self.labels, nlp)
            self._prepare(survey)
            self._initialize_model(list(islice(get_examples(), INIT_SAMPLE)))

    def _prepare(self, survey: Survey) -> None:
        """Begin to count what updates bring, given what is in the training data."""
        self.watch.restart(survey.examples)
        forget_sentences(self)

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
        require_initialized(self.name, self.model)
        if not any(n_words(example.predicted) for example in examples):
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

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Score predicted documents against their references, as the scorer does."""
        examples = list(examples)
        warn_of_nothing(self.name, examples)
        return super().score(examples, **kwargs)

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
        backprop(d_scores)
        release_listeners(self.model)
        if sgd is not None:
            self.finish_update(sgd)
        losses[self.name] += loss
