"""How sure `attn_ner` is of what it predicts for examples, and whether it is right."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy
from spacy.training import Example
from thinc.api import Model
from tqdm import tqdm

from ..calibration import Calibration, NothingPredicted, calibrate
from .biluo import drop_broken, entity_tags, gold_tags

BATCH_SIZE = 64  # documents
Scored = tuple[Any, numpy.ndarray]  # emissions and tokens of each sequence


def calibrate_model(
    model: Model,
    labels: tuple[str, ...],
    examples: Sequence[Example],
    groups: Sequence[int],
    *,
    margin: float,
    progress: bool,
) -> Calibration:
    """Fit the temperature and offset of a `CRFTagger.v1` and set them.

    labels: The component's, in the order of the model's outputs.
    groups: Number of the document that each example is from.

    Raises ValueError where the examples hold no entities, gold or predicted.
    """
    scored: list[Scored] = []
    disable = None if progress else True  # None: unless stderr is no terminal
    with tqdm(total=len(examples), unit=" docs", disable=disable) as bar:
        for batch in _batches([example.predicted for example in examples]):
            sequences = model.attrs["sequences"](batch)
            scored.extend(zip(model.predict(batch), sequences, strict=True))
            bar.update(len(batch))
    correct, known = _judge(model, labels, examples, scored)
    group_of_entity = numpy.repeat(groups, [len(row) for row in known])
    known_flat = numpy.concatenate(known)

    def confidences_at(temperature: float, offset: float = 0.0) -> numpy.ndarray:
        settings = {"temperature": temperature, "log_odds_offset": offset}
        return _confidences(model, scored, settings)[known_flat]

    old = model.attrs["temperature"], model.attrs["log_odds_offset"]
    result = calibrate(
        confidences_at,
        confidences_at(*old),
        numpy.concatenate(correct)[known_flat],
        group_of_entity[known_flat].tolist(),
        margin,
    )
    model.attrs["temperature"] = result.temperature
    model.attrs["log_odds_offset"] = result.log_odds_offset
    return result


def _judge(
    model: Model,
    labels: tuple[str, ...],
    examples: Sequence[Example],
    scored: list[Scored],
) -> tuple[list[numpy.ndarray], list[numpy.ndarray]]:
    """Whether each predicted entity is right, and whether that is known."""
    correct, known = [], []
    n_gold = n_predicted = 0
    for example, spans in zip(examples, _decode(model, scored), strict=True):
        tags = drop_broken(gold_tags(example))
        gold = [tags[span.start : span.end] for span in spans]
        known.append(numpy.array([None not in row for row in gold], dtype=bool))
        own = [entity_tags(s.end - s.start, labels[s.label]) for s in spans]
        correct.append(numpy.array([a == b for a, b in zip(gold, own, strict=True)]))
        n_gold += sum(tag is not None and tag != "O" for tag in tags)
        n_predicted += int(known[-1].sum())
    if not n_gold:
        raise ValueError(
            f"none of the {len(examples)} documents has annotated entities: calibrate "
            "on documents with gold entities"
        )
    if not n_predicted:
        raise NothingPredicted(
            f"no entity is predicted in the annotated tokens of {len(examples)} "
            "documents: there is no confidence to calibrate; train the component first"
        )
    return correct, known


def _confidences(
    model: Model, scored: list[Scored], settings: dict[str, float]
) -> numpy.ndarray:
    """Confidences of all predicted entities under other settings of the model."""
    old = {name: model.attrs[name] for name in settings}
    model.attrs.update(settings)
    try:
        decoded = _decode(model, scored)
        return numpy.array([span.score for spans in decoded for span in spans])
    finally:
        model.attrs.update(old)


def _decode(model: Model, scored: list[Scored]) -> Iterator[list[Any]]:
    for batch in _batches(scored):
        emissions, sequences = map(list, zip(*batch, strict=True))
        yield from model.attrs["crf_decode"](model, emissions, sequences)


def _batches(items: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), BATCH_SIZE):
        yield items[start : start + BATCH_SIZE]
