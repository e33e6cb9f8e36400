"""What keeps a CRF tagger from forgetting: its distance from an earlier copy."""

from typing import cast

import torch
from thinc.api import Model, torch2xp
from thinc.types import Floats2d, FloatsXd

from ..layers.lattice import FORBIDDEN, Chain
from ..layers.rehearsal import crf_divergence
from .crf_decode import CRF_PARAMS, Problem, Sequences, make_problem
from .rows import Parts as split


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
    result = crf_divergence(
        own.emissions, own.chain, *_with_new_labels(old, own), own.lengths
    )
    scale = 1.0 / max(1, len(own.emissions))
    layer = model.get_ref("crf")
    for name in CRF_PARAMS:
        gradient = getattr(result, f"d_{name}") * scale
        layer.inc_grad(name, cast(FloatsXd, torch2xp(gradient.float())))
    d_flat = cast(Floats2d, torch2xp((result.d_emissions * scale).float()))
    return float(result.loss) * scale, split(d_flat, [len(e) for e in emissions])


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
