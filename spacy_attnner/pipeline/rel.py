"""`attn_rel`: labelled, directed relations between entities."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy
from spacy.tokens import Doc, Span
from spacy.training import Example, validate_examples
from spacy.vocab import Vocab
from thinc.api import Model, NumpyOps

from ..annotated import RELATIONS, annotated_labels
from ..confidence import confidences
from ..confidence.calibration import Calibration, shift
from ..confidence.thresholds import best_thresholds, same_threshold
from ..extensions import register_relations
from ..models.candidate_pairs import no_candidates
from ..models.entity_pairs import pair_attention, reads_words
from ..models.output_size import UNFITTED
from ..models.rows import flatten
from ..relations import (
    RELATIONS_KEY,
    Relation,
    add_relations,
    get_relations,
    has_relations,
    set_relations,
)
from ..words import n_words
from .base import AttnPipe
from .component import Start
from .rel_gold import gold_labels_of
from .rel_reach import (
    ReachWatch,
    RelationSurvey,
    TypesWatch,
    joined_types,
    warn_of_no_entities,
    with_gold_spans,
)
from .score_calibration import Scored, fit_scores, groups_of
from .settings import (
    check_threshold,
    check_thresholds,
    check_weight,
    loss_weight_setting,
    setting,
)
from .surveys import Survey, warn_of_sentences

MOST = 0.75  # of the documents: where so many have pairs, all are read
OF_OTHER_LABELS = 0.5  # threshold of labels for which none was fitted


def _check_threshold(name: str, value: Any) -> None:
    if value is not None:
        check_threshold(name, value)


class AttnRel(AttnPipe):
    """Finds relations between the entities that a document has: `doc._.relations`."""

    task = "relations"
    SETTINGS = (
        *("threshold", "thresholds", "known_types_only", "entity_confidence"),
        *("overwrite", "relations_key", "loss_weight"),
    )
    loss_weight = loss_weight_setting()
    threshold = setting(
        "threshold",
        "Score from which on a relation is stored; None: see `thresholds`.",
        _check_threshold,
    )
    thresholds = setting(
        "thresholds",
        "The threshold of each label, where `threshold` is None.",
        check_thresholds,
    )
    known_types_only = setting(
        "known_types_only",
        "Whether pairs of types never joined in training are skipped.",
    )
    overwrite = setting("overwrite", "Whether relations that are there are replaced.")
    relations_key = setting("relations_key", "Span group that keeps the relations.")
    entity_confidence = setting(
        "entity_confidence", "Whether scores count how sure the entities are."
    )
    _told_of_no_entities = False

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "attn_rel",
        *,
        get_candidates: Callable,
        threshold: float | None = 0.5,
        thresholds: dict[str, float] | None = None,
        known_types_only: bool = True,
        entity_confidence: bool = True,
        overwrite: bool = True,
        relations_key: str = RELATIONS_KEY,
        loss_weight: float = 1.0,
        scorer: Callable | None = None,
    ) -> None:
        check_weight(name, loss_weight)
        _check_threshold(name, threshold)
        check_thresholds(name, thresholds or {})
        super().__init__(
            vocab,
            model,
            name,
            labels=[],
            threshold=threshold,
            thresholds=thresholds or {},
            known_types_only=known_types_only,
            entity_confidence=entity_confidence,
            overwrite=overwrite,
            relations_key=relations_key,
            loss_weight=loss_weight,
            types=[],
        )
        self.get_candidates = get_candidates
        self.scorer = scorer
        self._reach = ReachWatch()
        self._types = TypesWatch()
        register_relations()

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)  # type: ignore[misc]
        register_relations()  # in the process that it was sent to

    def _check_stored(self) -> None:
        super()._check_stored()
        types = self.cfg.get("types")
        pairs = types if isinstance(types, list) else [None]
        if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
            self._reject(f"the types that relations join are {types!r}, no pairs")

    def gold_labels(self, example: Example) -> Iterable[str]:
        """Relation labels of the reference."""
        return (relation.label for relation in get_relations(example.reference))

    def is_annotated(self, example: Example) -> bool:
        """Whether the reference says which relations there are."""
        return has_relations(example.reference)

    def new_survey(self) -> Survey:
        """Counts the relations that the candidates reach, too."""
        return RelationSurvey(self.name, self.task, self.get_candidates)

    def _initialize(self, start: Start) -> None:
        survey: Any = start.survey  # a `RelationSurvey`
        self._reach.restart(survey.labels.total())
        self.cfg["types"] = []
        self._learn_types(survey.types)
        super()._initialize(start)

    def _learn_types(self, types: set[tuple[str, str]]) -> None:
        """Remember the entity types that relations join."""
        known = {tuple(pair) for pair in self.cfg["types"]}
        self.cfg["types"] = sorted(list(pair) for pair in known | types)

    def candidates(self, doc: Doc) -> Any:
        """The pairs that the component scores in a document."""
        return self._of_known_types(self.get_candidates(doc))

    def _of_known_types(self, found: Any) -> Any:
        if not self.known_types_only or not len(found):
            return found
        return found.of_types({tuple(pair) for pair in self.cfg["types"]})

    def inputs(self, examples: list[Example]) -> list[Any]:
        """Candidate pairs of the predicted documents; none of those without annotation.

        Documents in which nothing has set entities are given the gold ones for it.
        """
        # a label added later may join other types
        gold = (r for eg in examples for r in get_relations(eg.reference))
        self._learn_types(joined_types(gold))
        return [
            self._of_known_types(with_gold_spans(example, self.get_candidates))
            if self.is_annotated(example)
            else no_candidates(example.predicted)
            for example in examples
        ]

    def predict(self, docs: Iterable[Doc]) -> list[tuple[Any, Any]]:
        """Candidate pairs of each document and their scores, (n_pairs, n_labels).

        The score of a pair and a label is P(label | pair), with `entity_confidence`
        times P(head) times P(tail).
        """
        docs = list(docs)
        self.ready([])
        warn_of_sentences(self, docs)
        batch = [self.candidates(doc) for doc in docs]
        if self.known_types_only:
            self._types.count(self.name, self.cfg["types"], batch)
        scores: list[Any] = [numpy.zeros((0, len(self.labels))) for _ in batch]
        busy = [i for i, candidates in enumerate(batch) if len(candidates)]
        if busy and len(busy) >= MOST * len(batch):
            busy = list(range(len(batch)))  # the vectors of some would be copied
        if busy:
            self.ready([batch[i].doc for i in busy])
            logits = self.model.predict([batch[i] for i in busy])
            flat = self._probabilities(
                self.model.ops.to_numpy(flatten(self.model, logits)),
                [batch[i] for i in busy],
            )
            ends = numpy.cumsum([len(batch[i]) for i in busy])
            for i, values in zip(busy, numpy.split(flat, ends[:-1]), strict=True):
                scores[i] = values
        return list(zip(batch, scores, strict=True))

    def _probabilities(
        self, logits: numpy.ndarray, batch: list[Any], temperature: float | None = None
    ) -> numpy.ndarray:
        """Scores of all pairs of documents that have some, (n_pairs, n_labels).

        temperature: Instead of the model's, and without its offset, if it is not None.
        """
        attrs = UNFITTED | self.model.attrs
        offset = attrs["log_odds_offset"] if temperature is None else 0.0
        t = attrs["temperature"] if temperature is None else temperature
        found = NumpyOps().sigmoid(logits if t == 1.0 else logits / t)
        if self.entity_confidence:
            known = numpy.concatenate([_confidence(each) for each in batch])
            found = found * known[:, None]
        return found if offset == 0.0 else shift(found, offset)

    def set_annotations(
        self, docs: Iterable[Doc], scores: list[tuple[Any, Any]]
    ) -> None:
        """Store the relations whose score reaches the threshold."""
        labels, thresholds = self.labels, self._thresholds()
        store = set_relations if self.overwrite else add_relations
        for doc, (candidates, values) in zip(docs, scores, strict=True):
            rows, columns = numpy.nonzero(values >= thresholds)
            store(
                doc,
                [
                    Relation(
                        candidates.spans[candidates.pairs[i, 0]],
                        candidates.spans[candidates.pairs[i, 1]],
                        labels[j],
                        round(float(values[i, j]), 6),
                    )
                    for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
                ],
                self.relations_key,
            )

    def _thresholds(self) -> numpy.ndarray:
        """The score from which on a relation is stored, shape (n_labels,)."""
        if self.threshold is not None:
            return numpy.full(len(self.labels), self.threshold)
        own = self.thresholds
        return numpy.array([own.get(label, OF_OTHER_LABELS) for label in self.labels])

    def fit_thresholds(self, examples: Iterable[Example]) -> dict[str, float]:
        """Give each label the threshold with which its F1 is highest.

        They become the setting `thresholds`, and `threshold` becomes None; a number
        given to it later holds for all labels again. Labels that no pair of the
        examples has keep the threshold that they had.

        examples: Annotated documents that the component was not trained on; `predicted`
            with the entities that the component will find.

        Raises ValueError where no relation is annotated.
        """
        examples = list(examples)
        validate_examples(examples, "AttnRel.fit_thresholds")
        examples = [eg for eg in examples if has_relations(eg.reference)]
        gold = Counter(r.label for eg in examples for r in get_relations(eg.reference))
        if not gold:
            raise ValueError(
                f"no relation is annotated in the documents for {self.name!r}: fit "
                "thresholds on documents that have some"
            )
        before = dict(zip(self.labels, self._thresholds().tolist(), strict=True))
        predicted = self.predict([example.predicted for example in examples])
        truth = [
            self._truth(example, candidates) > 0
            for example, (candidates, _) in zip(examples, predicted, strict=True)
        ]
        found = best_thresholds(
            before,
            numpy.concatenate([scores for _, scores in predicted]),
            numpy.concatenate(truth),
            gold,
        )
        self._fit(thresholds=before | found, threshold=None)
        return found

    def calibrate(
        self,
        examples: Iterable[Example],
        *,
        groups: list[int] | None = None,
        margin: float = 0.0,
        keep_threshold: bool = False,
        min_predicted: int = 0,
    ) -> Calibration:
        """Fit the scores to how often the relations that are kept are right.

        Sets a temperature and a log-odds offset in the model, which are stored with it,
        and expresses `threshold`, or `thresholds`, anew, so that the same relations are
        kept. A model that is trained further has to be calibrated again, and so has
        one whose entities get other confidences, where scores count them.

        examples: Annotated documents that the component was not trained on; `predicted`
            with the entities that the component will find.
        groups: Number of the document that each example is from, where there are
            several of one.
        margin: Standard errors by which scores stay below the best estimate; 0 fits
            the examples as they are.
        keep_threshold: Whether thresholds stay the numbers that they are.
        min_predicted: Relations without which there is too little to fit.

        Raises ValueError where no relation is predicted in an annotated document.
        """
        examples = list(examples)
        validate_examples(examples, "AttnRel.calibrate")
        scored = self._scored(examples, groups_of(examples, groups))
        result, thresholds = fit_scores(
            scored, margin=margin, keep_threshold=keep_threshold, least=min_predicted
        )
        self.model.attrs.update(
            temperature=result.temperature, log_odds_offset=result.log_odds_offset
        )
        self._set_thresholds(thresholds)
        return result

    def keep_as_many(self, before: numpy.ndarray, after: numpy.ndarray) -> None:
        """Express thresholds anew where entities got other confidences.

        So many of the new scores reach the new ones as of the old scores the old ones.

        before, after: Scores of pairs and labels, (n_pairs, n_labels) each; they need
            not be the same pairs.
        """
        thresholds = self._thresholds()
        if self.threshold is not None:
            thresholds, before, after = thresholds[:1], before.ravel(), after.ravel()
        of_each = (scores.reshape(-1, len(thresholds)).T for scores in (before, after))
        for i, (old, new) in enumerate(zip(*of_each, strict=True)):
            n = int((old >= thresholds[i]).sum())
            if 0 < n <= len(new):
                kept = numpy.zeros(len(new), dtype=bool)
                kept[numpy.argsort(-new, kind="stable")[:n]] = True
                thresholds[i] = same_threshold(new, kept, float(thresholds[i]))
        self._set_thresholds(thresholds)

    def _set_thresholds(self, found: numpy.ndarray) -> None:
        """found: The one of all labels, (1,), or that of each, (n_labels,)."""
        if self.threshold is not None:
            self._fit(threshold=float(found[0]))
        else:
            fitted = dict(zip(self.labels, found.tolist(), strict=True))
            self._fit(thresholds=self.thresholds | fitted)

    def _scored(self, examples: list[Example], groups: numpy.ndarray) -> Scored:
        """All pairs and labels of annotated documents."""
        n_labels = len(self.labels)
        logits, batch, correct, of = [], [], [], []
        for example, group in zip(examples, groups.tolist(), strict=True):
            candidates = self.candidates(example.predicted)
            if not self.is_annotated(example) or not len(candidates):
                continue
            self.ready([example.predicted])
            (found,) = self.model.predict([candidates])
            truth = self._truth(example, candidates).astype("float64")
            truth[:, self._looked_for(example) == 0] = numpy.nan
            logits.append(self.model.ops.to_numpy(found))
            batch.append(candidates)
            correct.append(truth.ravel())
            of.append(numpy.full(truth.size, group))
        if not batch:
            raise ValueError(
                f"no pair of entities is found in the annotated documents for "
                f"{self.name!r}: calibrate on documents with relations, in a pipeline "
                "that finds their entities"
            )
        flat = numpy.concatenate(logits)
        n = len(flat)
        own = numpy.zeros(n * n_labels, dtype="int64")
        if self.threshold is None:
            own = numpy.tile(numpy.arange(n_labels), n)
        return Scored(
            lambda t: self._probabilities(flat, batch, t).ravel(),
            self._probabilities(flat, batch).ravel(),
            numpy.concatenate(correct),
            numpy.concatenate(of),
            own,
            self._thresholds() if self.threshold is None else self._thresholds()[:1],
        )

    def attention(
        self, doc: Doc, pairs: Iterable[tuple[Span, Span]]
    ) -> list[numpy.ndarray]:
        """How much ordered pairs of spans attend to each word of their document.

        doc: The document, as it comes to the component.
        pairs: Head and tail of each, `(relation.head, relation.tail)` say.

        Returns for each pair an array of shape (n_heads, n_tokens). Each head's weights
        add up to 1; words further away than the model's `context` have none. Raises
        ValueError where the model has no attention.
        """
        if not reads_words(self.model):
            raise ValueError(
                f"the model of {self.name!r} has no attention over words: use "
                "spacy-attnner.EntityPairAttention.v1 with attention = true"
            )
        self.ready([doc])
        return pair_attention(self.model, doc, list(pairs))

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Score what was predicted and, in one more pass, what is with gold entities.

        Returns what the scorer returns, `spacy-attnner.relation_scorer.v1` as a rule.
        """
        examples = list(examples)
        if not self._told_of_no_entities:
            self._told_of_no_entities = warn_of_no_entities(
                self.name, examples, self.get_candidates
            )
        return super().score(examples, **{"predict": self._annotate, **kwargs})

    def _annotate(self, docs: list[Doc]) -> None:
        self.set_annotations(docs, self.predict(docs))

    def get_loss(
        self, examples: Iterable[Example], scores: list[Any]
    ) -> tuple[float, list[Any]]:
        """Binary cross-entropy of pairs and labels, a mean over annotated words."""
        examples = list(examples)
        return self.loss_of(examples, self.inputs(examples), scores)

    def loss_of(
        self, examples: list[Example], inputs: list[Any], scores: list[Any]
    ) -> tuple[float, list[Any]]:
        """`get_loss` where the candidate pairs are known."""
        ops = self.model.ops
        # over words, as the loss of `attn_ner` is: in an encoder that the two share,
        # neither task drowns the other
        annotated = (eg for eg in examples if has_relations(eg.reference))
        scale = 1.0 / max(1, sum(n_words(eg.predicted) for eg in annotated))
        loss = 0.0
        n_reached = 0
        d_scores = []
        for example, candidates, logits in zip(examples, inputs, scores, strict=True):
            if not has_relations(example.reference) or not len(logits):
                d_scores.append(logits * 0)
                continue
            known = self._truth(example, candidates)
            n_reached += int(known.sum())
            truth: Any = ops.xp.asarray(known)
            probabilities = ops.sigmoid(logits)
            counts = ops.xp.asarray(self._looked_for(example))
            d_scores.append((probabilities - truth) * (counts * scale))
            likelihood = ops.xp.where(truth > 0, probabilities, 1 - probabilities)
            loss -= float((ops.xp.log(likelihood.clip(1e-8, None)) * counts).sum())
        self._reach.count(self.name, examples, inputs, n_reached)
        return loss * scale, d_scores

    def _looked_for(self, example: Example) -> numpy.ndarray:
        """1 for labels that were looked for in a document, else 0; (n_labels,)."""
        found = annotated_labels(example.reference, RELATIONS)
        known = [found is None or label in found for label in self.labels]
        return numpy.array(known, dtype="float32")

    def _truth(self, example: Example, candidates: Any) -> numpy.ndarray:
        return gold_labels_of(example, candidates, self.labels, self.name)


def _confidence(candidates: Any) -> numpy.ndarray:
    """P(head) times P(tail) of each candidate pair, float32, shape (n_pairs,).

    Spans without a confidence are certain.
    """
    found = confidences(candidates.doc, candidates.spans, candidates.spans_key)
    known = numpy.array([1.0 if p is None else p for p in found], dtype="float32")
    return known[candidates.pairs].prod(1)
