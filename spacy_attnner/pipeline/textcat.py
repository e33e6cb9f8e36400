"""`attn_textcat` and `attn_textcat_multilabel`: spaCy's categorizers over attention."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy
from spacy.language import Language
from spacy.pipeline.textcat import TextCategorizer
from spacy.pipeline.textcat_multilabel import MultiLabel_TextCategorizer
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model, Optimizer

from .base import release_listeners
from .defaults import default_model
from .fresh import FreshStart

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
    return AttnTextCategorizer(
        nlp.vocab, model, name, threshold=threshold, scorer=scorer
    )


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
    return AttnMultiLabelTextCategorizer(
        nlp.vocab, model, name, threshold=threshold, scorer=scorer
    )


class _MaskedCategories(FreshStart):
    """What both categorizers change of spaCy's: masking, sorting, checks."""

    def predict(self, docs: Iterable[Doc]) -> Any:
        """Probabilities, shape (n_docs, n_labels); also of documents without tokens."""
        model = self.model  # type: ignore[attr-defined]
        return model.ops.to_numpy(model.predict(list(docs)))

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """As spaCy's."""
        losses = {} if losses is None else losses
        super().update(examples, drop=drop, sgd=sgd, losses=losses)  # type: ignore[misc]
        release_listeners(self.model)  # type: ignore[attr-defined]
        return losses

    def add_label(self, label: str) -> int:
        """As spaCy's."""
        added = super().add_label(label)  # type: ignore[misc]
        if added:
            self._remember(label)
        return added

    def _sorted_labels(self, examples: Iterable[Example]) -> list[str]:
        """Categories of the training data, in alphabetical order."""
        labels = sorted({cat for example in examples for cat in example.reference.cats})
        if not labels:
            raise ValueError(
                f"{self.name!r} found no categories in the training data: "  # type: ignore[attr-defined]
                "annotate doc.cats, or take the component out of the pipeline"
            )
        return labels

    def _examples_to_truth(
        self, examples: Iterable[Example]
    ) -> tuple[Any, numpy.ndarray]:
        examples = list(examples)
        self._reject_unknown(examples)
        truths, not_missing = super()._examples_to_truth(examples)  # type: ignore[misc]
        for i, example in enumerate(examples):
            if not example.reference.cats:
                not_missing[i] = 0.0
        return truths, not_missing

    def _reject_unknown(self, examples: list[Example]) -> None:
        known = set(self.labels)  # type: ignore[attr-defined]
        for example in examples:
            for cat in example.reference.cats:
                if cat not in known:
                    raise ValueError(
                        f"category {cat!r} is not known to {self.name!r}, "  # type: ignore[attr-defined]
                        f"which knows {sorted(known)}: correct the annotation, or call "
                        f"add_label({cat!r}) before training; the text begins "
                        f"{example.reference.text[:40]!r}"
                    )


class AttnTextCategorizer(_MaskedCategories, TextCategorizer):
    """Exclusive text classification; documents without `cats` cost nothing."""

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Iterable[str] | None = None,
        positive_label: str | None = None,
    ) -> None:
        """As spaCy's, with sorted labels; nothing learnt before stays."""
        if labels is None:
            labels = self._sorted_labels(get_examples())
        with self._fresh(nlp):
            super().initialize(
                get_examples, nlp=nlp, labels=labels, positive_label=positive_label
            )


class AttnMultiLabelTextCategorizer(_MaskedCategories, MultiLabel_TextCategorizer):
    """Text classification in which any number of categories may apply."""

    def initialize(  # type: ignore[override]
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Iterable[str] | None = None,
    ) -> None:
        """As spaCy's, with sorted labels; nothing learnt before stays."""
        if labels is None:
            labels = self._sorted_labels(get_examples())
        with self._fresh(nlp):
            super().initialize(get_examples, nlp=nlp, labels=labels)
