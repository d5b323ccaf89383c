"""How far below a limit a prediction must be for the limit to be kept with a given probability."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from surronas.predictors.base import FloatArray

__all__ = ["safe_factor"]


def safe_factor(residuals: FloatArray, mean: FloatArray, n_keeping: int, confidence: float) -> float:
    """How many predicted standard deviations to add to a prediction before it is held against an upper limit.

    The one-sided conformal quantile of all rows, beyond which a new residual lies with probability ``1 - confidence``
    at most, says nothing of architectures that are picked: those predicted to keep a limit may be the badly predicted
    ones. So it is at least the quantile of such rows alone. Where these are fewer than ``2 / (1 - confidence)``, it is
    at least that of so many rows that come nearest to keeping it, and that of all rows at the confidence with which
    every residual beyond it may be among the few: ``1 - (1 - confidence) * n_keeping / n``.

    Parameters
    ----------
    residuals : (n,) float64
        (true - mean) / std, from models that had not seen the row.
    mean : (n,) float64
        What these models predicted.
    n_keeping : int
        How many of them are predicted to keep the limit, which are those of least mean.
    confidence : float
        Between 0 and 1.

    References
    ----------
    Vovk (2015), Cross-conformal predictors; Vovk, Lindsay, Nouretdinov and Gammerman (2003), Mondrian confidence
    machine (a quantile for each group).
    """
    few = int(np.ceil(2 / (1 - confidence)))
    keeping = np.argsort(mean, kind="stable")[: max(n_keeping, few)]
    share = 1.0 if n_keeping >= few else max(n_keeping, 1) / len(mean)
    return max(_quantile(residuals, 1 - (1 - confidence) * share), _quantile(residuals[keeping], confidence))


def _quantile(residuals: FloatArray, confidence: float) -> float:
    """The conformal quantile; beyond what n residuals can say it goes on as a normal tail from the largest."""
    n = len(residuals)
    rank = int(np.ceil(confidence * (n + 1) - 1e-9))
    if rank <= n:
        return float(np.sort(residuals)[rank - 1])
    largest = max(float(residuals.max()), float(np.sqrt(np.mean(residuals**2))))
    return float(largest * norm.ppf(confidence) / norm.ppf(n / (n + 1)))
