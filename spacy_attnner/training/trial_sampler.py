"""How Optuna draws the values of a trial, whichever process it runs in."""

from typing import Any

import numpy
from optuna.samplers import TPESampler


class TrialSampler(TPESampler):
    """TPE whose draws follow from a seed, the trial's number and the trials before it.

    A study that goes on draws what it would have drawn without a break, and no two
    processes that work on it draw the same.

    n_startup_trials: Trials that are drawn at random.
    """

    def __init__(self, seed: int, n_startup_trials: int) -> None:
        super().__init__(seed=seed, n_startup_trials=n_startup_trials)
        self._settings = seed, n_startup_trials

    def before_trial(self, study: Any, trial: Any) -> None:
        """Begin anew with the seed of the trial."""
        seed, n_startup_trials = self._settings
        (own,) = numpy.random.SeedSequence((seed, trial.number)).generate_state(1)
        super().__init__(seed=int(own), n_startup_trials=n_startup_trials)
        super().before_trial(study, trial)
