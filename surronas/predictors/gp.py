"""Exact Gaussian process with one kernel a feature block."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from gpytorch.priors import GammaPrior, LogNormalPrior
from linear_operator.utils.cholesky import psd_safe_cholesky
from scipy.linalg import solve_triangular
from scipy.optimize import Bounds
from scipy.spatial.distance import cdist
from sklearn.utils import check_random_state

from surronas.predictors import register_predictor
from surronas.predictors._distances import MOST_ROWS, squared_distances
from surronas.predictors._likelihood import Upper, best_parameters, marginal_likelihood
from surronas.predictors.base import FloatArray, Predictor

_CHUNK = 512  # rows whose covariance with a thousand others stays in the cache
_ROOT3 = float(np.sqrt(3))
_LENGTHSCALE, _NOISE = LogNormalPrior(0.3, 0.7), LogNormalPrior(-2.5, 1.0)
_SMOOTH, _LINEAR = GammaPrior(1.5, 1.5), GammaPrior(1.1, 2.0)


@register_predictor("gp")
class GaussianProcess(Predictor):
    """Gaussian process whose kernel is a sum over feature blocks of a Matérn 3/2 and a linear kernel.

    Every block has one lengthscale and two weights. They and the noise maximise the marginal likelihood
    times weak priors, by L-BFGS in double precision; features are standardised and each block is scaled
    by the root of its width, so that the priors mean the same for every encoder. One lengthscale a block
    lets distances be computed once, not once a step.

    Parameters
    ----------
    blocks : tuple of (name, shape) or None, default=None
        The feature blocks in column order, as an encoder's ``blocks_``; None is one block.
    max_iter : int, default=60
        Steps of L-BFGS.
    max_rows : int, default=400
        The kernel's parameters are fitted to at most so many rows, drawn at random; the posterior uses all.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    lengthscales_, smooth_, linear_ : (n_blocks,) float64
        Lengthscales, and the weights of the Matérn and the linear part, on standardised targets.
    noise_ : float
        Noise variance on standardised targets.
    n_iter_ : int
        Steps taken.

    References
    ----------
    Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, chapters 2 and 5.
    """

    most_rows = MOST_ROWS

    def __init__(self, blocks: Any = None, max_iter: int = 60, max_rows: int = 400, random_state: Any = None) -> None:
        self.blocks = blocks
        self.max_iter = max_iter
        self.max_rows = max_rows
        self.random_state = random_state

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        self.widths_ = self._widths(X.shape[1])
        self.center_ = X.mean(axis=0)
        spread = X.std(axis=0)
        self.scale_ = np.where(spread > 1e-12, spread, 1.0) * np.repeat(np.sqrt(self.widths_), self.widths_)
        self.X_ = self._scaled(X)

        rows = np.arange(len(X))
        if len(X) > self.max_rows:
            rows = check_random_state(self.random_state).permutation(len(X))[: self.max_rows]
        parts = self._blocks(self.X_[rows])
        distances = np.stack([cdist(part, part) for part in parts])
        products = np.stack([part @ part.T for part in parts])
        log_parameters, self.n_iter_ = _maximise(distances, products, y[rows], self.max_iter)
        parameters = np.exp(log_parameters)
        self.lengthscales_, self.smooth_, self.linear_ = parameters[:-1].reshape(3, -1)
        self.noise_ = float(parameters[-1])
        self.__dict__.pop("factor_", None)
        white = solve_triangular(self.factor_, y, lower=True)
        self.weights_ = solve_triangular(self.factor_, white, lower=True, trans=1)

    @cached_property
    def factor_(self) -> FloatArray:
        """(n, n) Cholesky factor of the training rows' covariance: for standard deviations, not kept in files."""
        covariance = self._cross(self.X_) + self.noise_ * np.eye(len(self.X_))
        return np.asarray(psd_safe_cholesky(torch.from_numpy(covariance)).numpy())

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in dict(super().__getstate__()).items() if name != "factor_"}

    def _predict_mean(self, X: FloatArray) -> FloatArray:
        parts = [X[start : start + _CHUNK] for start in range(0, len(X), _CHUNK)]
        means = [self._cross(self._scaled(part)) @ self.weights_ for part in parts]
        return np.concatenate([np.empty(0), *means])

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        means, stds = [], []
        for start in range(0, len(X), _CHUNK):
            rows = self._scaled(X[start : start + _CHUNK])
            cross = self._cross(rows)
            explained = np.square(solve_triangular(self.factor_, cross.T, lower=True)).sum(axis=0)
            prior = self.smooth_.sum() + np.square(rows) @ self._slopes() + self.noise_
            means.append(cross @ self.weights_)
            stds.append(np.sqrt(np.maximum(prior - explained, 1e-12)))
        return np.concatenate(means), np.concatenate(stds)

    def _widths(self, n_columns: int) -> list[int]:
        widths = [] if self.blocks is None else [int(np.prod(shape)) for _, shape in self.blocks if np.prod(shape)]
        return widths if sum(widths) == n_columns else [n_columns]

    def _covariances(self, X: FloatArray, noise: bool) -> FloatArray:
        b, q, _ = X.shape
        rows = self._scaled(X)
        cross = self._cross(rows.reshape(b * q, -1))
        white = solve_triangular(self.factor_, cross.T, lower=True).reshape(-1, b, q)
        blocks = self._stretched(rows)
        among = self._smooth_part(np.linalg.norm(block[:, :, None] - block[:, None], axis=3) for block in blocks)
        among += rows * self._slopes() @ rows.swapaxes(1, 2) + noise * self.noise_ * np.eye(q)
        return np.asarray(among - np.einsum("nbq,nbr->bqr", white, white))

    def _scaled(self, X: FloatArray) -> FloatArray:
        return np.asarray((X - self.center_) / self.scale_)

    def _blocks(self, X: FloatArray) -> list[FloatArray]:
        return np.split(X, np.cumsum(self.widths_)[:-1], axis=-1)

    def _cross(self, rows: FloatArray) -> FloatArray:
        """(len(rows), n) covariance of scaled rows with the training rows."""
        pairs = zip(self._stretched(rows), self._stretched(self.X_), strict=True)
        total = self._smooth_part(_root(squared_distances(a, b)) for a, b in pairs)
        total += rows * self._slopes() @ self.X_.T
        return total

    def _stretched(self, rows: FloatArray) -> list[FloatArray]:
        """The blocks (..., width) of scaled rows, in units of what a Matérn kernel decays by."""
        pairs = zip(self._blocks(rows), self.lengthscales_, strict=True)
        return [block * (_ROOT3 / lengthscale) for block, lengthscale in pairs]

    def _smooth_part(self, distances: Iterable[FloatArray]) -> FloatArray:
        """The sum of the Matérn kernels, in the place of the distances in each stretched block."""
        total: Any = None
        for r, weight in zip(distances, self.smooth_, strict=True):
            np.negative(r, out=r)
            decay = _exp(r)
            r -= 1
            r *= decay
            r *= -weight
            total = r if total is None else np.add(total, r, out=total)
        return np.asarray(total)

    def _slopes(self) -> FloatArray:
        """(d,) the weight of the linear kernel of each column's block."""
        return np.repeat(self.linear_, self.widths_)


