"""What the data lets a component learn, and what is said where that is little."""

import math
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy
from spacy.attrs import ENT_IOB
from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model

FEW = 200  # examples without annotation that a component takes in silence
MISSING, INSIDE, OUTSIDE, BEGIN = range(4)  # as spaCy numbers them
SEEN = "sentences_seen"  # key of a component's `cfg`; absent where they are not used


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

    @property
    def known(self) -> Iterable[str]:
        """The labels that there are."""
        return self.labels

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
            "spacy-attnner.EvenBatches.v1": self.words,
            "spacy.batch_by_sequence.v1": self.examples,
        }.get(batcher.get("@batchers", ""), 0)
        size = batcher.get("size")
        return math.ceil(units / size) if isinstance(size, int) and size else 0


class EntitySurvey(Survey):
    """Counts the tokens that are in an entity, in none, or not annotated.

    incorrect_spans_key: Span group of spans that are no entities, or None.
    """

    def __init__(self, name: str, task: str, incorrect_spans_key: str | None) -> None:
        super().__init__(name, task)
        self.key = incorrect_spans_key
        self.tokens = numpy.zeros(4, dtype="int64")
        self.n_incorrect = 0
        self.n_ragged = self.n_empty = 0

    def add(self, example: Example, labels: Iterable[str]) -> None:
        """Count an example, the labels of its entities and its tokens."""
        super().add(example, labels)
        reference = example.reference
        self.tokens += numpy.bincount(reference.to_array(ENT_IOB), minlength=4)
        for ent in reference.ents:
            is_empty = all(token.is_space for token in ent)
            self.n_empty += is_empty
            self.n_ragged += not is_empty and (ent[0].is_space or ent[-1].is_space)
        if self.key is not None:
            self.n_incorrect += len(reference.spans.get(self.key, []))

    def warn(self, labels: Sequence[str], nlp: Language | None) -> None:
        """As any survey; also where nothing is annotated as being no entity."""
        super().warn(labels, nlp)
        self._warn_of_whitespace()
        inside = int(self.tokens[INSIDE] + self.tokens[BEGIN])
        if not inside or self.tokens[OUTSIDE] or self.n_incorrect:
            return
        warnings.warn(
            f"{self.name!r} would learn that every token is an entity: of the training "
            f"data's tokens {inside:,} are in one, {self.tokens[MISSING]:,} are not "
            "annotated, and none is annotated as outside of all. Annotate whole "
            'documents (in JSONL, "entities" lists all of them; in spaCy, '
            'doc.set_ents(spans, default="outside")), or, where only the arguments of '
            "relations are known, train attn_rel alone on given entities "
            "(spacy attn init-config rel-given)",
            stacklevel=2,
        )

    def _warn_of_whitespace(self) -> None:
        parts = []
        if self.n_ragged:
            parts.append(f"{self.n_ragged} begin or end with whitespace: trimmed")
        if self.n_empty:
            parts.append(f"{self.n_empty} are whitespace alone: left out")
        if parts:
            warnings.warn(
                f"of the entities that {self.name!r} is to learn, {', '.join(parts)}: "
                "mend their annotation, also in the documents that you score on",
                stacklevel=3,
            )


class CategorySurvey(Survey):
    """Counts the categories that apply; those that never do are labels, too."""

    def __init__(self, name: str, task: str) -> None:
        super().__init__(name, task)
        self.categories: set[str] = set()

    def add(self, example: Example, labels: Iterable[str]) -> None:
        """Count an example and the categories that apply to it."""
        super().add(example, labels)
        self.categories |= example.reference.cats.keys()

    @property
    def known(self) -> Iterable[str]:
        """All categories."""
        return self.categories


def warn_of_strange_categories(
    name: str, categories: Iterable[str], nlp: Language | None
) -> None:
    """Say which categories no component of the pipeline is to learn.

    categories: Those of the training data that this component does not know.
    """
    strange = set(categories)
    if nlp is not None:
        settings = nlp.config["initialize"]["components"]
        for other, pipe in nlp.pipeline:
            labels = settings.get(other, {}).get("labels")
            if other == name:
                continue
            if labels is not None and not isinstance(labels, Sequence):
                return  # from a file: not known before that component is initialized
            strange -= {*(labels or ()), *getattr(pipe, "labels", ())}
    if strange:
        warnings.warn(
            f"{name!r} ignores the categories {sorted(strange)} of the training "
            f"data: they are not among initialize.components.{name}.labels, and no "
            "other component has them; add them there, or leave the labels out",
            stacklevel=2,
        )


def warn_of_other_categories(
    name: str, labels: Iterable[str], examples: Iterable[Example]
) -> None:
    """Say that documents to score have categories, and none that is known."""
    others = sorted({cat for each in examples for cat in each.reference.cats})
    if others:
        warnings.warn(
            f"{name!r} is scored on documents that have none of its categories "
            f"{list(labels)}: they have {others}; are the names spelt alike?",
            stacklevel=2,
        )


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


def forget_sentences(pipe: Any) -> None:
    """Note at initialization that a model that uses sentences has seen no document."""
    pipe.cfg.pop(SEEN, None)
    pipe.told_of_sentences = False
    if any(node.attrs.get("sentences") for node in pipe.model.walk()):
        pipe.cfg[SEEN] = None


def note_sentences(pipe: Any, docs: Iterable[Doc]) -> None:
    """Note in an update whether documents have sentence starts."""
    if SEEN in pipe.cfg and not pipe.cfg[SEEN]:
        pipe.cfg[SEEN] = any(map(_has_sentences, docs))


def warn_of_sentences(pipe: Any, docs: Iterable[Doc]) -> None:
    """Say once that documents have the sentence starts that training did not have."""
    if pipe.told_of_sentences or pipe.cfg.get(SEEN) is not False:
        return
    if any(map(_has_sentences, docs)):
        pipe.told_of_sentences = True
        warnings.warn(
            f"{pipe.name!r} reads sentence by sentence where a document has sentence "
            "starts; these documents have some, none that it was trained on had, and "
            "it will find less, unless those were single sentences. Train it with "
            "sentences (spacy-attnner.GoldSentences.v1 as the augmenter of the "
            "training corpus), or take what sets them (a parser, a senter, a "
            "sentencizer) out of the pipeline or behind it",
            stacklevel=2,
        )


def _has_sentences(doc: Doc) -> bool:
    # of one token spaCy says that it is annotated whether it is or not
    return len(doc) > 1 and doc.has_annotation("SENT_START")
