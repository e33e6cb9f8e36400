"""How sure `attn_ner` is of what it predicts for examples, and whether it is right."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy
from spacy.training import Example
from thinc.api import Model
from tqdm import tqdm

from ..annotated import ENTITIES, annotated_labels
from ..confidence.calibration import Calibration, TooFewPredicted, calibrate
from ..models.crf_decode import crf_decode, sequences_of
from .biluo import drop_broken, entity_tags, gold_tags

BATCH_SIZE = 64  # documents
Scored = tuple[Any, numpy.ndarray]  # emissions and tokens of each sequence


def fit_calibration(
    model: Model,
    labels: tuple[str, ...],
    examples: Sequence[Example],
    groups: Sequence[int],
    *,
    margin: float,
    threshold: float,
    keep_threshold: bool,
    min_entities: int,
    progress: bool,
) -> Calibration:
    """Fit the temperature and offset of a `CRFTagger.v1`, which stays as it is.

    labels: The component's, in the order of the model's outputs.
    groups: Number of the document that each example is from.
    threshold: Below which confidence the component drops entities.
    min_entities: How many there have to be at least.

    Raises ValueError where the examples hold no entities, gold or predicted, and
    TooFewPredicted where there are too few of the latter.
    """
    scored: list[Scored] = []
    disable = None if progress else True  # None: unless stderr is no terminal
    with tqdm(total=len(examples), unit=" docs", disable=disable) as bar:
        for batch in _batches([example.predicted for example in examples]):
            sequences = sequences_of(model, batch)
            scored.extend(zip(model.predict(batch), sequences, strict=True))
            bar.update(len(batch))
    decoded = list(_decode(model, scored))
    before = _scores(decoded)
    correct = _judge(labels, examples, decoded)
    n_kept = int((~numpy.isnan(correct[before >= threshold])).sum())
    if n_kept < max(1, min_entities):
        raise TooFewPredicted(_too_few(n_kept, len(examples), threshold))

    def confidences_at(temperature: float) -> numpy.ndarray:
        probe = {"temperature": temperature, "log_odds_offset": 0.0}
        return _scores(_decode(model, scored, **probe))

    return calibrate(
        confidences_at,
        before,
        correct,
        numpy.repeat(groups, [len(spans) for spans in decoded]).tolist(),
        margin,
        threshold=threshold,
        keep_threshold=keep_threshold,
    )


def _judge(
    labels: tuple[str, ...], examples: Sequence[Example], decoded: list[list[Any]]
) -> numpy.ndarray:
    """Whether each predicted entity is right, NaN where that is not known, (n,)."""
    correct: list[float] = []
    n_gold = 0
    for example, spans in zip(examples, decoded, strict=True):
        tags = drop_broken(gold_tags(example))
        n_gold += sum(tag is not None and tag != "O" for tag in tags)
        looked_for = annotated_labels(example.reference, ENTITIES)
        for span in spans:
            gold, label = tags[span.start : span.end], labels[span.label]
            own = entity_tags(span.end - span.start, label)
            unknown = None in gold or (
                looked_for is not None and label not in looked_for
            )
            correct.append(numpy.nan if unknown else float(gold == own))
    if not n_gold:
        raise ValueError(
            f"none of the {len(examples)} documents has annotated entities: calibrate "
            "on documents with gold entities"
        )
    return numpy.array(correct)


def _too_few(n_kept: int, n_docs: int, threshold: float) -> str:
    at_least = f" with a confidence of {threshold:g} or more" if threshold else ""
    if not n_kept:
        return (
            f"no entity is predicted{at_least} in the annotated tokens of {n_docs} "
            "documents: there is no confidence to calibrate; train the component first"
        )
    return (
        f"only {n_kept} entities are predicted{at_least} in the annotated tokens of "
        f"{n_docs} documents: calibrate on more documents"
    )


def _scores(decoded: Iterable[list[Any]]) -> numpy.ndarray:
    return numpy.array([span.score for spans in decoded for span in spans])


def _decode(model: Model, scored: list[Scored], **probe: float) -> Iterator[list[Any]]:
    """Decode under settings of the model, its own or a probe's."""
    for batch in _batches(scored):
        emissions, sequences = map(list, zip(*batch, strict=True))
        yield from crf_decode(model, emissions, sequences, **probe)


def _batches(items: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), BATCH_SIZE):
        yield items[start : start + BATCH_SIZE]
