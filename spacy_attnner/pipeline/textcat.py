"""`attn_textcat` and `attn_textcat_multilabel`: spaCy's categorizers over attention."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy
from spacy.language import Language
from spacy.pipeline.textcat import TextCategorizer
from spacy.pipeline.textcat_multilabel import MultiLabel_TextCategorizer
from spacy.tokens import Doc
from spacy.training import Example, validate_examples
from spacy.vocab import Vocab
from thinc.api import Model

from ..confidence.thresholds import best_thresholds, centred
from .categories import Categories
from .settings import check_thresholds, setting


class AttnTextCategorizer(Categories, TextCategorizer):
    """Exclusive text classification; documents without `cats` cost nothing."""

    exclusive = True

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """As spaCy's; of categories annotated to a degree, the first applies."""
        examples = list(examples)
        gold = {id(each.reference) for each in examples}

        def cats(doc: Doc, attr: str) -> dict[str, float]:
            own = {c: p for c, p in doc.cats.items() if c in self.labels}
            if id(doc) not in gold or not own:
                return own
            first = max(own, key=own.__getitem__)
            return {c: float(c == first and p > 0.0) for c, p in own.items()}

        return super().score(examples, **{"getter": cats, **kwargs})

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


class AttnMultiLabelTextCategorizer(Categories, MultiLabel_TextCategorizer):
    """Text classification in which any number of categories may apply."""

    exclusive = False
    SETTINGS = (*Categories.SETTINGS, "thresholds")
    thresholds = setting(
        "thresholds",
        "From which probability on a category is counted, by category; `threshold` "
        "for those without one.",
        check_thresholds,
    )

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str,
        *,
        thresholds: dict[str, float] | None = None,
        **settings: Any,
    ) -> None:
        check_thresholds(name, thresholds or {})
        super().__init__(vocab, model, name, **settings)
        self.cfg["thresholds"] = thresholds or {}

    def least_of_labels(self) -> dict[str, float]:
        """From which probability on each category applies."""
        return dict.fromkeys(self.labels, self.threshold) | self.thresholds

    def _thresholds(self) -> list[float]:
        if not self.thresholds:
            return super()._thresholds()
        least = self.least_of_labels()
        return [least[each] for each in self.labels]

    def _settings_of(self, thresholds: numpy.ndarray) -> dict[str, Any]:
        if not self.thresholds:
            return super()._settings_of(thresholds)
        return {"thresholds": dict(zip(self.labels, thresholds.tolist(), strict=True))}

    def fit_thresholds(self, examples: Iterable[Example]) -> dict[str, float]:
        """Give each category the threshold with which its F1 is highest.

        They become the setting `thresholds`. Categories that no example has keep the
        threshold that they had.

        examples: Annotated documents that the component was not trained on.

        Raises ValueError where no category is annotated.
        """
        examples = list(examples)
        validate_examples(examples, "AttnMultiLabelTextCategorizer.fit_thresholds")
        examples = list(filter(self.is_annotated, examples))
        truth, known = self._examples_to_truth(examples)
        gold = (self.model.ops.to_numpy(truth) > 0.5) & (known > 0)
        if not gold.any():
            raise ValueError(
                f"no category of {self.name!r} is annotated in the documents: fit "
                "thresholds on documents that have some"
            )
        scores = self.predict([example.predicted for example in examples])
        own = self.thresholds
        found = best_thresholds(
            {each: own.get(each, self.threshold) for each in self.labels},
            numpy.where(known > 0, scores, -1.0),
            gold,
            dict(zip(self.labels, gold.sum(0).tolist(), strict=True)),
        )
        self._fit(thresholds=own | found)
        return found

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """As spaCy's, with the threshold of each category. One that is annotated to a
        degree applies above 0.5.
        """
        examples, own = list(examples), self.thresholds
        gold = {id(each.reference) for each in examples}
        values = (v for each in examples for v in each.reference.cats.values())
        if not own and all(value in (0.0, 1.0) for value in values):
            return super().score(examples, **kwargs)

        def cats(doc: Doc, attr: str) -> dict[str, float]:
            if id(doc) in gold:
                return {c: float(value > 0.5) for c, value in doc.cats.items()}
            return {
                c: centred(p, own.get(c, self.threshold)) for c, p in doc.cats.items()
            }

        return super().score(examples, **{"threshold": 0.5, "getter": cats, **kwargs})

    def initialize(  # type: ignore[override]
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Iterable[str] | None = None,
    ) -> None:
        """As spaCy's, with labels in alphabetical order."""
        super().initialize(get_examples, nlp=nlp, labels=labels)
