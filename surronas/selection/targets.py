"""Targets as scores, and the way back."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from surronas.exceptions import InvalidInputError, SurronasWarning
from surronas.predictors.base import FloatArray

__all__ = ["LogScores", "TargetScores", "check_targets"]


class TargetScores:
    """A strictly increasing map between targets and scores that are easier to predict.

    Accuracies are skewed and bunch at the top. A target's score is the mean of the normal score of its rank,
    on which errors weigh the same everywhere, and of its standard score, which keeps what ranks forget: how
    far apart targets are. Between the training targets the map is piecewise linear; beyond them it goes on
    with the mean slope of the outer tenth.

    Parameters
    ----------
    y : (n,) float64
        Training targets.

    Attributes
    ----------
    scores : (n,) float64
        The training targets' scores; equal targets share one.
    """

    def __init__(self, y: FloatArray) -> None:
        ranks = ndtri((rankdata(y) - 0.5) / len(y))
        spread = y.std() if np.ptp(y) > 0 else 1.0
        self.scores = np.asarray((ranks + (y - y.mean()) / spread) / 2, dtype=np.float64)
        self.y, first = np.unique(y, return_index=True)
        self.z = self.scores[first]
        if len(self.y) == 1:
            self.slopes = self.steep = np.zeros(2)
            return
        self.slopes = self._slopes(max(len(self.y) // 10, 1))
        self.steep = np.maximum(self.slopes, self._slopes(max(len(self.y) // 2, 1)))

    def inverse(self, z: FloatArray) -> FloatArray:
        """Scores (n,) -> targets (n,), in the unit of y."""
        return self._inverse(z, self.slopes)

    def ends(self, z: FloatArray) -> FloatArray:
        """The same of an interval's ends: beyond the targets with the slope of their outer half where that is greater,
        for the outermost few may lie close together by chance."""
        return self._inverse(z, self.steep)

    def _slopes(self, outer: int) -> FloatArray:
        """Mean slopes of the ``outer`` lowest and uppermost steps."""
        lower = (self.y[outer] - self.y[0]) / (self.z[outer] - self.z[0])
        upper = (self.y[-1] - self.y[-1 - outer]) / (self.z[-1] - self.z[-1 - outer])
        return np.array([lower, upper])

    def _inverse(self, z: FloatArray, slopes: FloatArray) -> FloatArray:
        below, above = np.minimum(z - self.z[0], 0), np.maximum(z - self.z[-1], 0)
        return np.asarray(np.interp(z, self.z, self.y) + below * slopes[0] + above * slopes[1])


class LogScores:
    """Standardised logarithms: of targets whose errors are shares and that multiply from task to task, as latencies.

    Parameters
    ----------
    y : (n,) float64
        Training targets, positive.

    Attributes
    ----------
    scores : (n,) float64
    """

    def __init__(self, y: FloatArray) -> None:
        logs = np.log(y)
        self.center, self.spread = float(logs.mean()), float(logs.std()) if np.ptp(y) > 0 else 1.0
        self.scores = np.asarray((logs - self.center) / self.spread, dtype=np.float64)

    def inverse(self, z: FloatArray) -> FloatArray:
        """Scores (n,) -> targets (n,), in the unit of y."""
        return np.asarray(np.exp(self.center + self.spread * z))

    ends = inverse


def check_targets(y: Any, n: int) -> FloatArray:
    """The targets of n architectures as float64; errors name the row."""
    try:
        values = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"The 'y' must be an array of numbers. Got {_first_other(y)}.") from error
    if values.ndim != 1 or len(values) != n:
        raise InvalidInputError(
            f"The 'y' must have shape ({n},), one number an architecture in 'archs'. Got shape {values.shape}."
        )
    if n < 2:
        raise InvalidInputError(f"The 'archs' must be at least two architectures. Got {n}.")
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise InvalidInputError(f"The 'y' must be finite. Got {values[bad[0]]} in row {bad[0]} ({len(bad)} such rows).")
    if np.ptp(values) == 0:
        warnings.warn(
            f"All {n} targets in 'y' are {values[0]:g}: there is nothing to learn, every prediction is that value.",
            SurronasWarning,
            stacklevel=3,
        )
    return values


def _first_other(y: Any) -> str:
    """What in y is no number, for an error's text."""
    for row, value in enumerate(y if isinstance(y, Iterable) else ()):
        try:
            float(value)
        except (TypeError, ValueError):
            return f"{value!r} in row {row}"
    return f"a {type(y).__name__}"
