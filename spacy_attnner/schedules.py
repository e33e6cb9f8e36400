"""Learning rates as long as their training: a warm-up, and a line, a cosine or nothing.

All take the same settings.

initial_rate: The highest rate.
warmup_steps: Steps of the warm-up; at most an eighth of all.
total_steps: Steps of the training, `${training.max_steps}`; with 0, no limit, the rate
    stays after the warm-up. Where that is no number, because spaCy resolves the
    optimizer of a loaded pipeline without the rest of its config
    (`nlp.resume_training`), the number of steps is the caller's affair, and the rate is
    `initial_rate`.

All raise ValueError for a negative number.
"""

import math
from collections.abc import Callable, Iterator

from spacy.util import registry

WARMUP_SHARE = 8  # at most one step in so many is warm-up


@registry.schedules("spacy-attnner.WarmupLinear.v1")
def create_warmup_linear(
    initial_rate: float, warmup_steps: int, total_steps: int | str
) -> Iterator[float]:
    """A linear warm-up and a linear decline to 0, as thinc's `warmup_linear.v1`."""
    return _rates(initial_rate, warmup_steps, total_steps, lambda share: 1.0 - share)


@registry.schedules("spacy-attnner.WarmupCosine.v1")
def create_warmup_cosine(
    initial_rate: float, warmup_steps: int, total_steps: int | str
) -> Iterator[float]:
    """A linear warm-up and half a cosine down to 0.

    Source: Loshchilov and Hutter (2017), "SGDR: Stochastic Gradient Descent with Warm
    Restarts"; none here.
    """
    return _rates(
        initial_rate,
        warmup_steps,
        total_steps,
        lambda share: 0.5 + 0.5 * math.cos(math.pi * share),
    )


@registry.schedules("spacy-attnner.WarmupConstant.v1")
def create_warmup_constant(
    initial_rate: float, warmup_steps: int, total_steps: int | str
) -> Iterator[float]:
    """A linear warm-up, and then always the same rate."""
    return _rates(initial_rate, warmup_steps, total_steps, lambda share: 1.0)


def _rates(
    rate: float,
    warmup_steps: int,
    total_steps: int | str,
    course: Callable[[float], float],
) -> Iterator[float]:
    """Rates of a schedule.

    course: From the share of the steps behind the warm-up, in [0, 1], to that of the
        rate.
    """
    for name, value in (("warmup_steps", warmup_steps), ("total_steps", total_steps)):
        if isinstance(value, int) and value < 0:
            raise ValueError(f"{name} {value} of the learning rate is negative")
    if isinstance(total_steps, str):
        warmup_steps = total_steps = 0
    elif total_steps:
        warmup_steps = min(warmup_steps, total_steps // WARMUP_SHARE)
    return _steps(rate, warmup_steps, total_steps, course)


def _steps(
    rate: float, warmup: int, total: int, course: Callable[[float], float]
) -> Iterator[float]:
    step = 0
    while True:
        if step < warmup:
            yield rate * step / warmup
        elif total:
            yield rate * course(min(1.0, (step - warmup) / (total - warmup)))
        else:
            yield rate
        step += 1
