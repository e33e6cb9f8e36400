"""`spacy attn tune`: a search for better values of a config, on Optuna.

A study lives in a file of SQLite, so that it can be cut off and taken up again, and
several processes can work on it. A trial is a training without output; it is pruned at
spaCy's own evaluation steps.
"""

import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from spacy.cli._util import show_validation_error
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from spacy.util import load_config
from thinc.api import Config

from ..atomic import check_folder, write_json, write_text
from ..errors import UserError
from ..loading import use_gpu
from ..terminal import msg, visible
from .checkpoint import AGAIN, require_same
from .loggers import TRIAL, reporting
from .space import Space, read_space

STORAGE = "study.db"
BEST = "best.cfg"
TRIALS = "trials.json"
PICTURE = "study.svg"
STARTUP = 5  # trials that are not pruned, and drawn at random


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

    Raises UserError if the space does not fit the config, the study in the folder is of
    another config or space, or Optuna is not installed.
    """
    optuna = require_optuna()
    check_folder(output)
    use_gpu(gpu_id)
    with show_validation_error(config_path):
        config = load_config(config_path, overrides=overrides or {}, interpolate=False)
    space = read_space(space_path, config)
    output.mkdir(parents=True, exist_ok=True)
    study = _open_study(output, config, space, seed=seed, prune=prune)
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial: Any) -> float:
        values = {path: each.suggest(trial, path) for path, each in space.items()}
        return _run_trial(config, values, trial, gpu_id)

    def told(study: Any, trial: Any) -> None:
        write_found(study, config, output)
        _show_trial(study, trial)

    study.optimize(objective, n_trials=n_trials, callbacks=[told])
    return study


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


def _open_study(
    output: Path, config: Config, space: Space, *, seed: int, prune: bool
) -> Any:
    optuna = require_optuna()
    median = optuna.pruners.MedianPruner(n_startup_trials=STARTUP)
    study = optuna.create_study(
        storage=f"sqlite:///{(output / STORAGE).resolve()}",
        study_name="tune",
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP),
        pruner=median if prune else optuna.pruners.NopPruner(),
    )
    about = {
        "space": {path: each.plain() for path, each in space.items()},
        "config": config.interpolate(),
    }
    about = json.loads(json.dumps(about))
    for what, now in about.items():
        before = study.user_attrs.get(what)
        if before is None:
            study.set_user_attr(what, now)
        else:
            require_same(
                before, now, f"the study in {output} is of another {what}", AGAIN
            )
    return study


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
        trial.report(max(scores), info["step"])
        if trial.should_prune():
            raise optuna.TrialPruned

    with show_validation_error(hint_fill=False):
        nlp = init_nlp(changed, use_gpu=gpu_id)
    silent = io.StringIO()
    with reporting(report):
        spacy_train(nlp, None, use_gpu=gpu_id, stdout=silent, stderr=silent)
    return max(scores)


def _with_values(config: Config, values: dict[str, Any]) -> Config:
    return Config().from_str(config.to_str(), interpolate=False, overrides=values)


def finished(study: Any) -> list[Any]:
    """The trials that have a score."""
    states = require_optuna().trial.TrialState
    return [each for each in study.trials if each.state == states.COMPLETE]


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


def write_found(study: Any, config: Config, output: Path) -> None:
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
                    "score": each.value if each.number in scored else None,
                    "values": each.params,
                    "steps": max(each.intermediate_values, default=0),
                }
                for each in study.trials
            ],
        },
    )
    if not done:
        return
    write_text(output / BEST, _with_values(config, study.best_params).to_str())
    from .tune_picture import study_picture

    with suppress(UserError):  # Matplotlib is not installed
        write_text(output / PICTURE, study_picture(study, done, shares))


def _show_trial(study: Any, trial: Any) -> None:
    values = ", ".join(f"{path} {value!r}" for path, value in trial.params.items())
    done = finished(study)
    score = f"{trial.value:.4f}" if trial in done else trial.state.name.lower()
    best = f" (best {study.best_value:.4f})" if done else ""
    msg.info(f"Trial {trial.number}: {score}{best}")
    msg.text(visible(values))
