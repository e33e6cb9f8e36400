"""`spacy-attnner.CRFTagger.v1`: emissions from any tok2vec, and a constrained CRF."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy
import torch
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import Linear, Model, chain, torch2xp, xp2torch, zero_init
from thinc.types import Floats2d, FloatsXd

from ..layers import crf
from ..layers.viterbi import viterbi
from .lists import flatten, split, tokenwise
from .resize import grow_output

CRF_PARAMS = ("transitions", "start", "end")


@registry.architectures("spacy-attnner.CRFTagger.v1")
def build_crf_tagger(
    tok2vec: Model[list[Doc], list[Floats2d]], nO: int | None = None
) -> Model[list[Doc], list[Floats2d]]:
    """A linear layer over token vectors and the transition scores of a CRF.

    The model's output is the emissions, one (n_tokens, n_tags) array per document. Its
    attributes `crf_loss` and `crf_decode` are functions of (model, emissions, …) that
    apply the transitions; the pipeline component calls them.

    tok2vec: Any layer from documents to token vectors.
    nO: Number of BILUO tags, 4 * n_labels + 1; found from the data if None.
    """
    width = tok2vec.maybe_get_dim("nO")
    emissions = Linear(nO=nO, nI=width, init_W=zero_init)
    transitions: Model = Model(
        "crf_transitions",
        _forward,
        init=_init,
        params=dict.fromkeys(CRF_PARAMS),
        dims={"nO": nO},
    )
    model = chain(tok2vec, tokenwise(emissions), transitions)
    model.set_ref("tok2vec", tok2vec)
    model.set_ref("output_layer", emissions)
    model.set_ref("crf", transitions)
    model.attrs["resize_output"] = grow_output
    model.attrs["crf_loss"] = crf_loss
    model.attrs["crf_decode"] = crf_decode
    return model


def _init(model: Model, X: Any = None, Y: Any = None) -> None:
    n_tags = model.get_dim("nO")
    model.set_param("transitions", model.ops.alloc2f(n_tags, n_tags))
    model.set_param("start", model.ops.alloc1f(n_tags))
    model.set_param("end", model.ops.alloc1f(n_tags))


def _forward(model: Model, X: Any, is_train: bool) -> tuple[Any, Callable]:
    return X, lambda dX: dX


def _chain(model: Model) -> tuple[crf.Chain, torch.device]:
    params = [xp2torch(model.get_ref("crf").get_param(name)) for name in CRF_PARAMS]
    return crf.biluo_chain(*params), params[0].device


def _to_torch(
    model: Model, emissions: list[Floats2d], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    flat = xp2torch(flatten(model, emissions))
    lengths = torch.tensor([len(e) for e in emissions], dtype=torch.int64)
    return flat.to(device), lengths.to(device)


def crf_loss(
    model: Model, emissions: list[Floats2d], allowed: list[numpy.ndarray]
) -> tuple[float, list[Floats2d]]:
    """Loss of the annotations and its gradient with respect to the emissions.

    The gradient of the transitions goes to the model's own parameters, so call this
    once per update, before `finish_update`.

    emissions: Per document, shape (n_tokens, n_tags).
    allowed: Per document, the tags that the annotation admits, bool, same shape.

    Returns the loss in nats, a mean over annotated tokens, and d_emissions.
    """
    chain_, device = _chain(model)
    flat, lengths = _to_torch(model, emissions, device)
    mask = torch.from_numpy(numpy.concatenate(allowed)).to(device)
    result = crf.crf_loss(flat, chain_, lengths, mask)
    known = int((~mask).any(-1).sum())  # tokens, of which batches hold like numbers
    scale = 1.0 / max(1, known)
    layer = model.get_ref("crf")
    for name in CRF_PARAMS:
        gradient = getattr(result, f"d_{name}") * scale
        layer.inc_grad(name, cast(FloatsXd, torch2xp(gradient.float())))
    d_flat = cast(Floats2d, torch2xp((result.d_emissions * scale).float()))
    loss = float(result.loss.sum()) * scale
    return loss, split(d_flat, [len(e) for e in emissions])


@dataclass(frozen=True)
class DecodedSpan:
    """An entity: token offsets in its document, label index, exact marginal."""

    start: int
    end: int
    label: int
    score: float


def crf_decode(model: Model, emissions: list[Floats2d]) -> list[list[DecodedSpan]]:
    """Best valid path of each document, as spans with their marginal probability."""
    lengths = [len(e) for e in emissions]
    if not sum(lengths):
        return [[] for _ in emissions]
    chain_, device = _chain(model)
    flat, lengths_t = _to_torch(model, emissions, device)
    tags = viterbi(flat, chain_, lengths_t)
    bounds = _span_bounds(tags.cpu().numpy())
    spans = torch.from_numpy(bounds[:, :2]).to(device)
    scores = crf.span_marginals(flat, chain_, lengths_t, tags, spans).tolist()
    offsets = numpy.cumsum([0, *lengths])
    docs = numpy.searchsorted(offsets, bounds[:, 0], side="right") - 1
    decoded: list[list[DecodedSpan]] = [[] for _ in emissions]
    for doc, (first, last, label), score in zip(
        docs.tolist(), bounds.tolist(), scores, strict=True
    ):
        base = int(offsets[doc])
        decoded[doc].append(DecodedSpan(first - base, last + 1 - base, label, score))
    return decoded


def _span_bounds(tags: numpy.ndarray) -> numpy.ndarray:
    """First token, last token and label of each entity, shape (n_spans, 3)."""
    kind = numpy.where(tags == 0, -1, (tags - 1) % 4)  # 0..3 = B I L U
    first = numpy.flatnonzero((kind == 0) | (kind == 3))
    last = numpy.flatnonzero((kind == 2) | (kind == 3))
    return numpy.stack([first, last, (tags[first] - 1) // 4], axis=1)
