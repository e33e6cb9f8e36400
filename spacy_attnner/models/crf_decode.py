"""What the CRF of `CRFTagger.v1` says of emissions: entities, marginals, k best paths.

All probabilities are those of the scores divided by the model's `temperature`; the
best path does not depend on it. Source: Guo et al. (2017), "On Calibration of Modern
Neural Networks".
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy
import torch
from thinc.api import Model, torch2xp, xp2torch
from thinc.types import Floats2d

from ..layers import crf
from ..layers.k_best import combine_k_best, k_best
from ..layers.viterbi import viterbi
from .bridge import device_of_array
from .rows import Parts as split
from .rows import flatten

CRF_PARAMS = ("transitions", "start", "end")
AT_ONCE = 2**22  # scores decoded at once: bounds the memory
Sequences = list[numpy.ndarray]


@dataclass(frozen=True)
class DecodedSpan:
    """An entity: token offsets in its document, label index, probability."""

    start: int
    end: int
    label: int
    score: float


@dataclass(frozen=True)
class Problem:
    """A batch of emissions and the CRF's scores, ready for `layers/crf.py`.

    emissions: Shape (n_tokens, n_tags), document after document.
    chain: Transitions with constraints.
    lengths: Tokens of each sequence that is tagged by itself, a document or a sentence,
        shape (n_sequences,).
    """

    emissions: torch.Tensor
    chain: crf.Chain
    lengths: torch.Tensor


def make_problem(
    model: Model,
    emissions: list[Floats2d],
    sequences: Sequences | None = None,
    temperature: float = 1.0,
) -> Problem:
    """Emissions and the model's transitions together, divided by a temperature.

    sequences: Tokens of each sequence, an array per document; whole documents if None.
    """
    device = device_of_array(model.get_ref("crf").get_param("start"))
    flat = crf.bounded(xp2torch(flatten(model, emissions), device=device))
    if sequences is None:
        sequences = [numpy.array([len(e)]) for e in emissions]
    lengths = torch.from_numpy(numpy.concatenate(sequences).astype("int64"))
    problem = Problem(flat, _chain(model, 1.0), lengths.to(device))
    return problem if temperature == 1.0 else _tempered(model, problem, temperature)


def _tempered(model: Model, problem: Problem, temperature: float) -> Problem:
    return replace(
        problem,
        emissions=problem.emissions / temperature,
        chain=_chain(model, temperature),
    )


def _chain(model: Model, temperature: float) -> crf.Chain:
    arrays: list[Any] = [model.get_ref("crf").get_param(name) for name in CRF_PARAMS]
    device = device_of_array(arrays[0])
    params = [xp2torch(array, device=device).double() for array in arrays]
    return crf.biluo_chain(*(param / temperature for param in params))


def crf_decode(
    model: Model,
    emissions: list[Floats2d],
    sequences: Sequences | None = None,
    *,
    temperature: float | None = None,
    log_odds_offset: float | None = None,
) -> list[list[DecodedSpan]]:
    """Best valid path of each document, as spans with their marginal probability.

    A probability is p / (p + (1 - p) * exp(-offset)), with the exact marginal p at the
    temperature. The path is that of a temperature of 1.

    temperature, log_odds_offset: The model's own if None.
    """
    attrs = model.attrs
    t = attrs["temperature"] if temperature is None else temperature
    offset = attrs["log_odds_offset"] if log_odds_offset is None else log_odds_offset
    parts = _parts(emissions, sequences)
    return [each for part in parts for each in _decode(model, *part, t, offset)]


def _parts(
    emissions: list[Floats2d], sequences: Sequences | None
) -> Iterator[tuple[list[Floats2d], Sequences | None]]:
    """Runs of documents of at most `AT_ONCE` scores, or of one longer document."""
    ends = numpy.cumsum([scores.size for scores in emissions])
    start = 0
    for i in range(1, len(emissions) + 1):
        before = ends[start - 1] if start else 0
        if i == len(emissions) or ends[i] - before > AT_ONCE:
            own = None if sequences is None else sequences[start:i]
            yield emissions[start:i], own
            start = i


def _decode(
    model: Model,
    emissions: list[Floats2d],
    sequences: Sequences | None,
    temperature: float,
    offset: float,
) -> list[list[DecodedSpan]]:
    if not sum(map(len, emissions)):
        return [[] for _ in emissions]
    problem = make_problem(model, emissions, sequences)
    tags = viterbi(problem.emissions, problem.chain, problem.lengths)
    if temperature != 1.0:
        problem = _tempered(model, problem, temperature)
    bounds = span_bounds(tags.cpu().numpy())
    spans = torch.from_numpy(bounds[:, :2]).to(tags.device)
    scores = crf.span_marginals(
        problem.emissions, problem.chain, problem.lengths, tags, spans
    )
    if offset:
        scores = scores / (scores + (1.0 - scores) * math.exp(-offset))
    by_doc = _by_document(bounds, [len(e) for e in emissions])
    found = iter(scores.tolist())
    return [[DecodedSpan(*span, next(found)) for span in doc] for doc in by_doc]


def crf_marginals(
    model: Model, emissions: list[Floats2d], sequences: Sequences | None = None
) -> list[Floats2d]:
    """Probability of every tag at every token, (n_tokens, n_tags) per document."""
    parts = _parts(emissions, sequences)
    return [each for part in parts for each in _marginals(model, *part)]


def _marginals(
    model: Model, emissions: list[Floats2d], sequences: Sequences | None
) -> list[Floats2d]:
    problem = make_problem(model, emissions, sequences, model.attrs["temperature"])
    marginals = crf.token_marginals(
        problem.emissions, problem.chain, problem.lengths
    ).float()
    return split(cast(Floats2d, torch2xp(marginals)), [len(e) for e in emissions])


def crf_k_best(
    model: Model,
    emissions: list[Floats2d],
    k: int,
    sequences: Sequences | None = None,
) -> list[list[tuple[list[tuple[int, int, int]], float]]]:
    """The k most probable tag paths of each document, best first.

    Where a document is several sequences, its paths are the k best combinations of
    theirs, found exactly.

    Returns for each document at most k pairs of the path's entities (start, end, label
    index) and the probability of the whole path; fewer where fewer paths are valid.
    """
    parts = _parts(emissions, sequences)
    return [each for part in parts for each in _k_best(model, k, *part)]


def _k_best(
    model: Model, k: int, emissions: list[Floats2d], sequences: Sequences | None
) -> list[list[tuple[list[tuple[int, int, int]], float]]]:
    problem = make_problem(model, emissions, sequences, model.attrs["temperature"])
    tags, scores = k_best(problem.emissions, problem.chain, problem.lengths, k)
    log_z = crf.log_partition(problem.emissions, problem.chain, problem.lengths)
    scores = scores - log_z[:, None]
    if sequences is not None and any(len(s) != 1 for s in sequences):
        counts = torch.tensor([len(s) for s in sequences]).to(scores.device)
        tags, scores = combine_k_best(tags, scores, problem.lengths, counts)
    log_probabilities = scores.clamp_max(0.0)  # (n_documents, k)
    lengths = [len(e) for e in emissions]
    ranked = [_by_document(span_bounds(path), lengths) for path in tags.T.cpu().numpy()]
    return [
        [
            (ranked[rank][doc], math.exp(value))
            for rank, value in enumerate(values)
            if value > crf.FORBIDDEN / 10
        ]
        for doc, values in enumerate(log_probabilities.tolist())
    ]


def span_bounds(tags: numpy.ndarray) -> numpy.ndarray:
    """First token, last token and label of each entity, shape (n_spans, 3)."""
    kind = numpy.where(tags == 0, -1, (tags - 1) % 4)  # 0..3 = B I L U
    first = numpy.flatnonzero((kind == 0) | (kind == 3))
    last = numpy.flatnonzero((kind == 2) | (kind == 3))
    return numpy.stack([first, last, (tags[first] - 1) // 4], axis=1)


def _by_document(
    bounds: numpy.ndarray, lengths: list[int]
) -> list[list[tuple[int, int, int]]]:
    """Entities of a flat batch as (start, end, label) within each document."""
    offsets = numpy.cumsum([0, *lengths])
    docs = numpy.searchsorted(offsets, bounds[:, 0], side="right") - 1
    spans: list[list[tuple[int, int, int]]] = [[] for _ in lengths]
    for doc, (first, last, label) in zip(docs.tolist(), bounds.tolist(), strict=True):
        base = int(offsets[doc])
        spans[doc].append((first - base, last + 1 - base, label))
    return spans
