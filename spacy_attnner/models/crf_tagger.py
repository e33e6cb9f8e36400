"""`spacy-attnner.CRFTagger.v1`: emissions from any tok2vec, and a constrained CRF.

And what trains it: the loss of annotations, and the distance from an earlier copy.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy
import torch
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import Linear, Model, zero_init
from thinc.types import Floats2d

from ..crf.chain import FORBIDDEN, Chain
from ..crf.loss import CRFLoss, path_divergence, path_loss
from .chains import chain_of_words
from .crf_decode import CRF_PARAMS, Problem, Sequences, from_problem, make_problem
from .rows import Parts, rowwise
from .workers import one_thread_in_workers


@registry.architectures("spacy-attnner.CRFTagger.v1")
def build_crf_tagger(
    tok2vec: Model[list[Doc], list[Floats2d]],
    nO: int | None = None,
    temperature: float = 1.0,
    sentences: bool = False,
) -> Model[list[Doc], list[Floats2d]]:
    """A linear layer over token vectors and the transition scores of a CRF.

    The model's output is the emissions, one (n_words, n_tags) array per document: of
    tokens that are whitespace there are none. What applies the transitions to them are
    the functions `crf_loss` and `crf_rehearsal` below, and those of `crf_decode.py`.
    The attributes `temperature` and `log_odds_offset` calibrate probabilities and are
    stored with the weights; training ignores them.

    tok2vec: Any layer from documents to token vectors.
    nO: Number of BILUO tags, 4 * n_labels + 1; found from the data if None.
    temperature: Divides all scores before probabilities are taken of them; a model
        that was calibrated and stored brings its own.
    sentences: Tag every sentence by itself where a document has sentence starts, so
        that no entity crosses one; a document without them is one sequence.

    Raises ValueError if the temperature is not positive.
    """
    if not temperature > 0.0:
        raise ValueError(f"temperature {temperature} is not positive")
    width = tok2vec.maybe_get_dim("nO")
    emissions = Linear(nO=nO, nI=width, init_W=zero_init)
    transitions: Model = Model(
        "crf_transitions",
        partial(
            _forward, sentences=sentences
        ),  # as the config says, not what is stored
        init=_init,
        params=dict.fromkeys(CRF_PARAMS),
        dims={"nO": nO},
    )
    model = chain_of_words(tok2vec, rowwise(emissions), transitions)
    model.set_ref("tok2vec", model.layers[0])
    model.set_ref("output_layer", emissions)
    model.set_ref("crf", transitions)
    model.init = partial(_init_tagger, model.init, temperature)
    model.attrs["sentences"] = sentences
    model.attrs["temperature"] = temperature
    model.attrs["log_odds_offset"] = 0.0
    return model


def _init_tagger(
    init: Callable, temperature: float, model: Model, X: Any = None, Y: Any = None
) -> None:
    """Initialize all layers, and take back what a calibration has set."""
    model.attrs["temperature"] = temperature
    model.attrs["log_odds_offset"] = 0.0
    init(model, X=X, Y=Y)


def _init(model: Model, X: Any = None, Y: Any = None) -> None:
    n_tags = model.get_dim("nO")
    model.set_param("transitions", model.ops.alloc2f(n_tags, n_tags))
    model.set_param("start", model.ops.alloc1f(n_tags))
    model.set_param("end", model.ops.alloc1f(n_tags))


def _forward(
    model: Model, X: Any, is_train: bool, *, sentences: bool
) -> tuple[Any, Callable]:
    one_thread_in_workers()  # the functions below use PyTorch
    return X, lambda dX: dX


def crf_loss(
    model: Model,
    emissions: list[Floats2d],
    allowed: list[numpy.ndarray],
    incorrect: Sequence[list[numpy.ndarray]] = (),
    sequences: Sequences | None = None,
) -> tuple[float, list[Floats2d]]:
    """Loss of the annotations and its gradient with respect to the emissions.

    The gradient of the transitions goes to the model's own parameters, so call this
    once per update, before `finish_update`.

    emissions: Per document, shape (n_tokens, n_tags).
    allowed: Per document, the tags that the annotation admits, bool, same shape.
    incorrect: Per document any number of arrays like `allowed`: paths that are wrong.
    sequences: Per document, the tokens of each sequence; whole documents if None.

    Returns the loss in nats, a mean over annotated tokens and incorrect paths, and
    d_emissions.
    """
    problem = make_problem(model, emissions, sequences)
    mask = torch.from_numpy(numpy.concatenate(allowed)).to(problem.lengths.device)
    wrong = [mask.to(problem.lengths.device) for mask in _rounds(allowed, incorrect)]
    result = path_loss(problem.emissions, problem.chain, problem.lengths, mask, wrong)
    known = int((~mask).any(-1).sum())  # tokens, of which batches hold like numbers
    known += sum(map(len, incorrect))
    scale = 1.0 / max(1, known)
    loss = float(result.loss.sum()) * scale
    return loss, _gradients(model, emissions, result, scale)


def _gradients(
    model: Model, emissions: list[Floats2d], result: CRFLoss, scale: float
) -> list[Floats2d]:
    """Give the CRF's parameters theirs; returns those of the emissions."""
    layer = model.get_ref("crf")
    for name in CRF_PARAMS:
        gradient = getattr(result, f"d_{name}") * scale
        layer.inc_grad(name, from_problem(model, gradient))
    d_flat = from_problem(model, result.d_emissions * scale)
    return Parts(d_flat, [len(e) for e in emissions])


