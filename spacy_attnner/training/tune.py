"""`spacy attn tune`: a search for better values of a config, on Optuna.

A study lives in a file of SQLite, so that it can be cut off and taken up again, and
several processes can work on it. A trial is a training without output; it is pruned at
spaCy's own evaluation steps.
"""

import io
import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from confection import ConfigValidationError
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from thinc.api import Config

from ..atomic import check_folder, write_json, write_text
from ..errors import UserError, message_of
from ..loading import use_gpu
from ..terminal import msg, visible
from .config import read_config
from .corpus_files import corpus_digests
from .loggers import TRIAL, reporting
from .space import Space, read_space, trial_values
from .study import STARTUP, WHY, finished, require_optuna, study_in, why_failed

BEST = "best.cfg"
TRIALS = "trials.json"
PICTURE = "study.svg"
WARM_UP = 2  # evaluations at which no trial is pruned
FAILED = 3  # trials in a row, after which the search stops


def tune(
    config_path: Path,
    space_path: Path,
    output: Path,
    *,
    n_trials: int = 30,
    overrides: dict[str, Any] | None = None,
    gpu_id: int = -1,
    seed: int = 0,
    prune: bool = True,
) -> Any:
    """Search for n_trials more trials, and write what was found; returns the study.

    space_path: See `read_space`.
    output: The folder for the study, its trials, the best config and a picture.
    overrides: Of values in the config, by their paths.
    seed: Of the search; trainings have the config's own.
    prune: Give up trials that are behind the median of those before at the same step.

    Raises UserError if the space does not fit the config or an override, the study in
    the folder is of another config, space or corpus, or damaged, so many trials in a
    row fail, or Optuna is not installed.
    """
    optuna = require_optuna()
    check_folder(output)
    use_gpu(gpu_id)
    config = read_config(config_path, overrides)
    space = read_space(space_path, config)
    if both := [path for path in space if path in (overrides or {})]:
        raise UserError(
            f"{both[0]} is searched, as {space_path} says, and --{both[0]} sets it",
            "Leave one of the two out.",
        )
    output.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    about = {
        "space": {path: each.plain() for path, each in space.items()},
        "config": config.interpolate(),
        "corpus": corpus_digests(config.interpolate()),
    }
    failed: list[str] = []  # why, since a trial came to its end

    def told(study: Any, trial: Any) -> None:
        write_found(study, config, space, output)
        _show_trial(study, trial)
        why = why_failed(trial)
        failed[:] = [*failed, why] if why else []
        if len(failed) == FAILED:
            study.stop()

    with study_in(output, about, seed=seed, prune=prune) as study:
        try:
            study.optimize(
                _objective(config, space, gpu_id),
                n_trials=n_trials,
                callbacks=[told],
                catch=(Exception,),
            )
        except KeyboardInterrupt:
            write_found(study, config, space, output)
            raise
    if len(failed) >= min(FAILED, n_trials):
        which = f"{len(failed)} trials in a row" if len(failed) > 1 else "the trial"
        raise UserError(
            f"{which} failed: {failed[-1]}",
            f"Change what it names, in {config_path} or {space_path}; "
            f"{output / TRIALS} lists all trials.",
        )
    return study


def _objective(config: Config, space: Space, gpu_id: int) -> Callable[[Any], float]:
    """A function that runs a trial and, if it fails, keeps why."""
    pruned = require_optuna().TrialPruned

    def run(trial: Any) -> float:
        values = {path: each.suggest(trial, path) for path, each in space.items()}
        try:
            return _run_trial(config, values, trial, gpu_id)
        except pruned:
            raise
        except BaseException as error:
            trial.set_user_attr(WHY, _why(error))
            if isinstance(error, SystemExit):  # Optuna would leave the trial running
                raise RuntimeError(_why(error)) from error
            raise

    return run


def _why(error: BaseException) -> str:
    """What made a trial fail, in one line."""
    if isinstance(error, KeyboardInterrupt):
        return "it was interrupted"
    if isinstance(error, ConfigValidationError):
        error = ConfigValidationError.from_error(error, show_config=False)
    return ": ".join(" ".join(x.split()) for x in message_of(error).split("\n") if x)


def _run_trial(
    config: Config, values: dict[str, Any], trial: Any, gpu_id: int
) -> float:
    """The best score of a training with these values."""
    optuna = require_optuna()
    changed = _with_values(config, values)
    changed["training"]["logger"] = {"@loggers": TRIAL}
    scores: list[float] = []

    def report(info: dict[str, Any]) -> None:
        scores.append(float(info["score"]))
        if math.isnan(scores[-1]):
            raise ValueError(f"the score is no number at step {info['step']}")
        trial.report(max(scores), info["step"])
        if len(scores) > WARM_UP and trial.should_prune():
            raise optuna.TrialPruned

    nlp = init_nlp(changed, use_gpu=gpu_id)
    silent = io.StringIO()
    with reporting(report):
        spacy_train(nlp, None, use_gpu=gpu_id, stdout=silent, stderr=silent)
    return max(scores)


def _with_values(config: Config, values: dict[str, Any]) -> Config:
    return Config().from_str(config.to_str(), interpolate=False, overrides=values)


def importances(study: Any) -> dict[str, float]:
    """How much of what the scores differ by each value explains, adding up to 1.

    Source: Watanabe et al. (2023), "PED-ANOVA: Efficiently Quantifying Hyperparameter
    Importance in Arbitrary Subspaces". Empty where there are too few trials.
    """
    optuna = require_optuna()
    scores = [each.value for each in finished(study)]
    if len(scores) < STARTUP or len(set(scores)) < 2:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    return optuna.importance.get_param_importances(study, evaluator=evaluator)


def write_found(study: Any, config: Config, space: Space, output: Path) -> None:
    """Write trials, the best config and a picture."""
    done, shares = finished(study), importances(study)
    scored = {each.number for each in done}
    write_json(
        output / TRIALS,
        {
            "importances": shares,
            "trials": [
                {
                    "number": each.number,
                    "state": each.state.name.lower(),
                    "why": why_failed(each),
                    "score": each.value if each.number in scored else None,
                    "values": trial_values(space, each),
                    "steps": max(each.intermediate_values, default=0),
                }
                for each in study.trials
            ],
        },
    )
    if not done:
        return
    best = trial_values(space, study.best_trial)
    write_text(output / BEST, _with_values(config, best).to_str())
    from .tune_picture import study_picture

    with suppress(UserError):  # Matplotlib is not installed
        write_text(output / PICTURE, study_picture(study, done, shares))


def _show_trial(study: Any, trial: Any) -> None:
    values = ", ".join(f"{path} {value!r}" for path, value in trial.params.items())
    done = finished(study)
    best = f" (best {study.best_value:.4f})" if done else ""
    if why := why_failed(trial):
        msg.warn(f"Trial {trial.number}: failed, {why}")
    elif trial in done:
        msg.info(f"Trial {trial.number}: {trial.value:.4f}{best}")
    else:
        msg.info(f"Trial {trial.number}: pruned{best}")
    msg.text(visible(values))
