"""How long to train on how many documents, in which batches, with how much dropout."""

from dataclasses import dataclass
from typing import Any

from thinc.api import Config

WARMUP_STEPS = 10  # at most one step in so many


@dataclass(frozen=True)
class Growth:
    """A factor that follows the number of documents: their ratio to a power.

    least, most: Bounds of the factor.
    """

    power: float
    least: float
    most: float

    def __call__(self, ratio: float) -> float:
        return min(self.most, max(self.least, ratio**self.power))


# Ten times the documents: about twice the steps, of batches of nearly twice the words.
# Fewer documents than the template's have its batches, its dropout and at least half of
# its steps: they need many passes.
STEPS = Growth(1 / 3, 0.5, 8.0)
BATCH = Growth(1 / 4, 1.0, 4.0)
DROPOUT = Growth(-1 / 10, 0.5, 1.0)


def fit_to_size(config: Config, n_docs: int, template_docs: int) -> None:
    """Have a config train as many documents as there are.

    The learning rate stays, and follows the steps; there are as many evaluations.

    n_docs: Labelled documents.
    template_docs: For how many the numbers of the config were chosen.
    """
    ratio = n_docs / template_docs
    training: dict[str, Any] = config["training"]
    for name in ("max_steps", "eval_frequency", "patience"):
        training[name] = _rounded(training[name] * STEPS(ratio))
    training["dropout"] = round(training["dropout"] * DROPOUT(ratio), 2)
    batcher = training["batcher"]
    # a number, or a schedule that begins with small batches
    sizes = batcher["size"] if isinstance(batcher["size"], dict) else batcher
    name = "size" if sizes is batcher else "stop"
    sizes[name] = _rounded(sizes[name] * BATCH(ratio))
    learn_rate = training["optimizer"]["learn_rate"]
    if isinstance(learn_rate, dict) and "warmup_steps" in learn_rate:
        most = training["max_steps"] // WARMUP_STEPS
        learn_rate["warmup_steps"] = min(learn_rate["warmup_steps"], most)


def _rounded(number: float) -> int:
    """To two digits."""
    return int(float(f"{number:.2g}"))