def _rounds(
    allowed: list[numpy.ndarray], incorrect: Sequence[list[numpy.ndarray]]
) -> Iterator[torch.Tensor]:
    """The first incorrect paths of all documents, the second, …; open where none is.

    Yields masks of the whole batch, shape (n_tokens, n_tags).
    """
    for i in range(max(map(len, incorrect), default=0)):
        masks = [
            wrong[i] if i < len(wrong) else numpy.ones_like(open_)
            for open_, wrong in zip(allowed, incorrect, strict=True)
        ]
        yield torch.from_numpy(numpy.concatenate(masks))


def crf_rehearsal(
    model: Model,
    emissions: list[Floats2d],
    teacher: Model,
    teacher_emissions: list[Floats2d],
    sequences: Sequences | None = None,
) -> tuple[float, list[Floats2d]]:
    """Divergence from a teacher and its gradient with respect to the emissions.

    The gradient of the transitions goes to the model's own parameters. For the teacher,
    labels that it does not know are never there: so what it is asked about should be
    texts like those that it was trained on.

    emissions: The model's, per document, shape (n_tokens, n_tags).
    teacher_emissions: The teacher's, per document, with as many tags or
        fewer.
    sequences: Per document, the tokens of each sequence; whole documents if None.

    Returns the loss in nats, a mean over tokens, and d_emissions.
    """
    own = make_problem(model, emissions, sequences)
    old = make_problem(teacher, teacher_emissions, sequences)
    result = path_divergence(
        own.emissions, own.chain, *_with_new_labels(old, own), own.lengths
    )
    scale = 1.0 / max(1, len(own.emissions))
    return float(result.loss) * scale, _gradients(model, emissions, result, scale)


def _with_new_labels(old: Problem, own: Problem) -> tuple[torch.Tensor, Chain]:
    """The teacher's scores with tags that it does not know, and does not expect.

    Tags of new labels come behind the old ones.
    """
    known = old.emissions.shape[1]
    emissions = torch.full_like(own.emissions, FORBIDDEN)
    emissions[:, :known] = old.emissions
    params = [own.chain.transitions, own.chain.start, own.chain.end]
    transitions, start, end = (param.clone() for param in params)
    transitions[:known, :known] = old.chain.transitions
    start[:known], end[:known] = old.chain.start, old.chain.end
    return emissions, Chain(transitions, start, end)
