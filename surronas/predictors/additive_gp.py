"""Gaussian process that finds out which features count, and which of them act together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.sparse import csr_array
from sklearn.utils import check_random_state

from surronas.predictors import register_predictor
from surronas.predictors._distances import MOST_ROWS
from surronas.predictors._likelihood import Upper, best_parameters, marginal_likelihood
from surronas.predictors.base import FloatArray, Predictor

_CHUNK = 4096
_ROOT3 = float(np.sqrt(3))
_JITTER = 1e-6
_LOWEST, _HIGHEST = -10.0, 6.0
# Median and spread of the logarithms: a feature's weight (its median is one part of d), then the others.
_WEIGHT_SPREAD = 2.0
_OTHERS = np.array([[0.0, 1.5], [-1.5, 1.5], [0.0, 0.7], [-2.5, 1.0]])  # pairs, linear, lengthscale, noise


@register_predictor("additive_gp")
class AdditiveGaussianProcess(Predictor):
    """Gaussian process over single features and pairs of them, each feature with a weight of its own.

    The kernel is ``sum_i z_i + pairs * sum_{i<j} z_i z_j + linear * <x, x'>`` with ``z_i`` = weight i times a
    Matérn 3/2 kernel of feature i alone. So a feature may have an effect of any shape, and change that of another one:
    what a wider layer brings depends on the images' resolution. All parameters maximise the marginal likelihood times
    log-normal priors, by L-BFGS with the gradient in closed form. One lengthscale serves all features, which are
    standardised. Made for some tens of features that mean something each, such as ordered genes.

    Parameters
    ----------
    max_iter : int, default=60
        Steps of L-BFGS.
    max_rows : int, default=300
        The kernel's parameters are fitted to at most so many rows, drawn at random; the posterior uses all.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    weights_ : (d,) float64
        Of the features; 0 for one that is constant in training.
    pairs_, linear_, lengthscale_, noise_ : float
        The others; the noise is a variance, on standardised targets.
    n_iter_ : int
        Steps taken.

    References
    ----------
    Duvenaud, Nickisch and Rasmussen (2011), Additive Gaussian processes, NeurIPS.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(150, 8))
    >>> y = X[:, 0] * X[:, 1] + np.sin(3 * X[:, 2])
    >>> model = AdditiveGaussianProcess().fit(X[:75], y[:75])
    >>> sorted(np.argsort(model.weights_)[-3:].tolist()), bool(model.score(X[75:], y[75:]) > 0.9)
    ([0, 1, 2], True)
    """

    most_rows = MOST_ROWS

    def __init__(self, max_iter: int = 60, max_rows: int = 300, random_state: Any = None) -> None:
        self.max_iter = max_iter
        self.max_rows = max_rows
        self.random_state = random_state

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        self.center_ = X.mean(axis=0)
        spread = X.std(axis=0)
        varies = spread > 1e-12
        self.scale_ = np.where(varies, spread, 1.0)
        self.X_ = (X - self.center_) / self.scale_
        rows = np.arange(len(X))
        if len(X) > self.max_rows:
            rows = check_random_state(self.random_state).permutation(len(X))[: self.max_rows]
        logs, self.n_iter_ = _maximise(self.X_[rows][:, varies], y[rows], self.max_iter)
        self.weights_ = np.zeros(X.shape[1])
        self.weights_[varies] = np.exp(logs[:-4])
        self.pairs_, self.linear_, self.lengthscale_, self.noise_ = (float(value) for value in np.exp(logs[-4:]))
        self.linear_ /= max(1, varies.sum())

        covariance = self._covariance(self.X_) + (self.noise_ + _JITTER) * np.eye(len(X))
        self.factor_ = cholesky(covariance, lower=True)
        self.dual_ = cho_solve((self.factor_, True), y)

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        total = self.weights_.sum()
        alone = total + self.pairs_ * (total**2 - np.square(self.weights_).sum()) / 2 + self.noise_
        means, stds = [], []
        for start in range(0, len(X), _CHUNK):
            rows = (X[start : start + _CHUNK] - self.center_) / self.scale_
            cross = self._covariance(rows)
            explained = np.square(solve_triangular(self.factor_, cross.T, lower=True)).sum(axis=0)
            prior = alone + self.linear_ * np.square(rows[:, self.weights_ > 0]).sum(axis=1)
            means.append(cross @ self.dual_)
            stds.append(np.sqrt(np.maximum(prior - explained, 1e-12)))
        return np.concatenate(means), np.concatenate(stds)

    def _predict_mean(self, X: FloatArray) -> FloatArray:
        parts = [(X[start : start + _CHUNK] - self.center_) / self.scale_ for start in range(0, len(X), _CHUNK)]
        return np.concatenate([np.empty(0), *(self._covariance(part) @ self.dual_ for part in parts)])

    def _covariances(self, X: FloatArray, noise: bool) -> FloatArray:
        b, q, _ = X.shape
        rows = (X - self.center_) / self.scale_
        cross = self._covariance(rows.reshape(b * q, -1))
        white = solve_triangular(self.factor_, cross.T, lower=True).reshape(-1, b, q)
        used = self.weights_ > 0
        rows = rows[:, :, used]
        singles, squares = np.zeros((b, q, q)), np.zeros((b, q, q))
        for weight, feature in zip(self.weights_[used], np.moveaxis(rows, 2, 0), strict=True):
            r = np.abs(feature[:, :, None] - feature[:, None]) * (_ROOT3 / self.lengthscale_)
            z = weight * (1 + r) * np.exp(-r)
            singles += z
            squares += np.square(z)
        among = singles + self.pairs_ * (np.square(singles) - squares) / 2
        among += self.linear_ * (rows @ rows.swapaxes(1, 2)) + noise * self.noise_ * np.eye(q)
        return np.asarray(among - np.einsum("nbq,nbr->bqr", white, white))

    def _covariance(self, A: FloatArray) -> FloatArray:
        """(len(A), n) with the training rows. Genes have few values, so a kernel is computed once for each of them."""
        B, singles = self.X_, np.zeros((len(A), len(self.X_)))
        squares = np.zeros_like(singles)
        for i in np.flatnonzero(self.weights_):
            levels, place = np.unique(A[:, i], return_inverse=True)
            r = np.abs(levels[:, None] - B[:, i]) * (_ROOT3 / self.lengthscale_)
            z = self.weights_[i] * (1 + r) * np.exp(-r)
            singles += z[place]
            squares += np.square(z)[place]
        total: FloatArray = singles + self.pairs_ * (np.square(singles) - squares) / 2 + self.linear_ * (A @ B.T)
        return total


def _maximise(X: FloatArray, y: FloatArray, max_iter: int) -> tuple[FloatArray, int]:
    """Logarithms of (weights, pairs, linear, lengthscale, noise) at the maximum found, and the number of steps."""
    n, d = X.shape
    upper = np.triu_indices(n)
    gaps, feature, at = _gaps(X, upper)
    members = at.T.tocsr()
    products = (X @ X.T)[upper] / max(d, 1)
    medians = np.r_[np.full(d, -np.log(max(d, 1))), _OTHERS[:, 0]]
    spreads = np.r_[np.full(d, _WEIGHT_SPREAD), _OTHERS[:, 1]]

    def loss(logs: FloatArray) -> tuple[float, FloatArray]:
        """Negative log marginal likelihood minus log priors, and its gradient."""
        pairs, linear, lengthscale, noise = np.exp(logs[d:])
        r = gaps / lengthscale
        decay = np.exp(-r)
        change = np.square(r) * decay  # of a kernel with the logarithm of the lengthscale
        weight = np.exp(logs[:d])[feature]
        z = weight * (1 + r) * decay
        singles, squares = (at @ np.column_stack([z, np.square(z)])).T
        both = (np.square(singles) - squares) / 2
        entries = singles + pairs * both + linear * products
        value, slope, by_noise = marginal_likelihood(entries, noise + _JITTER, y, upper)
        by_single, by_square = (members @ np.column_stack([slope * (1 + pairs * singles), slope])).T
        by_z = by_single - pairs * z * by_square
        of_weights = np.bincount(feature, weights=z * by_z, minlength=d)
        others = [pairs * (slope @ both), linear * (slope @ products), (weight * change) @ by_z, noise * by_noise]
        away = (logs - medians) / spreads
        return value + float(np.square(away).sum() / 2), np.r_[of_weights, others] + away / spreads

    return best_parameters(loss, medians, [(_LOWEST, _HIGHEST)] * len(medians), max_iter)


def _gaps(X: FloatArray, upper: Upper) -> tuple[FloatArray, NDArray[np.intp], csr_array]:
    """The distances that there are in each feature, times the root of three, and which of them each pair has.

    Genes have few values, so kernels are computed for few distances and then handed out.

    Returns
    -------
    gaps : (g,) float64
    feature : (g,) int
    at : (pairs, g) sparse, of ones
    """
    gaps, places, n_gaps = [], [], 0
    for column in X.T:
        values, place = np.unique(column, return_inverse=True)
        if len(values) ** 2 < len(upper[0]):
            own, which = np.unique(np.abs(values[:, None] - values), return_inverse=True)
            of_pairs = which.reshape(len(values), -1)[place[upper[0]], place[upper[1]]]
        else:
            own, of_pairs = np.abs(column[upper[0]] - column[upper[1]]), np.arange(len(upper[0]))
        gaps.append(own)
        places.append(n_gaps + of_pairs)
        n_gaps += len(own)
    indices = np.stack(places, axis=1) if places else np.empty((len(upper[0]), 0), dtype=np.intp)
    starts = np.arange(len(indices) + 1) * indices.shape[1]
    at = csr_array((np.ones(indices.size), indices.ravel(), starts), shape=(len(indices), n_gaps))
    feature = np.repeat(np.arange(len(gaps)), [len(own) for own in gaps])
    return _ROOT3 * np.concatenate([np.empty(0), *gaps]), feature, at
