"""`spacy train`'s own loop, with checkpoints: a training that was cut off goes on.

To go on, spaCy's loop runs from its first step again, but passes over the steps that
are done: batches are made and not used, and scores are those of before. So the
schedules, the sizes of batches, their order and the patience are as they were, and the
loop need not be known. Then weights, the optimizer and the generators get back what
they had, and the loop goes on.
"""

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from pathlib import Path
from typing import Any, cast

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training import Example
from spacy.training.loop import (
    DIR_MODEL_BEST,
    DIR_MODEL_LAST,
    create_before_to_disk_callback,
    create_evaluation_callback,
    create_train_batches,
    train_while_improving,
    update_meta,
)
from spacy.util import registry, resolve_dot_names
from thinc.api import Optimizer, fix_random_seed, set_gpu_allocator

from ..atomic import replacing_pipeline
from ..errors import UserError
from ..report.card import TRAINED, processor
from ..terminal import msg
from . import randomness
from .checkpoint import Checkpoint, Progress
from .config import reading

Batch = list[Example]


class Steps:
    """What spaCy's loop is given in place of a pipeline, corpora and scores.

    progress: What was done before.
    restore: Called when that is passed.
    live: Whether it is.
    """

    def __init__(
        self, nlp: Language, progress: Progress, restore: Callable[[], None]
    ) -> None:
        self.nlp = nlp
        self.progress = progress
        self._done, self._words = progress.step, progress.words
        self._known = dict(progress.epochs)
        progress.words = 0
        self._scores = iter([score for score, _ in progress.results])
        self._restore = restore
        self.live = False

    # the part of a pipeline that the loop uses

    @property
    def pipeline(self) -> list[Any]:
        """The components to update."""
        return self.nlp.pipeline if self.live else []

    def update(self, examples: Iterable[Example], **settings: Any) -> None:
        """As `Language.update`."""
        if self.live:
            self.nlp.update(examples, **settings)

    def use_params(self, params: Any) -> AbstractContextManager:
        """As `Language.use_params`."""
        return self.nlp.use_params(params) if self.live else nullcontext()

    # the rest

    def batches(
        self, corpus: Callable, batcher: Callable, max_epochs: int
    ) -> Iterator[tuple[int, Batch]]:
        """Each batch and its epoch."""
        inner: Iterator[tuple[int, Batch]] = cast(
            Any, create_train_batches(self.nlp, corpus, batcher, max_epochs)
        )
        # a corpus that is read anew in every epoch draws while it is read: from states
        # of its own, since what else draws is not repeated
        draws = _Streamed() if max_epochs < 0 else nullcontext()
        epoch = -1
        for number in count():
            if number == self._done:
                self.live = True
                if number:
                    self._check_words()
                    self._restore()
            with draws:
                if not self.live and number in self._known:
                    randomness.set_states(self._known[number])
                before = randomness.states()
                item = next(inner, None)
            if item is None:
                return
            if item[0] != epoch:
                epoch = item[0]
                self.progress.epochs[number] = before
            self.progress.step = number + 1
            self.progress.words += sum(map(len, item[1]))
            yield item

    def _check_words(self) -> None:
        """Raises UserError if the batches passed over are not those of before."""
        if self.progress.words != self._words:
            raise UserError(
                f"the training documents have changed: {self._done:,} batches of them "
                f"had {self._words:,} tokens and have {self.progress.words:,}",
                "Restore them, or begin anew by --force.",
            )

    def evaluate(self, own: Callable) -> Callable[[], tuple[float, dict[str, Any]]]:
        """Scores, as of `create_evaluation_callback`."""

        def evaluate() -> tuple[float, dict[str, Any]]:
            return own() if self.live else (next(self._scores), {})

        return evaluate

    def before_update(self, own: Callable | None) -> Callable | None:
        """As of the config, for the steps that are made."""
        if own is None:
            return None

        def before_update(_: Any, args: dict[str, Any]) -> None:
            if self.live:
                own(self.nlp, args)

        return before_update


