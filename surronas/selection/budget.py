"""How long a fit may take, and which candidates there is time for."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from joblib import effective_n_jobs

from surronas.exceptions import InvalidInputError
from surronas.predictors.base import FloatArray
from surronas.selection.trials import Trial, one_fold

__all__ = ["TimeBudget", "check_time_budget"]

_FEW, _LEAST = 8, 16  # the part of the rows that is rehearsed on, and how many they are at least
_REHEARSING = 0.25  # the share of the budget that goes into rehearsals at most


class TimeBudget:
    """Seconds that a fit may take from now on.

    What a candidate takes is predicted: from rehearsals on a sixteenth and an eighth of the rows, by the power law
    through both; once it has predicted folds, from these. The last fit, to all rows, is taken to grow with the square
    of the rows.

    Parameters
    ----------
    seconds : float
    n_folds : int
    n_jobs : int or None
        How many folds are predicted at a time.

    Raises
    ------
    InvalidInputError
        When the seconds are no positive number.
    """

    def __init__(self, seconds: float, n_folds: int, n_jobs: int | None = None) -> None:
        check_time_budget(seconds)
        self.seconds, self.n_folds, self.n_jobs = float(seconds), n_folds, effective_n_jobs(n_jobs)
        self._start = time.perf_counter()
        self._rehearsed: dict[Trial, float] = {}

    @property
    def left(self) -> float:
        """Seconds; negative when more was spent."""
        return self.seconds - (time.perf_counter() - self._start)

    def rehearse(self, trials: Sequence[Trial], z: FloatArray) -> list[Trial]:
        """The trials, those first that a few rows took least time; last those for whose rehearsal none was left."""
        n, enough = len(z), self.left * (1 - _REHEARSING)
        few = max(n // _FEW, min(_LEAST, n // 2))
        for trial in trials:
            if self._rehearsed and self.left < enough:
                break
            half, seconds = _seconds_on(few // 2, trial, z), _seconds_on(few, trial, z)
            power = np.clip(np.log2(seconds / half), 0, 2)
            self._rehearsed[trial] = seconds * (n * (1 - 1 / self.n_folds) / few) ** power
        return sorted(trials, key=lambda trial: self._rehearsed.get(trial, math.inf))

    def refusal(self, trial: Trial, earlier: Sequence[Trial]) -> str:
        """Why there is no time for the trial's next folds beside what ``earlier`` ones still need; empty if there is.

        The first that may be chosen at all is never refused: a fit ends with a surrogate.
        """
        if not earlier:
            return ""
        if not (trial.n_tried or trial in self._rehearsed):
            return f"no time: the time budget of {self.seconds:g} s did not even allow to rehearse it"
        own, left = self._needed([trial]), self.left
        if self._needed([*earlier, trial]) <= left:
            return ""
        others = self._needed(earlier)
        return (
            f"no time: it needs about {own:.2g} s, the others {others:.2g} s, "
            f"and {max(left, 0):.2g} s of the time budget of {self.seconds:g} s are left"
        )

    def _needed(self, trials: Sequence[Trial]) -> float:
        """Seconds until all are done, one after another through their folds and then together fitted to all rows."""
        seconds = np.array([self._fold_seconds(trial) for trial in trials])
        rounds = np.array([math.ceil((self.n_folds - trial.n_tried) / self.n_jobs) for trial in trials])
        refits = seconds * (self.n_folds / (self.n_folds - 1)) ** 2
        return float((seconds * rounds).sum() + max(refits.max(), refits.sum() / self.n_jobs))

    def _fold_seconds(self, trial: Trial) -> float:
        return trial.seconds / trial.n_tried if trial.n_tried else self._rehearsed[trial]


def _seconds_on(n: int, trial: Trial, z: FloatArray) -> float:
    """What learning from the first n rows and predicting as many takes."""
    rows = np.arange(min(2 * n, len(z)))
    *_, seconds, _ = one_fold(
        trial.candidate, trial.features[rows], trial.encoder.blocks_, trial.seed, z[rows], rows >= n
    )
    return max(seconds, 1e-9)


def check_time_budget(seconds: Any) -> None:
    """Refuse what is no time."""
    number = isinstance(seconds, (int, float, np.integer, np.floating)) and not isinstance(seconds, bool)
    if not (number and seconds > 0):
        raise InvalidInputError(
            f"The 'time_budget' parameter must be a positive number of seconds or None. Got {seconds!r} instead."
        )
