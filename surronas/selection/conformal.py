"""Conformal scaling of predicted standard deviations from out-of-fold residuals."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from surronas.exceptions import InvalidInputError
from surronas.predictors.base import FloatArray

__all__ = ["Conformal"]


class Conformal:
    """How many predicted standard deviations out-of-fold residuals really spanned.

    Parameters
    ----------
    scores : (n,) float64
        |y - mean| / std, mean and std from models that had not seen the row.

    Attributes
    ----------
    scores : (n,) float64, ascending
    scale : float
        Root mean square of the scores: the factor that makes the predicted std true on average.

    References
    ----------
    Vovk (2015), Cross-conformal predictors; Lei et al. (2018), Distribution-free predictive inference for
    regression (locally weighted scores).
    """

    def __init__(self, scores: FloatArray) -> None:
        self.scores = np.sort(scores)
        self.scale = float(np.sqrt(np.mean(self.scores**2)))

    def factor(self, coverage: float) -> float:
        """Half-width, in predicted standard deviations, of an interval of that coverage.

        The finite-sample conformal quantile. Beyond what n scores can say (a coverage above n / (n + 1)),
        it goes on as a normal tail from the largest score.
        """
        if not isinstance(coverage, (int, float, np.floating)) or not 0 < coverage < 1:
            raise InvalidInputError(
                f"The 'coverage' parameter of predict_interval must be between 0 and 1. Got {coverage!r} instead."
            )
        n = len(self.scores)
        rank = coverage * (n + 1)
        if rank <= n:
            return float(np.interp(rank, np.arange(1, n + 1), self.scores))
        return float(self.scores[-1] * norm.ppf((1 + coverage) / 2) / norm.ppf((1 + n / (n + 1)) / 2))
