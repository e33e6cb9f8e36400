"""Losses of categories: weights of classes, and the focal loss."""

from collections.abc import Mapping
from typing import Any

from thinc.api import get_array_module

from .settings import is_number

BALANCED = "balanced"


def check_class_weights(name: str, value: Any) -> None:
    """Raises ValueError where class weights are neither "balanced" nor numbers."""
    if value == BALANCED:
        return
    if not isinstance(value, Mapping):
        raise ValueError(
            f"class_weights {value!r} of {name!r} are neither {BALANCED!r} nor "
            "{category: number}"
        )
    for label, weight in value.items():
        if not is_number(weight) or weight <= 0.0:
            raise ValueError(
                f"the class weight {weight!r} of {label!r} in {name!r} is not a number "
                "above 0"
            )


def check_focal_gamma(name: str, value: Any) -> None:
    """Raises ValueError where the exponent of the focal loss is not 0 or more."""
    if not is_number(value) or value < 0.0:
        raise ValueError(f"focal_gamma {value!r} of {name!r} is not 0 or more")


def balanced_weights(
    counts: Mapping[str, int], n_examples: int, *, exclusive: bool
) -> dict[str, float]:
    """Weights with which categories count alike, however frequent they are.

    Of n exclusive ones n_examples / (n · count), as scikit-learn has it, of others how
    many times more documents do not have the category than have it.

    counts: Annotated documents that each category applies to.
    """
    if exclusive:
        return {label: n_examples / (len(counts) * n) for label, n in counts.items()}
    return {label: max(n_examples - n, 1) / n for label, n in counts.items()}


def gradient(
    p: Any, truth: Any, *, exclusive: bool, gamma: float, weights: Any = None
) -> Any:
    """Gradient of the loss with respect to the logits, (n_docs, n_labels).

    Cross-entropy, or the focal loss -(1 - p_t)^gamma log p_t (Lin et al. 2017, "Focal
    Loss for Dense Object Detection"). Where any number of categories applies, a graded
    truth is a mixture of two such losses; of exclusive ones the gradient is that of
    cross-entropy, scaled as the focal loss scales it at the mean of p by truth.

    p: Probabilities, of a softmax or of sigmoids. truth: 0 to 1, the same shape.
    gamma: 0 is cross-entropy.
    weights: Of the categories where they apply, (n_labels,), if there are some; of
        exclusive ones their mean by truth, 1 where none applies.
    """
    xp: Any = get_array_module(p)
    if exclusive:
        d = p - truth
        if gamma:
            d = d * _focal(xp, (truth * p).sum(1, keepdims=True), gamma)
        if weights is not None:
            whole = truth.sum(1, keepdims=True)
            d = d * xp.where(whole > 0, (truth * weights).sum(1, keepdims=True), 1.0)
            d = d / xp.where(whole > 0, whole, 1.0)
        return d
    here, absent = truth * (p - 1.0), (1.0 - truth) * p
    if gamma:
        here, absent = here * _focal(xp, p, gamma), absent * _focal(xp, 1.0 - p, gamma)
    if weights is not None:
        here = here * weights
    return here + absent


def _focal(xp: Any, p: Any, gamma: float) -> Any:
    """What the gradient of cross-entropy is multiplied with; p: of the truth."""
    p = p.clip(1e-7, 1.0 - 1e-7)
    rest = 1.0 - p
    return rest**gamma - gamma * p * rest ** (gamma - 1.0) * xp.log(p)
