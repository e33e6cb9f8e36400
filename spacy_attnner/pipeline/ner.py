"""`attn_ner`: named entities from a tagger with a constrained CRF."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy
from spacy.tokens import Doc, Span
from spacy.training import Example, validate_examples
from spacy.vocab import Vocab
from thinc.api import Model, Optimizer

from ..annotated import ENTITIES, KEY, annotated_labels, layer, set_annotated_labels
from ..confidence import CONFIDENCES_KEY, scores_of, set_confidences
from ..confidence.calibration import MARGIN, Calibration
from ..extensions import register_confidence
from ..layers.layout import runs
from ..models.batch import Batch
from ..models.crf_decode import crf_decode, crf_k_best, crf_marginals, sequences_of
from ..models.crf_tagger import crf_loss, crf_rehearsal
from ..words import n_words, tokens_of, word_places
from .base import AttnPipe
from .biluo import allowed_tags, incorrect_paths
from .ner_calibration import fit_calibration
from .settings import (
    check_threshold,
    check_weight,
    is_number,
    loss_weight_setting,
    setting,
)
from .surveys import EntitySurvey, Survey
from .upstream import release_listeners

SPANS_KEY = CONFIDENCES_KEY
AT_ONCE = 100_000  # tokens predicted at once, which bounds the memory


@dataclass(frozen=True)
class Reading:
    """One way to read a document: its entities and the probability of exactly those."""

    ents: list[Span]
    probability: float

    def __repr__(self) -> str:
        ents = ", ".join(f"{ent.text!r}: {ent.label_}" for ent in self.ents)
        return f"Reading({{{ents}}}, probability={self.probability:.6g})"


class AttnNER(AttnPipe):
    """Finds `doc.ents` and says how sure it is of each: `span._.confidence`."""

    task = "entities"
    SETTINGS = (
        *("spans_key", "threshold", "overwrite", "incorrect_spans_key"),
        *("set_ents", "loss_weight"),
    )
    set_ents = setting(
        "set_ents", "Whether it learns and sets `doc.ents`, or its span group alone."
    )
    loss_weight = loss_weight_setting()
    spans_key = setting("spans_key", "Span group of the entities with their scores.")
    threshold = setting(
        "threshold", "Entities with a smaller confidence are dropped.", check_threshold
    )
    overwrite = setting("overwrite", "Whether entities that are there are replaced.")
    incorrect_spans_key = setting(
        "incorrect_spans_key", "Span group of spans known not to be entities, or None."
    )

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "attn_ner",
        *,
        spans_key: str = SPANS_KEY,
        threshold: float = 0.0,
        overwrite: bool = True,
        incorrect_spans_key: str | None = None,
        set_ents: bool = True,
        loss_weight: float = 1.0,
        scorer: Callable | None = None,
    ) -> None:
        check_threshold(name, threshold)
        check_weight(name, loss_weight)
        super().__init__(
            vocab,
            model,
            name,
            labels=[],
            spans_key=spans_key,
            threshold=threshold,
            overwrite=overwrite,
            incorrect_spans_key=incorrect_spans_key,
            set_ents=set_ents,
            loss_weight=loss_weight,
        )
        self.scorer = scorer
        register_confidence()

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)  # type: ignore[misc]
        register_confidence()  # in the process that it was sent to

    def view(self, example: Example) -> Example:
        """Without `set_ents`, the span group of the reference as its entities."""
        if self.set_ents:
            return example
        reference = example.reference.copy()
        reference.user_data = {k: v for k, v in reference.user_data.items() if k != KEY}
        looked_for = annotated_labels(example.reference, layer(self.spans_key))
        if looked_for is not None:
            set_annotated_labels(reference, ENTITIES, looked_for)
        group = reference.spans.get(self.spans_key)
        if group is None:
            reference.set_ents([], default="missing")
        else:
            reference.set_ents(_apart(group, self.name), default="outside")
        return Example(example.predicted, reference)

    def gold_labels(self, example: Example) -> Iterable[str]:
        """Entity labels of the reference."""
        return (ent.label_ for ent in example.reference.ents)

    def is_annotated(self, example: Example) -> bool:
        """Whether the reference says which entities there are, or are not."""
        key = self.incorrect_spans_key
        reference = example.reference
        if key in reference.spans:
            return True
        if self.set_ents:
            return reference.has_annotation("ENT_IOB")
        return self.spans_key in reference.spans

    def new_survey(self) -> Survey:
        """Counts the tokens outside of entities, too."""
        return EntitySurvey(self.name, self.task, self.incorrect_spans_key)

    def n_outputs(self, n_labels: int) -> int:
        """BILUO tags of a number of labels."""
        return 4 * n_labels + 1

    def _check_stored(self) -> None:
        super()._check_stored()
        temperature = self.model.attrs["temperature"]
        offset = self.model.attrs["log_odds_offset"]
        if not is_number(temperature) or temperature <= 0.0:
            self._reject(f"its temperature {temperature!r} is no positive number")
        if not is_number(offset):
            self._reject(f"its log-odds offset {offset!r} is no number")

    def predict(self, docs: Iterable[Doc]) -> list[list[Any]]:
        """Decode each document: its entities with their marginal probability."""
        docs = list(docs)
        self.ready(docs)
        return [ents for part in _parts(docs) for ents in self._decode(part)]

    def _decode(self, batch: Batch) -> list[list[Any]]:
        if not batch.document_lengths.any():
            return [[] for _ in batch]
        emissions = self.model.predict(batch)
        found = crf_decode(self.model, emissions, self._sequences(batch))
        if batch.words is None:
            return found
        pairs = zip(batch, found, strict=True)
        return [_on_tokens(doc, spans) for doc, spans in pairs]

    def set_annotations(self, docs: Iterable[Doc], scores: list[list[Any]]) -> None:
        """Set `doc.ents` and the span group that holds the component's scores.

        Without `overwrite`, entities that it had set before keep theirs; of a layer
        without `set_ents`, those that somebody else put there are certain.
        """
        labels, threshold, key = self.labels, self.threshold, self.spans_key
        overwrite, set_ents = self.overwrite, self.set_ents
        for doc, decoded in zip(docs, scores, strict=True):
            taken = [] if overwrite else self._there(doc)
            busy = {i for ent in taken for i in range(ent.start, ent.end)}
            entities = [
                (Span(doc, span.start, span.end, label=labels[span.label]), span.score)
                for span in decoded
                if span.score >= threshold
                and not busy.intersection(range(span.start, span.end))
            ]
            known = scores_of(doc, taken, key, layer=not set_ents) if taken else []
            if not set_ents:
                found = dict(known)
                known = [(span, found.get(span, 1.0)) for span in taken]
            own = [*known, *entities]
            own.sort(key=lambda entity: entity[0].start)
            if set_ents:
                spans = [*taken, *(span for span, _ in entities)]
                doc.set_ents(spans, default="outside")
            set_confidences(doc, own, key, layer=not set_ents)

    def _there(self, doc: Doc) -> list[Span]:
        """Entities that a document has."""
        return list(doc.ents if self.set_ents else doc.spans.get(self.spans_key, ()))

    def get_loss(
        self, examples: Iterable[Example], scores: list[Any]
    ) -> tuple[float, list[Any]]:
        """CRF loss of the gold entities; tokens without annotation are summed out."""
        examples = list(examples)
        return self.loss_of(examples, self.inputs(examples), scores)

    def loss_of(
        self, examples: list[Example], inputs: list[Any], scores: list[Any]
    ) -> tuple[float, list[Any]]:
        """`get_loss` where the documents are laid out."""
        known = [i for i, each in enumerate(examples) if self.is_annotated(each)]
        if len(known) < len(examples):
            return self._loss_of_some(known, examples, inputs, scores)
        examples = list(map(self.view, examples))
        ids = {label: i for i, label in enumerate(self.labels)}
        sequences = self._sequences(inputs)
        pairs = list(zip(examples, sequences, strict=True))
        allowed = [allowed_tags(eg, ids, self.name, lengths) for eg, lengths in pairs]
        key = self.incorrect_spans_key
        incorrect = []
        if key is not None:
            incorrect = [
                incorrect_paths(eg, key, ids, lengths) for eg, lengths in pairs
            ]
        return crf_loss(self.model, scores, allowed, incorrect, sequences)

    def _loss_of_some(
        self,
        known: list[int],
        examples: list[Example],
        inputs: list[Any],
        scores: list[Any],
    ) -> tuple[float, list[Any]]:
        """`loss_of` for those of the documents that are annotated."""
        loss, d_scores = 0.0, [each * 0 for each in scores]
        if known:
            loss, found = self.loss_of(
                [examples[i] for i in known],
                Batch(inputs[i] for i in known),
                [scores[i] for i in known],
            )
            for i, each in zip(known, found, strict=True):
                d_scores[i] = each
        return loss, d_scores

    def rehearse(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Move back towards what the model predicted before training was resumed.

        The loss is the divergence of all readings' probabilities from those of the
        model as it was when `nlp.resume_training` was called; before that, nothing
        happens. It needs no annotation: texts like those of the first training will do.
        Labels added since are taken not to be in them.

        examples: Their `predicted` documents are read. drop, sgd, losses: As in
            `update`.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "AttnNER.rehearse")
        docs = Batch(example.predicted for example in examples)
        if self._rehearsal_model is None or not any(map(n_words, docs)):
            return losses
        self.ready(docs)
        release_listeners(self.model)
        teacher = self._rehearsal_model
        sequences = self._sequences(docs)
        self._learn(
            docs,
            lambda emissions: crf_rehearsal(
                self.model, emissions, teacher, teacher.predict(docs), sequences
            ),
            drop=drop,
            sgd=sgd,
            losses=losses,
        )
        return losses

    def token_marginals(
        self, docs: Iterable[Doc]
    ) -> tuple[list[numpy.ndarray], tuple[str, ...]]:
        """Probability of every BILUO tag at every token; whitespace is O.

        docs: Documents as they come to the component.

        Returns an array of shape (n_tokens, n_tags) for each document, and the names of
        the tags. Of a calibrated model, they are those at its temperature.
        """
        docs = Batch(docs)
        marginals = crf_marginals(
            self.model, self._emissions(docs), self._sequences(docs)
        )
        names = (f"{kind}-{label}" for label in self.labels for kind in "BILU")
        arrays = map(self.model.ops.to_numpy, marginals)
        pairs = zip(docs, arrays, strict=True)
        return [_with_whitespace(doc, array) for doc, array in pairs], ("O", *names)

    def k_best(self, docs: Iterable[Doc], k: int) -> list[list[Reading]]:
        """The k most probable readings of each document, best first.

        docs: Documents as they come to the component; they stay as they are.
        k: How many; a short document may have fewer.

        The probability of a reading is that of all its entities and of nothing else
        being one, so in a long document even the best may have a small one. Raises
        ValueError if k is less than 1.
        """
        docs = Batch(docs)
        paths = crf_k_best(self.model, self._emissions(docs), k, self._sequences(docs))
        return [
            [Reading(self._spans(doc, spans), p) for spans, p in readings]
            for doc, readings in zip(docs, paths, strict=True)
        ]

    def _spans(self, doc: Doc, found: list[tuple[int, int, int]]) -> list[Span]:
        """Spans of a document of first word, end and label."""
        places = word_places(doc)
        labels = self.labels
        return [
            Span(doc, *tokens_of(places, start, end), labels[label])
            for start, end, label in found
        ]

    def _emissions(self, docs: list[Doc]) -> list[Any]:
        """The model's output, an array of shape (n_words, n_tags) for each document."""
        self.ready(docs)
        return self.model.predict(docs) if docs else []

    def _sequences(self, docs: list[Doc]) -> list[numpy.ndarray]:
        """Words of each sequence that is tagged by itself, an array per document."""
        return sequences_of(self.model, docs)

    def calibrate(
        self,
        examples: Iterable[Example],
        *,
        groups: Sequence[int] | None = None,
        margin: float = MARGIN,
        keep_threshold: bool = False,
        min_entities: int = 0,
        progress: bool = False,
    ) -> Calibration:
        """Fit the confidences to how often the entities that are kept are right.

        Sets a temperature and a log-odds offset in the model, which are stored with it,
        and expresses `threshold` anew, so that it keeps the same entities. Only the end
        sets them, all at once. A model that is trained further has to be calibrated
        again.

        examples: Annotated documents that the model was not trained on, as they come to
            the component. Entities at tokens without annotation are left out.
        groups: Number of the document that each example is from, where examples are
            sentences; every example is a document of its own if None.
        margin: Standard errors by which confidences stay below the best estimate; 0
            fits the examples as they are, for use on documents that are just like them.
        keep_threshold: Whether `threshold` stays the number that it is, and other
            entities are kept.
        min_entities: Entities without which there is too little to fit.
        progress: Show a progress bar on stderr, if that is a terminal.

        What is worse than before on the examples is said by the result's `warning`.
        Raises ValueError where the examples hold no entities, gold or predicted;
        `calibration.TooFewPredicted` is one.
        """
        examples = list(examples)
        validate_examples(examples, "AttnNER.calibrate")
        examples = list(map(self.view, examples))
        self.ready([example.predicted for example in examples])
        result = fit_calibration(
            self.model,
            self.labels,
            examples,
            range(len(examples)) if groups is None else groups,
            margin=margin,
            threshold=self.threshold,
            keep_threshold=keep_threshold,
            min_entities=min_entities,
            progress=progress,
        )
        self.model.attrs.update(
            temperature=result.temperature, log_odds_offset=result.log_odds_offset
        )
        self._fit(threshold=result.threshold)
        return result


