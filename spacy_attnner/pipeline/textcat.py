"""`attn_textcat` and `attn_textcat_multilabel`: spaCy's categorizers over attention."""

from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import Any

import numpy
from spacy.errors import Errors
from spacy.language import Language
from spacy.pipeline.textcat import TextCategorizer
from spacy.pipeline.textcat_multilabel import MultiLabel_TextCategorizer
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Model

from .categories import require_classes, warn_of_strange_categories
from .defaults import default_model
from .fresh import FreshStart
from .learnable import (
    Survey,
    Watch,
    require_finite,
    require_initialized,
    warn_of_nothing,
)
from .sentence_use import forget_sentences, note_sentences, warn_of_sentences
from .settings import Configured, check_threshold, setting
from .upstream import release_listeners, require_vectors

TASK = "categories"

default_classifier = partial(
    default_model,
    "spacy-attnner.AttentionTextClassifier.v1",
    width=128,
    depth=1,
    n_heads=0,
    characters=False,
)
SCORE_WEIGHTS = {
    "cats_score": 1.0,
    "cats_score_desc": None,
    "cats_micro_p": None,
    "cats_micro_r": None,
    "cats_micro_f": None,
    "cats_macro_p": None,
    "cats_macro_r": None,
    "cats_macro_f": None,
    "cats_macro_auc": None,
    "cats_f_per_type": None,
}


@Language.factory(
    "attn_textcat",
    assigns=["doc.cats"],
    default_config={
        "model": default_classifier(exclusive_classes=True),
        "threshold": 0.0,
        "scorer": {"@scorers": "spacy.textcat_scorer.v2"},
    },
    default_score_weights=SCORE_WEIGHTS,
)
def make_attn_textcat(
    nlp: Language,
    name: str,
    model: Model[list[Doc], list[Any]],
    threshold: float,
    scorer: Callable | None,
) -> "AttnTextCategorizer":
    """Build an `attn_textcat` component: exactly one category applies.

    model: From documents to probabilities, `spacy-attnner.AttentionTextClassifier.v1`.
    threshold: Unused for exclusive classes, as in spaCy's `textcat`.
    scorer: spaCy's category scorer.
    """
    component = AttnTextCategorizer(
        nlp.vocab, model, name, threshold=threshold, scorer=scorer
    )
    return component.belongs_to(nlp)


@Language.factory(
    "attn_textcat_multilabel",
    assigns=["doc.cats"],
    default_config={
        "model": default_classifier(exclusive_classes=False),
        "threshold": 0.5,
        "scorer": {"@scorers": "spacy.textcat_multilabel_scorer.v2"},
    },
    default_score_weights=SCORE_WEIGHTS,
)
def make_attn_textcat_multilabel(
    nlp: Language,
    name: str,
    model: Model[list[Doc], list[Any]],
    threshold: float,
    scorer: Callable | None,
) -> "AttnMultiLabelTextCategorizer":
    """Build an `attn_textcat_multilabel` component: any number of categories apply.

    model: From documents to probabilities, `spacy-attnner.AttentionTextClassifier.v1`.
    threshold: Probability from which on the scorer counts a category as predicted.
    scorer: spaCy's category scorer.
    """
    component = AttnMultiLabelTextCategorizer(
        nlp.vocab, model, name, threshold=threshold, scorer=scorer
    )
    return component.belongs_to(nlp)


