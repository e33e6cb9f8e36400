"""The scores of a linear-chain CRF over BILUO tags, and what BILUO forbids.

Tags are numbered O = 0 and, for label l, B = 1 + 4l, I = 2 + 4l, L = 3 + 4l,
U = 4 + 4l: new labels append tags and move none.
"""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

FORBIDDEN = -1e30  # finite, so that sums of it never become NaN
LARGEST_GAP = 150.0  # nats; several of them add up to less than float64's exponents


@dataclass(frozen=True)
class Chain:
    """Scores of a CRF, constraints included.

    transitions: Score of tag i followed by tag j, shape (n_tags, n_tags).
    start: Score of a first tag, shape (n_tags,).
    end: Score of a last tag, shape (n_tags,).
    """

    transitions: Tensor
    start: Tensor
    end: Tensor


def biluo_chain(
    transitions: Tensor, start: Tensor, end: Tensor, temperature: float = 1.0
) -> Chain:
    """Divide by a temperature and forbid what BILUO does not allow; all float64.

    Raises ValueError if the number of tags is not 4 * n_labels + 1.
    """
    n_tags = len(start)
    if n_tags % 4 != 1:
        raise ValueError(f"{n_tags} tags are not 4 * n_labels + 1 BILUO tags")
    scores = torch.cat([transitions, start[None], end[None]]).double()
    if temperature != 1.0:
        scores /= temperature
    scores = scores.masked_fill(_forbidden(n_tags).to(scores.device), FORBIDDEN)
    return Chain(scores[:-2], scores[-2], scores[-1])


@cache
def _forbidden(n_tags: int) -> Tensor:
    """Steps to each tag from each other one, as the first, and to the end from it.

    Shape (n_tags + 2, n_tags), bool.
    """
    tag = torch.arange(n_tags)
    kind = torch.where(tag == 0, 4, (tag - 1) % 4)  # 0..4 = B I L U O
    label = torch.where(tag == 0, -1, (tag - 1) // 4)
    opens = (kind == 0) | (kind == 1)  # B, I: the entity goes on after this tag
    inside = (kind == 1) | (kind == 2)  # I, L: the entity began before this tag
    same = label[:, None] == label[None, :]
    allowed = torch.where(opens[:, None], inside[None, :] & same, ~inside[None, :])
    return torch.cat([~allowed, inside[None], opens[None]])


def bounded(emissions: Tensor) -> Tensor:
    """Emissions in float64, none further below its token's best than `LARGEST_GAP`.

    Without the bound a tag that only the constraints make possible could underflow to
    probability zero, and with it all paths through it.
    """
    emissions = emissions.double()
    return emissions.maximum(emissions.amax(-1, keepdim=True) - LARGEST_GAP)