class _Streamed:
    """Within this, Python's and NumPy's generators have states of their own."""

    def __init__(self) -> None:
        self._own = randomness.states()

    def __enter__(self) -> None:
        self._others = randomness.states()
        randomness.set_states(self._own)

    def __exit__(self, *_: object) -> None:
        self._own = randomness.states()
        randomness.set_states(self._others)


def train(
    nlp: Language,
    output: Path,
    checkpoint: Checkpoint,
    progress: Progress,
    *,
    gpu_id: int = -1,
) -> None:
    """Train a pipeline as `spacy train` does, leaving a checkpoint at each evaluation.

    nlp: As it was initialized.
    output: Where model-last and model-best are written.
    progress: What was done before; empty for a new training.
    gpu_id: The GPU in use, or -1.
    """
    config = nlp.config.interpolate()
    if config["training"]["seed"] is not None:
        fix_random_seed(config["training"]["seed"])
    if gpu_id >= 0 and config["training"]["gpu_allocator"]:
        set_gpu_allocator(config["training"]["gpu_allocator"])
    T = registry.resolve(config["training"], schema=ConfigSchemaTraining)
    names = [T["train_corpus"], T["dev_corpus"]]
    examples: dict[str, int] = {}
    corpora = [
        reading(name, corpus, examples)
        for name, corpus in zip(names, resolve_dot_names(config, names), strict=True)
    ]
    optimizer: Optimizer = T["optimizer"]
    steps = Steps(nlp, progress, lambda: checkpoint.restore(nlp, optimizer))
    loop = train_while_improving(
        steps,  # type: ignore[arg-type]
        optimizer,
        steps.batches(corpora[0], T["batcher"], T["max_epochs"]),
        steps.evaluate(create_evaluation_callback(nlp, corpora[1], T["score_weights"])),
        dropout=T["dropout"],
        accumulate_gradient=T["accumulate_gradient"],
        patience=T["patience"],
        max_steps=T["max_steps"],
        eval_frequency=T["eval_frequency"],
        exclude=T["frozen_components"],
        annotating_components=T["annotating_components"],
        before_update=steps.before_update(T["before_update"]),
    )
    _announce(T, nlp, optimizer, progress)
    about = {"processor": processor(), "examples": examples}
    before_to_disk = create_before_to_disk_callback(T["before_to_disk"])

    def save(is_best: bool) -> None:
        last = output / DIR_MODEL_LAST
        with nlp.use_params(optimizer.averages or {}), replacing_pipeline(last) as new:
            before_to_disk(nlp).to_disk(new)
        if is_best:
            with replacing_pipeline(output / DIR_MODEL_BEST) as best:
                shutil.copytree(last, best, dirs_exist_ok=True)

    with nlp.select_pipes(disable=T["frozen_components"]):
        log_step, finalize = T["logger"](nlp, sys.stdout, sys.stderr)
    try:
        for _, info, is_best in loop:
            if not steps.live:
                continue
            if is_best is not None:
                with nlp.select_pipes(disable=T["frozen_components"]):
                    update_meta(T, nlp, info)
                nlp.meta[TRAINED] = {"steps": info["step"], **about}
                save(is_best)
                progress.results = list(info["checkpoints"])
                checkpoint.save(nlp, optimizer, progress)
                info["output_path"] = str(output / DIR_MODEL_LAST)
            log_step(info if is_best is not None else None)
        if not steps.live:  # it was cut off after its last step
            checkpoint.restore(nlp, optimizer)
        save(False)
    finally:
        finalize()
    checkpoint.remove()
    msg.good("Saved pipeline to output directory", output / DIR_MODEL_LAST)


def _announce(
    T: dict[str, Any], nlp: Language, optimizer: Optimizer, progress: Progress
) -> None:
    msg.info(f"Pipeline: {nlp.pipe_names}")
    if T["frozen_components"]:
        msg.info(f"Frozen components: {T['frozen_components']}")
    if T["annotating_components"]:
        names = T["annotating_components"]
        msg.info(f"Set annotations on update for: {names}")
    if progress.step:
        msg.info(f"Going on after step {progress.step - 1}")
    else:
        msg.info(f"Initial learn rate: {optimizer.learn_rate}")
