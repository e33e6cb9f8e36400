"""`spacy-attnner.WarmupLinear.v1`: a learning rate as long as its training."""

from collections.abc import Iterator

from spacy.util import registry

WARMUP_SHARE = 8  # at most one step in so many is warm-up


@registry.schedules("spacy-attnner.WarmupLinear.v1")
def create_warmup_linear(
    initial_rate: float, warmup_steps: int, total_steps: int | str
) -> Iterator[float]:
    """A linear warm-up and a linear decline, as thinc's `warmup_linear.v1`.

    initial_rate: The highest rate.
    warmup_steps: Steps of the warm-up; at most an eighth of all.
    total_steps: Steps after which the rate is 0, `${training.max_steps}`; with 0, no
        limit, it stays. Where that is no number, because spaCy resolves the optimizer
        of a loaded pipeline without the rest of its config (`nlp.resume_training`),
        the number of steps is the caller's affair, and the rate is `initial_rate`.

    Raises ValueError for a negative number.
    """
    for name, value in (("warmup_steps", warmup_steps), ("total_steps", total_steps)):
        if isinstance(value, int) and value < 0:
            raise ValueError(f"{name} {value} of the learning rate is negative")
    if isinstance(total_steps, str):
        return _rates(initial_rate, 0, 0)
    if total_steps:
        warmup_steps = min(warmup_steps, total_steps // WARMUP_SHARE)
    return _rates(initial_rate, warmup_steps, total_steps)


def _rates(rate: float, warmup_steps: int, total_steps: int) -> Iterator[float]:
    step = 0
    while True:
        if step < warmup_steps:
            yield rate * step / warmup_steps
        elif total_steps:
            yield rate * max(0.0, (total_steps - step) / (total_steps - warmup_steps))
        else:
            yield rate
        step += 1
