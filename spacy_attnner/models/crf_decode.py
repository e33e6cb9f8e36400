"""What the CRF of `CRFTagger.v1` says of emissions: entities, marginals, k best paths.

All probabilities are those of the scores divided by the model's `temperature`; the
best path does not depend on it. Source: Guo et al. (2017), "On Calibration of Modern
Neural Networks".
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

import numpy
import torch
from spacy.tokens import Doc
from thinc.api import Model, torch2xp, xp2torch
from thinc.types import Floats2d
from thinc.util import get_array_module, is_cupy_array

from ..crf import kernel
from ..crf.chain import FORBIDDEN, Chain, biluo_chain, bounded
from ..crf.decode import best_entities, span_bounds
from ..crf.k_best import combine_k_best, k_best
from ..crf.marginals import log_partition, token_marginals
from .batch import Batch
from .bridge import device_of_array
from .rows import Parts, flatten

CRF_PARAMS = ("transitions", "start", "end")
AT_ONCE = 2**22  # scores decoded at once: bounds the memory
Sequences = list[numpy.ndarray]


class DecodedSpan(NamedTuple):
    """An entity: token offsets in its document, label index, probability."""

    start: int
    end: int
    label: int
    score: float


@dataclass(frozen=True)
class Problem:
    """A batch of emissions and the CRF's scores, where they are computed.

    emissions: Shape (n_tokens, n_tags), document after document.
    chain: Transitions with constraints.
    lengths: Tokens of each sequence that is tagged by itself, a document or a sentence,
        shape (n_sequences,).
    """

    emissions: torch.Tensor
    chain: Chain
    lengths: torch.Tensor


def sequences_of(model: Model, docs: list[Doc]) -> Sequences:
    """Words of each sequence that the model tags by itself, an array per document."""
    batch = Batch.of(docs)
    if not _is_of_sentences(model):
        return list(batch.document_lengths[:, None])
    ends = batch.sentence_counts.cumsum()
    return numpy.split(batch.sentence_lengths, ends[:-1])


def _is_of_sentences(model: Model) -> bool:
    forward: Any = model.get_ref("crf")._func
    return forward.keywords["sentences"]


def _sequence_lengths(batch: Batch, sentences: bool) -> list[numpy.ndarray]:
    return [batch.sentence_lengths if sentences else batch.document_lengths]


def make_problem(
    model: Model,
    emissions: list[Floats2d],
    sequences: Sequences | None = None,
    temperature: float = 1.0,
    *,
    on_host: bool = False,
) -> Problem:
    """Emissions and the model's transitions together, divided by a temperature.

    sequences: Tokens of each sequence, an array per document; whole documents if None.
    on_host: Whether to compute on the host what there is no kernel for.
    """
    arrays = [flatten(model, emissions), *_params(model)]
    flat, *params = _placed(arrays, on_host=on_host)
    device = device_of_array(flat)
    X, *chain = (xp2torch(each, device=device) for each in (flat, *params))
    return Problem(
        X if temperature == 1.0 else bounded(X) / temperature,
        biluo_chain(*chain, temperature=temperature),
        torch.from_numpy(_lengths(emissions, sequences)).to(device),
    )


def _params(model: Model) -> list[Any]:
    layer = model.get_ref("crf")
    return [layer.get_param(name) for name in CRF_PARAMS]


def _placed(arrays: list[Any], *, on_host: bool = False) -> list[Any]:
    """Arrays where the CRF is computed: the host, unless the GPU has the kernel."""
    if not is_cupy_array(arrays[0]) or (kernel.is_usable() and not on_host):
        return arrays
    xp: Any = get_array_module(arrays[0])
    joined = xp.concatenate([each.ravel() for each in arrays]).get()  # one copy
    ends = list(accumulate(each.size for each in arrays))
    parts = numpy.split(joined, ends[:-1])
    return [part.reshape(x.shape) for part, x in zip(parts, arrays, strict=True)]


def _lengths(emissions: list[Floats2d], sequences: Sequences | None) -> numpy.ndarray:
    """Tokens of each sequence, shape (n_sequences,), int64."""
    if sequences is None:
        return numpy.array([len(each) for each in emissions], dtype="int64")
    return numpy.concatenate(sequences).astype("int64", copy=False)


def from_problem(model: Model, X: torch.Tensor) -> Any:
    """What was computed of a problem as an array like the model's own."""
    own = torch2xp(X.float().contiguous())
    return own if is_cupy_array(own) else model.ops.asarray(own)


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
    parts = list(_parts(emissions, sequences))
    batch = getattr(emissions, "batch", None) if len(parts) == 1 else None
    return [each for part in parts for each in _decode(model, *part, t, offset, batch)]


def _parts(
    emissions: list[Floats2d], sequences: Sequences | None
) -> Iterator[tuple[list[Floats2d], Sequences | None]]:
    """Runs of documents of at most `AT_ONCE` scores, or of one longer document."""
    start, size = 0, 0
    for i, scores in enumerate(emissions):
        if i > start and size + scores.size > AT_ONCE:
            yield emissions[start:i], sequences and sequences[start:i]
            start, size = i, 0
        size += scores.size
    if emissions:
        yield emissions[start:], sequences and sequences[start:]