def _apart(spans: Iterable[Span], name: str) -> list[Span]:
    """The spans; raises ValueError where two overlap."""
    ordered = sorted(spans, key=lambda span: (span.start, span.end))
    for one, other in pairwise(ordered):
        if other.start < one.end:
            raise ValueError(
                f"the spans {one.text!r} and {other.text!r} that {name!r} is to learn "
                "overlap: leave one out, it tags every word once"
            )
    return ordered


def _on_tokens(doc: Doc, spans: list[Any]) -> list[Any]:
    """Spans of words as spans of tokens, of which some are whitespace."""
    places = word_places(doc)
    if places is None:
        return spans
    bounds = (tokens_of(places, span.start, span.end) for span in spans)
    return [
        span._replace(start=start, end=end)
        for span, (start, end) in zip(spans, bounds, strict=True)
    ]


def _with_whitespace(doc: Doc, marginals: numpy.ndarray) -> numpy.ndarray:
    """Probabilities of words, (n_words, n_tags), as those of all tokens."""
    places = word_places(doc)
    if places is None:
        return marginals
    tokens = numpy.zeros((len(doc), marginals.shape[1]), dtype=marginals.dtype)
    tokens[:, 0] = 1.0
    tokens[places] = marginals
    return tokens


def _parts(docs: list[Doc]) -> Iterator[Batch]:
    """Runs of documents of at most `AT_ONCE` tokens, or of one longer document."""
    sizes = [len(doc) for doc in docs]
    return (Batch(docs[own]) for _, own in runs(sizes, AT_ONCE))
