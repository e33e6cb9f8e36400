"""Which gold relations the candidate pairs reach, and what is said where none is."""

import warnings
from collections.abc import Callable, Iterable
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..relations import RELATIONS_KEY, Relation, get_relations, has_relations
from ..words import words_before
from .rel_gold import Key, PairRows, aligned_key, key_of_words
from .surveys import Survey

MOST_LOST = 0.03  # share of gold relations out of reach that is taken in silence
MOST_RELATIONS = 500  # gold relations in documents without entities, in silence
MOST_UPDATES = 300  # in which a recognizer before it may learn to find entities
STRANGE_DOCS = 20  # documents in which no entity has a label known from training


class RelationSurvey(Survey):
    """Counts the types that relations join, and those out of the candidates' reach."""

    def __init__(self, name: str, task: str, get_candidates: Callable) -> None:
        super().__init__(name, task)
        self.get_candidates = get_candidates
        self.types: set[tuple[str, str]] = set()
        self.lost_arguments = 0
        self.lost_pairs = 0
        self.farthest = 0  # words between head and tail of a lost pair

    def add(self, example: Example, labels: Iterable[str]) -> None:
        """Count an example, its gold labels and those that have no candidate pair."""
        super().add(example, labels)
        reference = example.reference
        relations = get_relations(reference)
        if not relations:
            return
        self.types |= joined_types(relations)
        rows = PairRows(self.get_candidates(reference))
        # without entities it cannot be known which pairs there will be
        known = bool(rows.places) or reference.has_annotation("ENT_IOB")
        for relation in relations if known else ():
            head, tail = key_of_words(relation.head), key_of_words(relation.tail)
            if rows.row(head, tail) is None and not self._is_predicted(
                example, relation
            ):
                self._lose(reference, rows, head, tail)

    def _is_predicted(self, example: Example, relation: Relation) -> bool:
        """Whether the predicted document, as it comes, has the pair."""
        rows = PairRows(self.get_candidates(example.predicted))
        keys = aligned_key(example, relation.head), aligned_key(example, relation.tail)
        return rows.row(*keys) is not None

    def _lose(
        self, doc: Doc, rows: PairRows, head: Key | None, tail: Key | None
    ) -> None:
        if head not in rows.places or tail not in rows.places:
            self.lost_arguments += 1
            return
        self.lost_pairs += 1
        before = words_before(doc)
        first, second = sorted([head, tail])
        between = int(before[second[0]] - before[first[1]])
        self.farthest = max(self.farthest, between)

    def warn(self, labels: Any, nlp: Language | None) -> None:
        """As any survey; also where many relations are out of reach."""
        super().warn(labels, nlp)
        if nlp is not None:
            warn_of_annotating(self.name, nlp)
        lost, total = self.lost_arguments + self.lost_pairs, self.labels.total()
        if lost <= MOST_LOST * total:
            return
        reasons = []
        if self.lost_pairs:
            reasons.append(
                f"{self.lost_pairs:,} because get_candidates leaves out their pair; up "
                f"to {self.farthest} words are between head and tail: set "
                f"components.{self.name}.get_candidates.max_length to {self.farthest}, "
                "or to 0 for no limit, and same_sentence to false if they cross "
                "sentences"
            )
        if self.lost_arguments:
            reasons.append(
                f"{self.lost_arguments:,} because head or tail is not among the spans "
                "that get_candidates takes: annotate both as entities, or put them "
                "into the span group that its spans_key names"
            )
        warnings.warn(
            f"{self.name!r} can neither learn nor find {lost:,} of {total:,} annotated "
            f"relations: {'. '.join(reasons)}",
            stacklevel=2,
        )


def joined_types(relations: Iterable[Relation]) -> set[tuple[str, str]]:
    """Entity types of head and tail that relations join."""
    return {(each.head.label_, each.tail.label_) for each in relations}


def warn_of_annotating(name: str, nlp: Language) -> None:
    """Say which components annotate in training without what they listen to."""
    annotating = nlp.config.interpolate()["training"]["annotating_components"]
    deaf = {
        (listener, upstream)
        for upstream, pipe in nlp.pipeline
        for listener in getattr(pipe, "listening_components", [])
        if listener in annotating and upstream not in annotating
    }
    for listener, upstream in sorted(deaf):
        warnings.warn(
            f"{name!r} would learn from what {listener!r} finds without the vectors of "
            f"{upstream!r}, which is nothing of use: add {upstream!r} to training."
            f"annotating_components, {annotating}",
            stacklevel=2,
        )


