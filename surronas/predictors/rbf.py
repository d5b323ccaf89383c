"""Cubic radial basis functions with a linear tail."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from surronas.predictors import register_predictor
from surronas.predictors._distances import MOST_ROWS, squared_distances
from surronas.predictors.base import FloatArray, Predictor

_ROWS = 1024  # rows predicted at a time, to bound the memory


@register_predictor("rbf")
class RBF(Predictor):
    """Cubic radial basis functions with a linear tail, on standardised features scaled into the unit ball.

    The slopes of the tail carry a ridge. The classical tail (``ridge`` near 0) is undetermined for collinear
    features, and leaves nothing to the radial part where features outnumber rows; the ridge repairs both. Equal rows
    count as one, with the mean of their targets.

    Half the variance is the mean squared leave-one-out residual, in closed form; the other half grows with the squared
    distance to the nearest training row, and has the same mean over the rows that are left out.

    Parameters
    ----------
    smoothing : float, default=0.3
        Weight of the sum of squared radial coefficients; 0 interpolates.
    ridge : float, default=0.1
        Weight of the sum of squared slopes, > 0. The classical tail is the limit 0; much above 0.1 the system is not
        positive definite any more.

    References
    ----------
    Powell (1992), The theory of radial basis function approximation in 1990.
    Rippa (1999), An algorithm for selecting a good value for the parameter c in radial basis function interpolation.
    Regis, Shoemaker (2013), Combining radial basis function surrogates and dynamic coordinate search.
    """

    most_rows = MOST_ROWS

    tunable = {
        "smoothing": {"low": 1e-3, "high": 10.0, "log": True},
        "ridge": {"low": 1e-3, "high": 0.1, "log": True},
    }

    def __init__(self, smoothing: float = 0.3, ridge: float = 0.1) -> None:
        self.smoothing = smoothing
        self.ridge = ridge

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        rows, inverse, counts = np.unique(X, axis=0, return_inverse=True, return_counts=True)
        self.center_, self.scale_ = ball(rows)
        self.nodes_ = (rows - self.center_) / self.scale_
        n = len(rows)
        values = np.bincount(inverse.ravel(), y) / counts
        distance = cdist(self.nodes_, self.nodes_)
        system = distance**3 + self.nodes_ @ self.nodes_.T / self.ridge + np.diag(self.smoothing / counts)
        system = anchored(system)
        answers: FloatArray = np.linalg.solve(system, np.c_[values, np.ones(n)]).astype(np.float64, copy=False)
        self.coefficients_, self.intercept_ = solve(answers)
        self.slopes_ = self.nodes_.T @ self.coefficients_ / self.ridge
        inverse_system = np.linalg.inv(system)
        sums = inverse_system.sum(axis=0)
        leverage = np.diag(inverse_system) - sums**2 / sums.sum()
        np.fill_diagonal(distance, np.inf)
        enough = n > 2 and leverage.min() > 0.0
        self.loo_ = self.coefficients_ / leverage if enough else values - values.mean()
        self.error_ = float(np.sqrt(np.mean(self.loo_**2)))
        self.spacing_ = float(np.sqrt(np.mean(distance.min(axis=0) ** 2))) if n > 1 else 1.0

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        Z = (X - self.center_) / self.scale_
        mean, nearest = self.intercept_ + Z @ self.slopes_, np.empty(len(Z))
        for start in range(0, len(Z), _ROWS):
            rows = slice(start, start + _ROWS)
            squares = squared_distances(Z[rows], self.nodes_)
            nearest[rows] = np.sqrt(squares.min(axis=1))
            squares *= np.sqrt(squares)
            mean[rows] += squares @ self.coefficients_
        return mean, self.error_ * np.sqrt(0.5 + 0.5 * (nearest / self.spacing_) ** 2)


def ball(X: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Centre (d,) and scale (d,) that standardise X (n, d) and bring its farthest row to distance 1 of the origin."""
    center, spread = X.mean(axis=0), X.std(axis=0)
    # A column that is constant but for rounding must not be blown up.
    spread = np.where(spread > 1e-12 * np.abs(X).max(axis=0), spread, np.inf)
    radius = float(np.sqrt((((X - center) / spread) ** 2).sum(axis=1).max()))
    return center, spread * (radius or 1.0)


def anchored(system: FloatArray) -> FloatArray:
    """The system (..., n, n), made regular for coefficients whose sum is not 0; the others do not notice."""
    return system + 8.0  # the cube of the ball's diameter


def solve(answers: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Coefficients (..., n) of sum 0 and intercepts (...) from the system's answers (..., n, 2) to targets, ones."""
    intercepts = answers[..., 0].sum(axis=-1) / answers[..., 1].sum(axis=-1)
    return answers[..., 0] - intercepts[..., None] * answers[..., 1], intercepts