def _decode(
    model: Model,
    emissions: list[Floats2d],
    sequences: Sequences | None,
    temperature: float,
    offset: float,
    batch: Batch | None,
) -> list[list[DecodedSpan]]:
    flat, *params = _placed([flatten(model, emissions), *_params(model)])
    lengths: Any = _lengths(emissions, sequences)
    if is_cupy_array(flat):
        device = device_of_array(flat)
        flat, *params = (xp2torch(x, device=device) for x in (flat, *params))
        if batch is not None:
            each = sequences is not None and _is_of_sentences(model)
            there = batch.there(device, _sequence_lengths, each)
            if numpy.array_equal(batch.here(_sequence_lengths, each)[0], lengths):
                (lengths,) = there or (lengths,)
    entities = best_entities(
        tuple(params),
        flat,
        lengths,
        temperature=temperature,
        log_odds_offset=offset,
    )
    found = _by_document(entities, [len(each) for each in emissions])
    return [[DecodedSpan(*span) for span in spans] for spans in found]


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
    marginals = token_marginals(problem.emissions, problem.chain, problem.lengths)
    return Parts(from_problem(model, marginals), [len(e) for e in emissions])


def crf_entity(
    model: Model,
    emissions: list[Floats2d],
    entity: tuple[int, int, int],
    sequences: Sequences | None = None,
) -> tuple[numpy.ndarray, list[Floats2d]]:
    """Probability of one and the same entity in each document, and its gradient.

    p = Z(paths with the entity) / Z, calibrated as the model is; its gradient is that
    of the log odds, the marginals of those paths minus all paths' own.

    entity: Start, end, and label index.

    Returns probabilities, (n_documents,), and d_emissions, of each p with respect to
    its document's emissions.
    """
    attrs, (start, end, label) = model.attrs, entity
    problem = make_problem(
        model, emissions, sequences, attrs["temperature"], on_host=True
    )
    X, chain, lengths = problem.emissions, problem.chain, problem.lengths
    sizes = [len(each) for each in emissions]
    forced = X.clone()
    for first in numpy.cumsum(sizes) - sizes:
        for row, tag in enumerate(_tags_of(end - start, label), start=first + start):
            forced[row] = FORBIDDEN
            forced[row, tag] = X[row, tag]
    log_p = _of_documents(log_partition(forced, chain, lengths), sizes, lengths)
    log_p = log_p - _of_documents(log_partition(X, chain, lengths), sizes, lengths)
    odds = log_p.clamp_max(-1e-12) - torch.log(-torch.expm1(log_p.clamp_max(-1e-12)))
    p = (odds + attrs["log_odds_offset"]).sigmoid()
    moved = token_marginals(forced, chain, lengths) - token_marginals(X, chain, lengths)
    # d odds = d log_p / (1 - exp(log_p))
    scale = p * (1.0 - p) / -torch.expm1(log_p.clamp_max(-1e-12))
    scale = scale.repeat_interleave(torch.tensor(sizes)) / attrs["temperature"]
    gradient = from_problem(model, moved * scale[:, None])
    return p.numpy(), Parts(gradient, sizes)


def _tags_of(length: int, label: int) -> list[int]:
    """The tags of an entity of so many tokens."""
    begin, inside, last, unit = (1 + 4 * label + i for i in range(4))
    return [unit] if length == 1 else [begin, *[inside] * (length - 2), last]


def _of_documents(
    X: torch.Tensor, sizes: list[int], lengths: torch.Tensor
) -> torch.Tensor:
    """Sums over the sequences of each document, (n_documents,)."""
    ends = torch.tensor(sizes).cumsum(0)
    owners = torch.searchsorted(ends, lengths.cumsum(0))
    return X.new_zeros(len(sizes)).index_add(0, owners, X)


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
    temperature = model.attrs["temperature"]
    problem = make_problem(model, emissions, sequences, temperature, on_host=True)
    tags, scores = k_best(problem.emissions, problem.chain, problem.lengths, k)
    log_z = log_partition(problem.emissions, problem.chain, problem.lengths)
    scores = scores - log_z[:, None]
    if sequences is not None and any(len(s) != 1 for s in sequences):
        counts = torch.tensor([len(s) for s in sequences])
        tags, scores = combine_k_best(tags, scores, problem.lengths, counts)
    log_probabilities = scores.clamp_max(0.0)  # (n_documents, k)
    lengths = [len(e) for e in emissions]
    paths = [span_bounds(path).tolist() for path in tags.T.numpy()]
    ranked = [_by_document(path, lengths) for path in paths]
    return [
        [
            (ranked[rank][doc], math.exp(value))
            for rank, value in enumerate(values)
            if value > FORBIDDEN / 10
        ]
        for doc, values in enumerate(log_probabilities.tolist())
    ]


def _by_document(entities: Iterable[Any], lengths: list[int]) -> list[list[Any]]:
    """Entities of a flat batch, (first, last, …), as (start, end, …) by document."""
    found: list[list[Any]] = [[] for _ in lengths]
    doc, begin, end = -1, 0, 0
    for first, last, *rest in entities:
        while first >= end:
            doc += 1
            begin, end = end, end + lengths[doc]
        found[doc].append((first - begin, last + 1 - begin, *rest))
    return found
