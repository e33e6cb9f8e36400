"""The entities of the best tag paths, and how probable each of them is."""

import math

import numpy
import torch

from ..native import extension
from . import kernel
from .chain import biluo_chain, bounded
from .marginals import span_marginals
from .recursions import LOOP, viterbi

Entity = tuple[int, int, int, float]


def best_entities(
    params: tuple,
    emissions: numpy.ndarray | torch.Tensor,
    lengths: numpy.ndarray | torch.Tensor,
    *,
    temperature: float = 1.0,
    log_odds_offset: float = 0.0,
) -> list[Entity]:
    """The entities of the best path of each sequence, with their exact marginals.

    A probability is p / (p + (1 - p) * exp(-offset)), p its marginal where all scores
    are divided by the temperature. The path is that of a temperature of 1.

    params: Transitions, scores of a first tag and of a last one, without constraints,
        (n_tags, n_tags), (n_tags,) and (n_tags,), arrays like the emissions.
    emissions: Shape (n_tokens, n_tags), sequence after sequence, contiguous: NumPy's,
        or tensors on a device with the kernel.
    lengths: Shape (batch_size,), int64; a tensor only where the emissions are one.

    Returns first flat token, last one, label and probability of each.
    """
    if not len(emissions):
        return []
    if isinstance(emissions, torch.Tensor):
        n = torch.as_tensor(lengths, device=emissions.device)
        found = kernel.decode(params, emissions, n, temperature, log_odds_offset)
        tags, scores = torch.stack([each.double() for each in found]).cpu().numpy()
        bounds = span_bounds(tags.astype("int64"))
        return _entities(bounds, scores[bounds[:, 1]])
    loop = extension(LOOP)
    if loop is not None:
        return loop.decode(*params, emissions, lengths, temperature, log_odds_offset)
    transitions, start, end = map(torch.from_numpy, params)
    X, n = bounded(torch.from_numpy(emissions)), torch.from_numpy(lengths)
    X -= X.amax(-1, keepdim=True)  # sums stay small, and so their rounding
    tags = viterbi(X, biluo_chain(transitions, start, end), n)
    bounds = span_bounds(tags.numpy())
    tempered = biluo_chain(transitions, start, end, temperature)
    spans = torch.from_numpy(bounds[:, :2])
    p = span_marginals(X / temperature, tempered, n, tags, spans)
    p = p / (p + (1.0 - p) * math.exp(-log_odds_offset))
    return _entities(bounds, p.numpy())


def span_bounds(tags: numpy.ndarray) -> numpy.ndarray:
    """First token, last token and label of each entity, shape (n_spans, 3)."""
    kind = numpy.where(tags == 0, -1, (tags - 1) % 4)  # 0..3 = B I L U
    first = numpy.flatnonzero((kind == 0) | (kind == 3))
    last = numpy.flatnonzero((kind == 2) | (kind == 3))
    return numpy.stack([first, last, (tags[first] - 1) // 4], axis=1)


def _entities(bounds: numpy.ndarray, scores: numpy.ndarray) -> list[Entity]:
    pairs = zip(bounds.tolist(), scores.tolist(), strict=True)
    return [(*bound, score) for bound, score in pairs]