def _root(squares: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(squares, out=squares))


def _exp(x: FloatArray) -> FloatArray:
    """By torch, whose exponential of doubles takes a fifth of numpy's time."""
    return np.asarray(torch.from_numpy(x).exp().numpy())


def _maximise(distances: FloatArray, products: FloatArray, y: FloatArray, max_iter: int) -> tuple[FloatArray, int]:
    """The best log parameters met, and the number of steps."""
    blocks = len(distances)
    start = np.log(np.r_[np.full(blocks, 1.5), np.full(blocks, 0.7 / blocks), np.full(blocks, 0.3 / blocks), 0.08])
    upper = np.triu_indices(len(y))
    distances, products = _ROOT3 * distances[:, *upper], products[:, *upper]
    lowest = np.log(np.repeat([1e-2, 1e-6, 1e-5], [blocks, 2 * blocks, 1]))
    highest = np.r_[np.full(3 * blocks, np.log(1e3)), 3.0]
    return best_parameters(
        lambda logs: _loss(logs, distances, products, y, upper), start, Bounds(lowest, highest), max_iter
    )


def _loss(
    logs: FloatArray,
    distances: FloatArray,
    products: FloatArray,
    y: FloatArray,
    upper: Upper,
) -> tuple[float, FloatArray]:
    """Negative log marginal likelihood minus log priors, and its gradient.

    Distances (times the root of three) and products are those of the pairs ``upper``, a matrix' upper triangle.
    """
    parameters = np.exp(logs)
    lengthscales, smooth, linear = parameters[:-1].reshape(3, -1)
    r = distances / lengthscales[:, None]
    decay = _exp(-r)
    kernels = (1 + r) * decay
    value, slope, by_noise = marginal_likelihood(smooth @ kernels + linear @ products, parameters[-1], y, upper)
    gradient = np.r_[
        smooth * (np.square(r) * decay @ slope),
        smooth * (kernels @ slope),
        linear * (products @ slope),
        parameters[-1] * by_noise,
    ]
    prior, prior_slope = _prior(logs)
    return value + prior, gradient + prior_slope


def _prior(logs: FloatArray) -> tuple[float, FloatArray]:
    """Negative log priors of the parameters, and their gradient by the logarithms."""
    lengthscales, smooth, linear = logs[:-1].reshape(3, -1)
    value, slopes = 0.0, []
    for part, normal in ((lengthscales, _LENGTHSCALE), (logs[-1:], _NOISE)):
        away = (part - normal.loc.item()) / normal.scale.item()
        value += float((part + np.square(away) / 2).sum())
        slopes.append(1 + away / normal.scale.item())
    for part, gamma in ((smooth, _SMOOTH), (linear, _LINEAR)):
        less, rate = 1 - gamma.concentration.item(), gamma.rate.item()
        value += float((less * part + rate * np.exp(part)).sum())
        slopes.append(less + rate * np.exp(part))
    return value, np.concatenate([slopes[0], slopes[2], slopes[3], slopes[1]])
