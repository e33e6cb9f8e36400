"""The study of a search: opened by one process or several, after a kill, or damaged.

The folder of a study is locked, for as long as a process lives, by all that work on it
together; so the first one knows that trials that seem to run are of processes that
were killed.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows: trials of killed processes seem to run
    fcntl = None

from ..errors import UserError, sound
from ..terminal import msg
from .checkpoint import AGAIN, require_same

STORAGE = "study.db"
STARTUP = 5  # trials that are not pruned, and drawn at random
DAMAGED = "Restore the file from a copy, or name another --output."
KILLED = "its process was killed"
WHY = "why"  # it failed, among a trial's attributes


def require_optuna() -> Any:
    """The package; raises UserError where it is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise UserError(
            f"a search needs Optuna, which does not import: {error}",
            'Install it: pip install "spacy-attnner[tune]"',
        ) from error
    return optuna


@contextmanager
def study_in(
    output: Path, about: dict[str, Any], *, seed: int, prune: bool
) -> Iterator[Any]:
    """The study in a folder, made if there is none, to work on within this.

    about: What it is of, by name, as plain data.

    Raises UserError if it is of something else, or damaged.
    """
    folder = os.open(output, os.O_RDONLY) if fcntl else None
    try:
        alone = _lock(folder, shared=False)
        if not alone:
            _lock(folder, shared=True)  # once the first has opened it
        with _usable(output):
            study = _open(output, seed=seed, prune=prune)
            _check(study, about, output)
            if alone:
                _fail_left(study)
                _lock(folder, shared=True)
            yield study
    finally:
        if folder is not None:
            os.close(folder)


def _lock(folder: int | None, *, shared: bool) -> bool:
    """Whether it could be locked, alone without waiting or with others."""
    if fcntl is None or folder is None:
        return False
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX | fcntl.LOCK_NB
    with suppress(OSError):  # another process has it, or no locks on this disk
        fcntl.flock(folder, kind)
        return True
    return False


@contextmanager
def _usable(output: Path) -> Iterator[None]:
    """Say of an error of the storage that the study is damaged."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        cause = error.__cause__ or error
        what = getattr(cause, "orig", None) or cause  # SQLite's own words
        raise UserError(
            f"the study in {output / STORAGE} cannot be used: {what}", DAMAGED
        ) from error


def _open(output: Path, *, seed: int, prune: bool) -> Any:
    from .trial_sampler import TrialSampler

    optuna = require_optuna()
    median = optuna.pruners.MedianPruner(n_startup_trials=STARTUP)
    path = (output / STORAGE).resolve()
    # of another version of Optuna
    with sound(f"the study in {path} does not open", DAMAGED), _usable(output):
        return optuna.create_study(
            storage=f"sqlite:///{path}",
            study_name="tune",
            direction="maximize",
            load_if_exists=True,
            sampler=TrialSampler(seed, STARTUP),
            pruner=median if prune else optuna.pruners.NopPruner(),
        )


def _check(study: Any, about: dict[str, Any], output: Path) -> None:
    """Raises UserError, naming what differs, if the study is of something else."""
    for what, now in json.loads(json.dumps(about)).items():
        before = study.user_attrs.get(what)
        if before is None:
            study.set_user_attr(what, now)
        else:
            require_same(
                before, now, f"the study in {output} is of another {what}", AGAIN
            )


def _fail_left(study: Any) -> None:
    """Fail the trials that killed processes left."""
    states = require_optuna().trial.TrialState
    for each in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
        study.tell(each.number, state=states.FAIL)
        msg.warn(f"Trial {each.number}: failed, {KILLED}")


def finished(study: Any) -> list[Any]:
    """The trials that have a score."""
    states = require_optuna().trial.TrialState
    return [each for each in study.trials if each.state == states.COMPLETE]


def why_failed(trial: Any) -> str | None:
    """In one line; None of a trial that did not fail."""
    if trial.state != require_optuna().trial.TrialState.FAIL:
        return None
    return trial.user_attrs.get(WHY, KILLED)
