"""What the Gaussian processes share: the marginal likelihood with its slopes, and the search for its parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs
from scipy.optimize import minimize

from surronas.predictors.base import FloatArray

__all__ = ["Upper", "best_parameters", "marginal_likelihood"]

Upper = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns of the pairs of a matrix' upper triangle, as ``np.triu_indices`` gives them."""


def marginal_likelihood(
    entries: FloatArray, noise: float, y: FloatArray, upper: Upper
) -> tuple[float, FloatArray, float]:
    """Its negative logarithm but for a constant, and how that grows (Rasmussen and Williams, equation 5.9).

    Parameters
    ----------
    entries : (n (n + 1) / 2,) float64
        Covariances of the pairs ``upper``.
    noise : float
        On the diagonal beside them.
    y : (n,) float64

    Returns
    -------
    value : float
    by_entries : (n (n + 1) / 2,) float64
        With a covariance and its mirror image together.
    by_noise : float

    Raises
    ------
    LinAlgError
        When the covariance is not positive definite.
    """
    n = len(y)
    covariance = np.zeros((n, n), order="F")
    covariance[upper] = entries
    covariance[np.diag_indices(n)] += noise
    factor, failed = dpotrf(covariance, clean=0, overwrite_a=1)
    if failed:
        raise LinAlgError("the covariance is not positive definite")
    dual, _ = dpotrs(factor, y)
    value = float(y @ dual / 2 + np.log(factor.diagonal()).sum())
    inverse, _ = dpotri(factor)
    slope = inverse[upper] - dual[upper[0]] * dual[upper[1]]
    slope[upper[0] == upper[1]] /= 2
    return value, slope, float(np.trace(inverse) - dual @ dual) / 2


def best_parameters(
    loss: Callable[[FloatArray], tuple[float, FloatArray]], start: FloatArray, bounds: Any, max_iter: int
) -> tuple[FloatArray, int]:
    """The best parameters met by L-BFGS, and the number of steps; a failed step costs only itself.

    Parameters
    ----------
    loss : callable
        Value and gradient.
    """
    best, best_value = start, np.inf

    def guarded(parameters: FloatArray) -> tuple[float, FloatArray]:
        nonlocal best, best_value
        try:
            value, gradient = loss(parameters)
        except LinAlgError:
            return 1e10, np.zeros_like(parameters)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return 1e10, np.zeros_like(parameters)
        if value < best_value:
            best, best_value = parameters.copy(), value
        return value, gradient

    result = minimize(guarded, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": max_iter})
    return best, max(int(result.nit), 1)