class _Categories(Configured, FreshStart):
    """What both categorizers change of spaCy's: masking, sorting, settings, checks."""

    SETTINGS = ("threshold",)
    threshold = setting(
        "threshold",
        "Probability from which on the scorer counts a category.",
        check_threshold,
    )

    exclusive: bool
    told_of_sentences = False
    name: str
    model: Model
    cfg: dict[str, Any]
    labels: tuple[str, ...]

    def __init__(self, vocab: Vocab, model: Model, name: str, **settings: Any) -> None:
        require_classes(name, model, exclusive=self.exclusive)
        check_threshold(name, settings.get("threshold", 0.0))
        super().__init__(vocab, model, name, **settings)  # type: ignore[call-arg]

    @cached_property
    def watch(self) -> Watch:
        """What updates brought so far."""
        return Watch()

    def predict(self, docs: Iterable[Doc]) -> Any:
        """Probabilities, shape (n_docs, n_labels); also of documents without tokens."""
        docs = list(docs)
        require_vectors(self.model, docs, self.name, self._owner.find())
        require_initialized(self.name, self.model)
        warn_of_sentences(self, docs)
        predict_empty = self.model.attrs.get("predict_empty")
        if docs and predict_empty is not None and not any(map(len, docs)):
            return self.model.ops.to_numpy(predict_empty(self.model, len(docs)))
        return self.model.ops.to_numpy(self.model.predict(docs))

    def update(self, examples: Iterable[Example], **settings: Any) -> dict[str, float]:
        """As spaCy's; what is not annotated costs nothing."""
        examples = list(examples)
        validate_examples(examples, f"{type(self).__name__}.update")
        require_initialized(self.name, self.model)
        self.watch.count(self.name, TASK, (bool(self._own(eg)) for eg in examples))
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

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """As spaCy's."""
        examples = list(examples)
        warn_of_nothing(self.name, examples)
        return super().score(examples, **kwargs)  # type: ignore[misc]

    def get_loss(self, examples: Iterable[Example], scores: Any) -> tuple[float, Any]:
        """As spaCy's; raises ValueError where the loss is no number."""
        loss, d_scores = super().get_loss(examples, scores)  # type: ignore[misc]
        require_finite(self.name, loss)
        return loss, d_scores

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Iterable[str] | None = None,
        **settings: Any,
    ) -> None:
        """As spaCy's, with labels in alphabetical order.

        Where labels are given, other categories are taken to be another component's:
        they are ignored, here and in updates, and said once where no other has them.
        """
        validate_get_examples(get_examples, f"{type(self).__name__}.initialize")
        survey, found = Survey(self.name, TASK), set()
        for example in get_examples():
            cats = example.reference.cats
            survey.add(example, (cat for cat, value in cats.items() if value))
            found |= cats.keys()
        survey.require_documents()
        with self._fresh(nlp):
            for label in sorted(found) if labels is None else labels:
                self.add_label(label)
            if not self.labels:
                raise ValueError(
                    f"{self.name!r} found no categories in the training data: "
                    "annotate doc.cats, or take the component out of the pipeline"
                )
            self._prepare(survey, sorted(found - set(self.labels)), nlp)
            if labels is None:
                self.cfg["ignored"] = None
            super().initialize(  # type: ignore[misc]
                get_examples, nlp=nlp, labels=self.labels, **settings
            )

    def _prepare(self, survey: Survey, others: list[str], nlp: Language | None) -> None:
        """Say what cannot be learnt; begin to count what updates bring."""
        survey.warn(self.labels, nlp)
        self.cfg["ignored"] = others
        warn_of_strange_categories(self.name, others, nlp)
        self.watch.restart(survey.examples)
        forget_sentences(self)

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


class AttnTextCategorizer(_Categories, TextCategorizer):
    """Exclusive text classification; documents without `cats` cost nothing."""

    exclusive = True

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Iterable[str] | None = None,
        positive_label: str | None = None,
    ) -> None:
        """As spaCy's, with labels in alphabetical order."""
        super().initialize(
            get_examples, nlp=nlp, labels=labels, positive_label=positive_label
        )

    def _validate_categories(self, examples: Iterable[Example]) -> None:
        """As spaCy's, for this component's categories alone."""
        for example in examples:
            values = list(self._own(example).values())
            if values.count(1.0) > 1:
                raise ValueError(Errors.E895.format(value=self._own(example)))
            for value in values:
                if value not in (0.0, 1.0):
                    raise ValueError(Errors.E851.format(val=value))


class AttnMultiLabelTextCategorizer(_Categories, MultiLabel_TextCategorizer):
    """Text classification in which any number of categories may apply."""

    exclusive = False

    def initialize(  # type: ignore[override]
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Iterable[str] | None = None,
    ) -> None:
        """As spaCy's, with labels in alphabetical order."""
        super().initialize(get_examples, nlp=nlp, labels=labels)
