"""Scorers of relations: end to end, strict and by boundaries, and with gold entities.

*Strict* (Bekoulis et al. 2018; "with NEC" in Eberts & Ulges 2020): a predicted relation
is right if its label, its direction, and both arguments are, an argument being right if
it begins and ends where the gold one does and has its type. *Boundaries* (Bekoulis et
al. 2018; "without NEC" in Eberts & Ulges 2020): the same, whatever the types of the
arguments. Their third, *relaxed*, where one rightly typed token makes an argument
right, is not computed; scores under it compare with none of these (Taillé et al. 2020).

Whatever the setting, relations are compared, not pairs that a component looked at: a
gold relation that was not predicted is a miss, be it that its arguments are too far
apart, of types that were skipped, or were never found.

- Bekoulis et al. 2018, "Joint entity recognition and relation extraction as a
  multi-head selection problem"
- Eberts & Ulges 2020, "Span-based Joint Entity and Relation Extraction with Transformer
  Pre-training"
- Taillé et al. 2020, "Let's Stop Incorrect Comparisons in End-to-end Relation
  Extraction!"
"""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from spacy.pipeline.spancat import spancat_score
from spacy.scorer import PRFScore, get_ner_prf
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import minibatch, registry

from .annotated import ENTITIES, RELATIONS, annotated_labels, layer
from .confidence import scored_groups
from .relations import copy_doc, drop_relations, get_relations, has_relations
from .span_groups import trimmed

GOLD_ENTITIES = "rel_gold_ents"
BATCH_SIZE = 128  # documents that are copied at a time

Predict = Callable[[list[Doc]], object]


@registry.scorers("spacy-attnner.entity_scorer.v1")
def make_entity_scorer() -> Callable[..., dict[str, Any]]:
    """spaCy's scorer of entities, and of a span group where a component sets it alone,
    without what was not looked for.

    Predicted entities of labels that the reference's corpus does not annotate
    (`MixedCorpus.v1`) are left out, not wrong.
    """
    return score_entities_looked_for


def score_entities_looked_for(
    examples: Iterable[Example], *, set_ents: bool = True, spans_key: str = "", **_: Any
) -> dict[str, Any]:
    """`ents_p`, `ents_r`, `ents_f` and `ents_per_type`, as `spacy.ner_scorer.v1`.

    Without `set_ents`, those of the span group: `spans_KEY_p` and so on, as
    `spacy.spancat_scorer.v1`.
    """
    if set_ents:
        return get_ner_prf([_with_entities_looked_for(each) for each in examples])
    found = [_with_spans_looked_for(each, spans_key) for each in examples]
    return spancat_score(found, spans_key=spans_key)


def _with_entities_looked_for(example: Example) -> Example:
    labels = annotated_labels(example.reference, ENTITIES)
    doc = example.predicted
    if labels is None or all(ent.label_ in labels for ent in doc.ents):
        return example
    copied = copy_doc(doc)
    kept = [ent for ent in copied.ents if ent.label_ in labels]
    copied.set_ents(kept, default="outside")
    return Example(copied, example.reference)


def _with_spans_looked_for(example: Example, key: str) -> Example:
    labels = annotated_labels(example.reference, layer(key))
    spans = example.predicted.spans.get(key, ())
    if labels is None or all(span.label_ in labels for span in spans):
        return example
    copied = copy_doc(example.predicted)
    copied.spans[key] = [span for span in copied.spans[key] if span.label_ in labels]
    return Example(copied, example.reference)


@registry.scorers("spacy-attnner.relation_scorer.v1")
def make_relation_scorer(
    gold_entities: bool = True, spans_key: str = ""
) -> Callable[..., dict[str, Any]]:
    """The scorer of `attn_rel`: `score_relations` and `score_relations_given_entities`.

    gold_entities: Also predict and score the relations between the gold entities, which
        takes one more pass of the component; its scores are None if not.
    spans_key: Span group that the component takes its arguments from; `doc.ents` if
        empty.
    """
    return partial(_score, gold_entities=gold_entities, spans_key=spans_key)


