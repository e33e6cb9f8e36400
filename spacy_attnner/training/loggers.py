"""Loggers of trainings: TensorBoard's, and trackers that a training does not need."""

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

from spacy.language import Language
from spacy.util import registry

Info = dict[str, Any] | None
RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"  # of MLflow, whose 7 take minutes
TRIAL = "spacy-attnner.Trial.v1"
LogStep = Callable[[Info], None]
Logger = Callable[[Language, IO, IO], tuple[LogStep, Callable[[], None]]]


@registry.loggers("spacy-attnner.TensorBoardLogger.v1")
def create_tensorboard_logger(folder: str | Path, log_config: bool = True) -> Logger:
    """Write scores, losses and speed at each evaluation for TensorBoard.

    Scores are `score` (the weighted one), `scores/ents_f` and, of a table such as
    `ents_per_type`, `scores/ents_per_type/ORG/f`; losses are the sums since the last
    evaluation, `loss/attn_ner`.

    folder: The run's own, below the one that `tensorboard --logdir` is given. Each fold
        of `crossval` has a folder in it.
    log_config: Write the config, too, as a text.

    Raises ImportError where TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError(
            "TensorBoard is not installed: pip install tensorboard"
        ) from error

    def setup(
        nlp: Language, stdout: IO = sys.stdout, stderr: IO = sys.stderr
    ) -> tuple[LogStep, Callable[[], None]]:
        writer = SummaryWriter(str(Path(folder) / _part.get()))
        if log_config:
            text = nlp.config.interpolate().to_str()
            writer.add_text("config", "\n".join(f"    {x}" for x in text.splitlines()))

        def log_step(info: Info) -> None:
            if info is None:
                return
            for name, value in measured(info).items():
                writer.add_scalar(name, value, info["step"])
            writer.flush()

        return log_step, writer.close

    return setup


def measured(info: Mapping[str, Any]) -> dict[str, float]:
    """What spaCy's loop says of an evaluation, as numbers by name."""
    found = {"score": float(info["score"]), "epoch": float(info["epoch"])}
    found |= {f"loss/{name}": float(loss) for name, loss in info["losses"].items()}
    found |= dict(_numbers("scores", info["other_scores"] or {}))
    if info["seconds"]:
        found["words per second"] = info["words"] / info["seconds"]
    return found


def _numbers(path: str, values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(f"{path}/{name}", value)
        elif isinstance(value, int | float):
            yield f"{path}/{name}", float(value)


@registry.loggers("spacy-attnner.Trackers.v1")
def create_trackers(
    trackers: dict[str, dict[str, Any]], progress_bar: bool = False
) -> Logger:
    """spaCy's console logger, and others that a training can go on without.

    A tracker that fails, for want of its package, of a key or of the network, is warned
    about once and left alone from then on. None can ask for what it wants.

    trackers: By a name of yours, each the name of its `logger` in the registry, such as
        "spacy.WandbLogger.v5", and the settings of that.
    progress_bar: Show spaCy's progress bar between evaluations.

    Raises ValueError for a tracker that names no logger.
    """
    for name, settings in trackers.items():
        if not isinstance(settings.get("logger"), str):
            raise ValueError(
                f"the tracker {name!r} names no logger: set `logger` to one of the "
                'registry, such as "spacy-attnner.TensorBoardLogger.v1"'
            )

    def setup(
        nlp: Language, stdout: IO = sys.stdout, stderr: IO = sys.stderr
    ) -> tuple[LogStep, Callable[[], None]]:
        console = registry.get("loggers", "spacy.ConsoleLogger.v1")
        log_console, finalize_console = console(progress_bar)(nlp, stdout, stderr)
        others = [
            _Tracker(name, dict(settings), (nlp, stdout, stderr))
            for name, settings in trackers.items()
        ]

        def log_step(info: Info) -> None:
            log_console(info)
            for each in others:
                each.log_step(info)

        def finalize() -> None:
            finalize_console()
            for each in others:
                each.finalize()

        return log_step, finalize

    return setup


@contextmanager
def _unanswered() -> Iterator[None]:
    """Within this, nobody waits for an answer of the terminal."""
    stdin = sys.stdin
    with open(os.devnull) as nothing:
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = stdin


class _Tracker:
    """A logger that is left alone after its first error.

    name: To tell it by.
    settings: Its `logger` and what that takes.
    context: What a logger is set up with.
    """

    def __init__(
        self, name: str, settings: dict[str, Any], context: tuple[Language, IO, IO]
    ) -> None:
        self.name, self.logger = name, settings.pop("logger")
        self._own: tuple[LogStep, Callable[[], None]] | None = None
        self._own = self._try(lambda: self._set_up(settings, context))

    def _set_up(self, settings: dict[str, Any], context: tuple) -> Any:
        os.environ.setdefault(RETRIES, "1")
        block = {"logger": {"@loggers": self.logger, **settings}}
        with _unanswered():
            return registry.resolve(block)["logger"](*context)

    def log_step(self, info: Info) -> None:
        """As of a logger."""
        if self._own is not None:
            self._try(lambda: self._own and self._own[0](info))

    def finalize(self) -> None:
        """As of a logger."""
        if self._own is not None:
            self._try(lambda: self._own and self._own[1]())

    def _try(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except Exception as error:
            self._own = None
            what = str(error).strip() or type(error).__name__
            warnings.warn(
                f"the tracker {self.name!r} ({self.logger}) fails, and the training "
                f"goes on without it: {what}",
                stacklevel=2,
            )
            return None


_part: ContextVar[str] = ContextVar("part", default="")


@contextmanager
def logged_as(part: str) -> Iterator[None]:
    """Within this, a training is one of several, and logged in a folder of its own."""
    token = _part.set(part)
    try:
        yield
    finally:
        _part.reset(token)


_report: ContextVar[Callable[[dict[str, Any]], None]] = ContextVar("report")


@registry.loggers(TRIAL)
def create_trial_logger() -> Callable:
    """Pass each evaluation to the trial that runs."""

    def setup(nlp: Language, *_: Any) -> tuple[Callable[[Info], None], Callable]:
        report = _report.get()

        def log_step(info: Info) -> None:
            if info is not None:
                report(info)

        return log_step, lambda: None

    return setup


@contextmanager
def reporting(report: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Pass evaluations of `Trial.v1` to a function, within this."""
    token = _report.set(report)
    try:
        yield
    finally:
        _report.reset(token)
