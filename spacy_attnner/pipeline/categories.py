"""What the two classifiers change of spaCy's: masking, losses, settings, checks."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import numpy
from spacy.errors import Errors
from spacy.tokens import Doc
from spacy.training import Example, validate_examples
from spacy.vocab import Vocab
from thinc.api import Model

from ..confidence.calibration import Calibration
from ..confidence.thresholds import exclusive_truth
from ..models.text_classifier import calibrated, text_attention
from ..words import n_words
from .base import INIT_SAMPLE, weighted
from .category_loss import (
    BALANCED,
    balanced_weights,
    check_class_weights,
    check_focal_gamma,
    gradient,
)
from .component import Component, Start
from .score_calibration import Scored, fit_scores, groups_of
from .settings import (
    check_threshold,
    check_weight,
    loss_weight_setting,
    setting,
)
from .surveys import (
    CategorySurvey,
    Survey,
    note_sentences,
    require_finite,
    require_initialized,
    warn_of_other_categories,
    warn_of_strange_categories,
)
from .upstream import release_listeners


def require_classes(name: str, model: Model, *, exclusive: bool) -> None:
    """Raises ValueError for a model whose classes are not the component's kind.

    exclusive: Whether exactly one category applies.
    """
    if model.attrs.get("multi_label", not exclusive) is exclusive:
        other = "attn_textcat_multilabel" if exclusive else "attn_textcat"
        raise ValueError(
            f"the model of {name!r} has exclusive_classes = "
            f"{str(not exclusive).lower()}: set components.{name}.model."
            f"exclusive_classes to {str(exclusive).lower()}, or use the factory "
            f"{other!r}"
        )


class Categories(Component):
    """Above spaCy's categorizers: masking, sorting, losses, calibration, checks.

    `super()` is one of those, beside it in its subclasses, which pyright cannot know.
    """

    SETTINGS = ("threshold", "loss_weight", "class_weights", "focal_gamma")
    loss_weight = loss_weight_setting()
    class_weights = setting(
        "class_weights",
        'How much categories count where they apply, or "balanced".',
        check_class_weights,
    )
    focal_gamma = setting(
        "focal_gamma", "Exponent of the focal loss, or 0.", check_focal_gamma
    )
    threshold = setting(
        "threshold",
        "Probability from which on the scorer counts a category.",
        check_threshold,
    )

    task = "categories"
    exclusive: bool

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str,
        *,
        loss_weight: float = 1.0,
        class_weights: Any = None,
        focal_gamma: float = 0.0,
        **settings: Any,
    ) -> None:
        class_weights = {} if class_weights is None else class_weights
        check_class_weights(name, class_weights)
        check_focal_gamma(name, focal_gamma)
        require_classes(name, model, exclusive=self.exclusive)
        check_threshold(name, settings.get("threshold", 0.0))
        check_weight(name, loss_weight)
        super().__init__(vocab, model, name, **settings)  # type: ignore[call-arg]
        self.cfg["loss_weight"] = loss_weight
        self.cfg["class_weights"] = class_weights
        self.cfg["focal_gamma"] = focal_gamma

    def gold_labels(self, example: Example) -> Iterable[str]:
        """Categories that apply to the reference."""
        return (cat for cat, value in example.reference.cats.items() if value)

    def is_annotated(self, example: Example) -> bool:
        """Whether the reference has a category that the component knows."""
        return bool(self._own(example))

    def new_survey(self) -> Survey:
        """Counts the categories that never apply, too."""
        return CategorySurvey(self.name, self.task)

    def predict(self, docs: Iterable[Doc]) -> Any:
        """Probabilities, shape (n_docs, n_labels); also of documents without tokens."""
        docs = list(docs)
        self.ready(docs)
        Y = calibrated(self.model, self.model.predict(docs))
        return self.model.ops.to_numpy(Y)

    def attention(self, doc: Doc) -> numpy.ndarray:
        """How much the tokens of a document are attended to, (n_heads, n_tokens).

        Each head's weights add up to 1, and are 0 at whitespace; labels are the heads
        of a model with attention "labels". A document of whitespace has zeros. Raises
        ValueError where the model has no attention.
        """
        if "attention" not in self.model.attrs:
            raise ValueError(
                f"the model of {self.name!r} has no attention that pools words: use "
                "spacy-attnner.AttentionTextClassifier.v1"
            )
        self.ready([doc])
        return self.model.ops.to_numpy(text_attention(self.model, doc))

    def update(self, examples: Iterable[Example], **settings: Any) -> dict[str, float]:
        """As spaCy's; what is not annotated costs nothing."""
        examples = list(examples)
        validate_examples(examples, f"{type(self).__name__}.update")
        require_initialized(self.name, self.model)
        self.watch.count(self.name, self.task, map(self.is_annotated, examples))
        note_sentences(self, (example.predicted for example in examples))
        losses = super().update(examples, **settings)  # type: ignore[misc]
        release_listeners(self.model)
        return losses

    def add_label(self, label: str) -> int:
        """As spaCy's."""
        added = super().add_label(label)  # type: ignore[misc]
        if added:
            self._remember(label)
        return added

    def get_loss(self, examples: Iterable[Example], scores: Any) -> tuple[float, Any]:
        """Mean squared error, and the gradient of the cross-entropy, or of the focal
        loss with respect to the logits, a mean over annotated words.

        Raises ValueError where the loss is no number, or a category no probability.
        """
        examples = list(examples)
        validate_examples(examples, f"{type(self).__name__}.get_loss")
        self._validate_categories(examples)
        truth, known = self._examples_to_truth(examples)
        not_missing: Any = known
        d_scores = gradient(
            scores,
            truth,
            exclusive=self.exclusive,
            gamma=self.focal_gamma,
            weights=self._weights(),
        )
        d_scores = d_scores * self.model.ops.asarray(not_missing)
        loss = float((d_scores**2).mean())
        require_finite(self.name, loss)
        # over words, as the losses of `attn_ner` and `attn_rel` are: in an encoder that
        # they share, no task drowns the others
        annotated = (each.predicted for each in examples if self.is_annotated(each))
        n = max(1, sum(map(n_words, annotated)))
        return loss, weighted(d_scores, self.loss_weight / n)

    def calibrate(
        self,
        examples: Iterable[Example],
        *,
        groups: list[int] | None = None,
        margin: float = 0.0,
        keep_threshold: bool = False,
        min_predicted: int = 0,
    ) -> Calibration:
        """Fit the probabilities to how often the categories are right.

        Sets a temperature in the model, which is stored with it, and where any number
        of categories may apply a log-odds offset. Of exclusive ones the most probable
        is judged, which stays the same; of others all are, and `threshold` is expressed
        anew, so that it keeps the same ones. A model that is trained further has to be
        calibrated again.

        examples: Annotated documents that the model was not trained on.
        groups: Number of the document that each example is from, where there are
            several of one.
        margin: Standard errors by which probabilities stay below the best estimate.
        keep_threshold: Whether `threshold` stays the number that it is.
        min_predicted: Categories without which there is too little to fit.

        Raises ValueError where no example is annotated.
        """
        examples = list(examples)
        validate_examples(examples, f"{type(self).__name__}.calibrate")
        numbers = groups_of(examples, groups)
        known = [i for i, each in enumerate(examples) if self.is_annotated(each)]
        docs = [examples[i].predicted for i in known]
        self.ready(docs)
        Y = self.model.predict(docs)
        truth, _ = self._examples_to_truth([examples[i] for i in known])
        result, thresholds = fit_scores(
            self._scored(Y, self.model.ops.to_numpy(truth), numbers[known]),
            margin=margin,
            with_offset=not self.exclusive,
            below=True,
            keep_threshold=keep_threshold,
            least=min_predicted,
            what="categories",
        )
        self.model.attrs.update(
            temperature=result.temperature, log_odds_offset=result.log_odds_offset
        )
        if not self.exclusive:
            self._fit(**self._settings_of(thresholds))
        return result

    def _settings_of(self, thresholds: numpy.ndarray) -> dict[str, Any]:
        """Settings that say thresholds, of all categories alike or of each."""
        return {"threshold": float(thresholds[0])}

    def _scored(self, Y: Any, truth: numpy.ndarray, groups: numpy.ndarray) -> Scored:
        """The most probable category of each document; or all of them."""
        to_numpy = self.model.ops.to_numpy
        before = to_numpy(calibrated(self.model, Y))
        if self.exclusive:
            rows, columns = numpy.arange(len(before)), before.argmax(1)
        else:
            rows, columns = (x.ravel() for x in numpy.indices(before.shape))
        gold = exclusive_truth(truth) if self.exclusive else truth > 0.5
        thresholds = numpy.array(self._thresholds())
        return Scored(
            lambda t: to_numpy(calibrated(self.model, Y, t))[rows, columns],
            before[rows, columns],
            gold[rows, columns].astype("float64"),
            groups[rows],
            columns if len(thresholds) > 1 else numpy.zeros_like(columns),
            thresholds,
        )

    def _thresholds(self) -> list[float]:
        """One for all categories, or one for each."""
        return [0.0 if self.exclusive else self.threshold]

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """As spaCy's; no prediction is wrong where nothing is annotated."""
        examples = list(examples)
        known = [each for each in examples if self.is_annotated(each)]
        if not known:
            warn_of_other_categories(self.name, self.labels, examples)
        return super().score(known or examples, **kwargs)

    def _initialize(self, start: Start) -> None:
        """As spaCy's. Where labels are given, other categories are taken to be another
        component's: ignored, and said once where no other has them.
        """
        others = sorted(set(start.survey.known) - set(self.labels))
        self.cfg["ignored"] = None if start.found else others
        self._check_weights()
        warn_of_strange_categories(self.name, others, start.nlp)
        n_annotated = 0
        for example in start.get_examples():
            self._validate_categories([example])
            n_annotated += self.is_annotated(example)
        self._balance(start.survey.labels, n_annotated)
        sample = list(islice(start.get_examples(), INIT_SAMPLE))
        super(Component, self).initialize(  # type: ignore[misc]
            lambda: sample, nlp=start.nlp, labels=self.labels, **start.settings
        )

    def _balance(self, found: Mapping[str, int], n_annotated: int) -> None:
        """Note how much categories count if they are to count alike.

        found: In how many documents each applies.
        """
        self.cfg.pop("balanced_weights", None)
        if self.class_weights == BALANCED:
            counts = {c: n for c, n in found.items() if c in self.labels}
            self.cfg["balanced_weights"] = balanced_weights(
                counts, n_annotated, exclusive=self.exclusive
            )

    def _check_weights(self) -> None:
        named = () if self.class_weights == BALANCED else self.class_weights
        if unknown := set(named) - set(self.labels):
            raise ValueError(
                f"class_weights of {self.name!r} name {sorted(unknown)[0]!r}, which is "
                f"none of its categories {list(self.labels)}"
            )

    def _weights(self) -> Any:
        """Weight of each category, (n_labels,); None where all count alike."""
        given = self.class_weights
        known = self.cfg.get("balanced_weights", {}) if given == BALANCED else given
        if not known:
            return None
        return self.model.ops.asarray1f([known.get(each, 1.0) for each in self.labels])

    def _validate_categories(self, examples: Iterable[Example]) -> None:
        """Raises ValueError for what is no probability, and for several categories of
        which one applies.
        """
        for example in examples:
            own = self._own(example)
            if any(not 0.0 <= value <= 1.0 for value in own.values()):
                wrong = next(v for v in own.values() if not 0.0 <= v <= 1.0)
                raise ValueError(
                    f"a category of {example.reference.text[:40]!r} is {wrong!r}: "
                    f"give {self.name!r} 1 where it applies, 0 where it does not, or "
                    "what is between for how far it does"
                )
            if self.exclusive and sum(own.values()) > 1.0 + 1e-4:
                raise ValueError(Errors.E895.format(value=own))

    def _own(self, example: Example) -> dict[str, float]:
        """The categories of an example that the component knows."""
        known = set(self.labels)
        return {c: value for c, value in example.reference.cats.items() if c in known}

    def _examples_to_truth(
        self, examples: Iterable[Example]
    ) -> tuple[Any, numpy.ndarray]:
        examples = list(examples)
        self._reject_unknown(examples)
        truths, not_missing = super()._examples_to_truth(examples)  # type: ignore[misc]
        for i, example in enumerate(examples):
            if not self._own(example):
                not_missing[i] = 0.0
        return truths, not_missing

    def _reject_unknown(self, examples: list[Example]) -> None:
        known, ignored = set(self.labels), self.cfg.get("ignored")
        for example in examples:
            for cat in example.reference.cats.keys() - known:
                if ignored is None:
                    raise ValueError(
                        f"category {cat!r} is not known to {self.name!r}, "
                        f"which knows {sorted(known)}: correct the annotation, or call "
                        f"add_label({cat!r}) before training; the text begins "
                        f"{example.reference.text[:40]!r}"
                    )
                if cat not in ignored:
                    ignored.append(cat)
                    warn_of_strange_categories(self.name, [cat], None)