def _score(
    examples: Iterable[Example],
    *,
    gold_entities: bool,
    spans_key: str,
    predict: Predict | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    examples = list(examples)
    given = _scores({}, GOLD_ENTITIES, annotated=False)
    if gold_entities and predict is not None:
        given = score_relations_given_entities(examples, predict, spans_key=spans_key)
    return score_relations(examples, **kwargs) | given


def score_relations(examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
    """Score the relations that were predicted, strictly and by their boundaries.

    Documents whose reference has no relation annotation are left out.

    Returns `rel_p`, `rel_r`, `rel_f` (strict, micro: all relations counted together),
    `rel_macro_p`, `rel_macro_r`, `rel_macro_f` (means over the labels that were
    annotated or predicted), `rel_f_per_type` (`{label: {"p", "r", "f"}}`), and the same
    by boundaries: `rel_boundaries_p`, …, `rel_boundaries_f_per_type`. All are None
    where nothing is annotated.
    """
    strict: dict[str, PRFScore] = {}
    boundaries: dict[str, PRFScore] = {}
    annotated = False
    for example in examples:
        if not has_relations(example.reference):
            continue
        annotated = True
        gold = _relation_keys(example.reference)
        predicted = _looked_for(_relation_keys(example.predicted), example.reference)
        _count(strict, predicted, gold)
        _count(boundaries, _untyped(predicted), _untyped(gold))
    return {
        **_scores(strict, "rel", annotated=annotated),
        **_scores(boundaries, "rel_boundaries", annotated=annotated),
    }


def score_relations_given_entities(
    examples: Iterable[Example], predict: Predict, *, spans_key: str = ""
) -> dict[str, Any]:
    """Score the relations that are predicted between the gold entities, strictly.

    The predicted documents are copied, with their tensors, sentences and all else, and
    the entities of the copies replaced by those of the references; what the examples
    predict stays as it is. A gold entity that stands on no predicted tokens cannot be
    given, and its relations are misses.

    examples: Those without relation or entity annotation are left out.
    predict: Sets relations on a list of documents.
    spans_key: Span group whose spans are given instead of `doc.ents`, if not empty.

    Returns `rel_gold_ents_p`, `_r`, `_f`, `_macro_p`, `_macro_r`, `_macro_f` and
    `_f_per_type`; None for all where nothing is annotated.
    """
    annotated = (eg for eg in examples if _is_annotated(eg.reference, spans_key))
    per_type: dict[str, PRFScore] = {}
    scored = False
    for batch in minibatch(annotated, BATCH_SIZE):
        docs = [_with_gold_entities(example, spans_key) for example in batch]
        predict(docs)
        for example, doc in zip(batch, docs, strict=True):
            predicted = _looked_for(_relation_keys(doc), example.reference)
            _count(per_type, predicted, _relation_keys(example.reference))
        scored = True
    return _scores(per_type, GOLD_ENTITIES, annotated=scored)


def _is_annotated(reference: Doc, spans_key: str) -> bool:
    entities = (
        spans_key in reference.spans
        if spans_key
        else reference.has_annotation("ENT_IOB")
    )
    return entities and has_relations(reference)


def _with_gold_entities(example: Example, spans_key: str) -> Doc:
    """A copy of the predicted document with the gold entities and no relations.

    What is given is certain: the confidences of predicted spans are left out, too.
    """
    scored = [key for key, _ in scored_groups(example.predicted)]
    doc = copy_doc(example.predicted, leave_out=(spans_key, *scored))
    drop_relations(doc)
    reference = example.reference
    gold = reference.spans[spans_key] if spans_key else reference.ents
    aligned = example.get_aligned_spans_y2x(gold, allow_overlap=bool(spans_key))
    spans = [Span(doc, span.start, span.end, span.label) for span in aligned]
    if spans_key:
        doc.spans[spans_key] = spans
    else:
        doc.set_ents(spans, default="outside")
    return doc


def _relation_keys(doc: Doc) -> Counter:
    return Counter(
        (argument_key(each.head), argument_key(each.tail), each.label)
        for each in get_relations(doc)
    )


def _looked_for(keys: Counter, reference: Doc) -> Counter:
    """Without relations of labels that were not looked for in the reference."""
    labels = annotated_labels(reference, RELATIONS)
    if labels is None:
        return keys
    return Counter({key: n for key, n in keys.items() if key[-1] in labels})


def argument_key(span: Span) -> tuple[int, int, str]:
    """Type and characters, without whitespace at the edges."""
    words = trimmed(span) or span
    return words.start_char, words.end_char, span.label_


def _untyped(keys: Counter) -> Counter:
    # a pair that is given under two types still counts twice
    counts: Counter = Counter()
    for (head, tail, label), n in keys.items():
        counts[head[:2], tail[:2], label] += n
    return counts


def _count(per_type: dict[str, PRFScore], predicted: Counter, gold: Counter) -> None:
    for key in predicted.keys() | gold.keys():
        n_predicted, n_gold = predicted[key], gold[key]
        correct = min(n_predicted, n_gold)
        score = per_type.setdefault(key[-1], PRFScore())
        score.tp += correct
        score.fp += n_predicted - correct
        score.fn += n_gold - correct


def _scores(
    per_type: dict[str, PRFScore], prefix: str, *, annotated: bool
) -> dict[str, Any]:
    micro = PRFScore()
    for score in per_type.values():
        micro += score
    by_label = {label: per_type[label].to_dict() for label in sorted(per_type)}
    scores: dict[str, Any] = {}
    for letter, value in micro.to_dict().items():
        scores[f"{prefix}_{letter}"] = value
        total = sum(each[letter] for each in by_label.values())
        scores[f"{prefix}_macro_{letter}"] = total / max(1, len(by_label))
    scores[f"{prefix}_f_per_type"] = by_label
    return scores if annotated else dict.fromkeys(scores)