class ReachWatch:
    """Counts the gold relations of updates until one has a candidate pair."""

    def __init__(self) -> None:
        self.restart(0)

    def restart(self, n_relations: int) -> None:
        """Begin anew: a pass over the data has this many gold relations."""
        self.limit = min(2 * n_relations or MOST_RELATIONS, MOST_RELATIONS)
        self.done = False
        self.updates = self.seen = self.blind = 0
        self.labels: set[str] = set()

    def count(
        self, name: str, examples: list[Example], batch: list[Any], reached: int
    ) -> None:
        """Take note of an update, and say once that none was reached for long.

        batch: Candidates of each example. reached: Gold relations among their pairs.
        """
        self.done = self.done or reached > 0
        if self.done:
            return
        before = self.seen
        for example, candidates in zip(examples, batch, strict=True):
            n_gold = len(get_relations(example.reference))
            self.seen += n_gold
            if n_gold and not candidates.spans:
                unset = not example.predicted.has_annotation("ENT_IOB")
                self.blind += n_gold * unset
            self.labels.update(span.label_ for span in candidates.spans)
        self.updates += self.seen > before
        blind = self.blind == self.seen and self.seen >= self.limit
        if blind or self.updates >= MOST_UPDATES:
            self.done = True
            self._warn(name)

    def _warn(self, name: str) -> None:
        warnings.warn(
            f"{name!r} learns nothing: of {self.seen:,} annotated relations in its "
            "updates none was between two entities of the predicted documents; "
            f"{self.blind:,} were in documents without any entity annotation, the "
            f"entities elsewhere have the labels {sorted(self.labels)}. Give it gold "
            "entities (spacy-attnner.GoldEntitiesCorpus.v1 as the training corpus, or "
            "`example.predicted.ents`), or those of a component that has learnt their "
            "labels (training.annotating_components: that component and the tok2vec "
            "that it listens to)",
            stacklevel=2,
        )


class TypesWatch:
    """Counts documents until an entity has a label that is known from training."""

    def __init__(self) -> None:
        self.docs = 0
        self.labels: set[str] = set()
        self.done = False

    def count(self, name: str, types: list[list[str]], batch: list[Any]) -> None:
        """Take note of a batch of candidates, and say once that no label is known."""
        if self.done:
            return
        known = {label for pair in types for label in pair}
        for candidates in batch:
            labels = {span.label_ for span in candidates.spans}
            self.done = self.done or bool(labels & known)
            self.docs += len(candidates.spans) > 1
            self.labels |= labels
        if not self.done and self.docs >= STRANGE_DOCS:
            self.done = True
            warnings.warn(
                f"{name!r} finds nothing: the entities of {self.docs} documents have "
                f"the labels {sorted(self.labels)}, the relations that it was trained "
                f"on join {sorted(known)}; let the component that sets entities use "
                "the same labels, or set known_types_only to false",
                stacklevel=2,
            )


def with_gold_spans(example: Example, get_candidates: Callable) -> Any:
    """Candidates of `predicted`, of gold spans where it has no annotation of its own.

    Where nothing set entities, or the span group that the candidates are taken from,
    those of the reference are set for the time being, aligned to the predicted tokens.
    """
    doc = example.predicted
    found = get_candidates(doc)
    if found.spans or not len(doc) or not has_relations(example.reference):
        return found
    groups = {
        key: _aligned(example, group)
        for key, group in example.reference.spans.items()
        if key not in doc.spans and key != RELATIONS_KEY
    }
    unset = not doc.has_annotation("ENT_IOB")
    try:
        doc.spans.update(groups)
        if unset:
            doc.set_ents(_aligned(example, example.reference.ents), default="missing")
        return get_candidates(doc)
    finally:
        for key in groups:
            del doc.spans[key]
        if unset:
            doc.set_ents([], default="missing")


def _aligned(example: Example, spans: Iterable[Span]) -> list[Span]:
    return example.get_aligned_spans_y2x(list(spans), allow_overlap=True)


def warn_of_no_entities(
    name: str, examples: list[Example], get_candidates: Callable
) -> bool:
    """Say that documents to score have no entity; returns whether it was said."""

    def blind(doc: Doc) -> bool:
        return not doc.has_annotation("ENT_IOB") and not get_candidates(doc).spans

    gold = [eg for eg in examples if get_relations(eg.reference)]
    if not gold or not all(blind(example.predicted) for example in gold):
        return False
    warnings.warn(
        f"{name!r} finds nothing in the documents to score: no component has set "
        f"entities in the {len(gold):,} that have gold relations; put one that does "
        "before it, or give them gold entities (spacy-attnner.GoldEntitiesCorpus.v1 as "
        "the development corpus)",
        stacklevel=2,
    )
    return True
