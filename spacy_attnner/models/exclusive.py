"""A Thinc layer that lets at most one label hold."""

from collections.abc import Callable
from typing import cast

import torch
from thinc.api import Model, torch2xp, xp2torch
from thinc.types import Floats2d

from ..layers.exclusive import exclusive_logits
from .bridge import device_of_array
from .lists import no_backprop


def exclusive_labels() -> Model[Floats2d, Floats2d]:
    """From scores of labels to their log odds where at most one of them holds."""
    return Model("exclusive_labels", _forward)


def _forward(
    model: Model[Floats2d, Floats2d], scores: Floats2d, is_train: bool
) -> tuple[Floats2d, Callable]:
    device = device_of_array(scores)
    X = xp2torch(scores, requires_grad=is_train, device=device)
    Y = exclusive_logits(X)
    found = cast(Floats2d, torch2xp(Y.detach(), ops=model.ops))
    if not is_train:
        return found, no_backprop

    def backprop(dY: Floats2d) -> Floats2d:
        (dX,) = torch.autograd.grad(Y, X, xp2torch(dY, device=device))
        return cast(Floats2d, torch2xp(dX, ops=model.ops))

    return found, backprop
