"""Conformal scaling of predicted standard deviations from out-of-fold residuals, of all rows and of those alike."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.stats import norm

from surronas.exceptions import InvalidInputError
from surronas.predictors.base import FloatArray

__all__ = ["Conformal"]

_ALIKE = 20  # the fewest residuals whose 90 % quantile is one of them, with one beyond


class Conformal:
    """How many predicted standard deviations out-of-fold residuals really spanned.

    Parameters
    ----------
    scores : (n,) float64
        |y - mean| / std, mean and std from models that had not seen the row.
    mean : (n,) float64, optional
        What these models predicted.

    Attributes
    ----------
    scores : (n,) float64, ascending
    scale : float
        Root mean square of the scores: the factor that makes the predicted std true on average.

    References
    ----------
    Vovk (2015), Cross-conformal predictors; Lei et al. (2018), Distribution-free predictive inference for
    regression (locally weighted scores); Vovk, Lindsay, Nouretdinov and Gammerman (2003), Mondrian confidence
    machine (a quantile for each group).
    """

    def __init__(self, scores: FloatArray, mean: FloatArray | None = None) -> None:
        self.scores = np.sort(scores)
        self.scale = float(np.sqrt(np.mean(self.scores**2)))
        order = np.arange(0) if mean is None else np.argsort(mean, kind="stable")
        self._scores, self._mean = scores[order], order if mean is None else mean[order]

    def factor(self, coverage: float) -> float:
        """Half-width, in predicted standard deviations, of an interval of that coverage.

        The finite-sample conformal quantile. Beyond what n scores can say (a coverage above n / (n + 1)),
        it goes on as a normal tail from the largest score.
        """
        return float(_quantile(self.scores, _checked(coverage)))

    def factors(self, coverage: float, mean: FloatArray) -> FloatArray:
        """The same of each of m predictions, so that it also holds among those predicted alike: (m,) float64.

        The quantile of all scores may be too small where the best are predicted, which is where searches look: their
        targets may lie closer, or be predicted worse, than others'. So it is at least that of the twenty held-out rows
        whose predictions are nearest.
        """
        whole = self.factor(coverage)
        if len(self._mean) <= _ALIKE:
            return np.full(len(mean), whole)
        alike = _quantile(np.sort(sliding_window_view(self._scores, _ALIKE), axis=1), coverage)
        first = np.searchsorted(self._mean, mean) - _ALIKE // 2
        return np.maximum(whole, alike[np.clip(first, 0, len(alike) - 1)])


def _checked(coverage: float) -> float:
    if not isinstance(coverage, (int, float, np.floating)) or not 0 < coverage < 1:
        raise InvalidInputError(
            f"The 'coverage' parameter of predict_interval must be between 0 and 1. Got {coverage!r} instead."
        )
    return float(coverage)


def _quantile(scores: FloatArray, coverage: float) -> FloatArray:
    """Of n ascending scores along the last axis."""
    n = scores.shape[-1]
    rank = coverage * (n + 1)
    if rank > n:
        return np.asarray(scores[..., -1] * norm.ppf((1 + coverage) / 2) / norm.ppf((1 + n / (n + 1)) / 2))
    below = max(int(rank), 1)
    share = min(max(rank - below, 0.0), 1.0)
    return np.asarray((1 - share) * scores[..., below - 1] + share * scores[..., min(below, n - 1)])
