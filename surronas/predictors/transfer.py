"""Bayesian regression that expects a task to be like others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, qmc

from surronas.predictors import register_predictor
from surronas.predictors.base import FloatArray, Predictor

_PRIOR = "prior"
_N_DRAWS, _N_KEPT, _MAX_ROWS = 256, 32, 64
_INTERCEPT = 10.0
# Medians and spreads of the logarithms of variances, for standardised targets; chosen on the tasks that
# benchmarks/transfer.py calls choosing, where an e-fold more or less of any changes little.
_OF_PRIOR, _OF_OTHERS, _OF_NOISE = (-1.5, 1.5), (-4.0, 1.5), (-1.3, 1.2)


@register_predictor("transfer")
class Transfer(Predictor):
    """Linear regression on what is predicted for other tasks and on the other features, under a hierarchical prior.

    The feature block named ``prior`` has a column a task, in standard deviations of that task. Before the first label
    the target is taken to be the mean of the tasks, one of them, or none, each as likely. The weights are normal around
    that, those of every other block around zero. How far they may be from it (a variance a block) and the noise are
    integrated over: 256 points of a Sobol sequence of their priors, weighed by the marginal likelihood of at most 64
    rows. So few labels say which tasks are alike, how far to follow them and how much is noise, without any of it being
    decided.

    Parameters
    ----------
    blocks : tuple of (name, shape) or None, default=None
        The feature blocks in column order, as an encoder's ``blocks_``; None is one block without a prior.

    Attributes
    ----------
    weights_ : (1 + d,) float64
        Posterior mean: of the intercept, then of the features, scaled.
    covariance_ : (1 + d, 1 + d) float64
        Posterior covariance of the whole mixture.
    noise_ : float
        Posterior mean of the noise variance of standardised targets.

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, chapters 5 and 14.
    """

    def __init__(self, blocks: Any = None) -> None:
        self.blocks = blocks

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        names, block = self._columns(X.shape[1])
        is_prior = np.array([name == _PRIOR for name in names])[block]
        spread = X.std(axis=0)
        self.center_ = np.where(is_prior, 0.0, X.mean(axis=0))
        self.scale_ = np.where(is_prior | (spread <= 1e-9), 1.0, spread) * np.sqrt(np.bincount(block)[block])
        F, centers = self._features(X), _centers(is_prior)

        priors = np.array([_OF_PRIOR if name == _PRIOR else _OF_OTHERS for name in names] + [_OF_NOISE])
        draws = norm.ppf(qmc.Sobol(len(priors), rng=0).random(_N_DRAWS))
        variances = np.exp(priors[:, 0] + priors[:, 1] * draws)
        rows = np.unique(np.linspace(0, len(X) - 1, min(len(X), _MAX_ROWS)).astype(int))
        shares = _shares(F[rows], y[rows], block, variances, centers)
        kept = np.argsort(-shares.sum(axis=1), kind="stable")[:_N_KEPT]
        shares = shares[kept] / shares[kept].sum()
        noise, by_column = variances[kept, -1], variances[kept][:, block]

        gram, residual = F.T @ F, F.T @ (y[:, None] - F @ centers)
        self.weights_, second = np.zeros(F.shape[1]), np.zeros_like(gram)
        for share, precision, of_noise in zip(shares, 1 / by_column, noise, strict=True):
            covariance = np.linalg.inv(gram / of_noise + np.diag(np.r_[1 / _INTERCEPT, precision]))
            weights = centers + covariance @ residual / of_noise
            self.weights_ += weights @ share
            second += share.sum() * covariance + (weights * share) @ weights.T
        self.covariance_ = second - np.outer(self.weights_, self.weights_)
        self.noise_ = float(shares.sum(axis=1) @ noise)

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        F = self._features(X)
        variance = ((F @ self.covariance_) * F).sum(axis=1) + self.noise_
        return F @ self.weights_, np.sqrt(np.maximum(variance, 1e-12))

    def _columns(self, d: int) -> tuple[list[str], NDArray[np.int64]]:
        """The blocks' names, and the block of each of the d columns."""
        parts = [(name, int(np.prod(shape))) for name, shape in self.blocks or () if np.prod(shape)]
        if sum(width for _, width in parts) != d:
            parts = [("", d)]
        return [name for name, _ in parts], np.repeat(np.arange(len(parts)), [width for _, width in parts])

    def _features(self, X: FloatArray) -> FloatArray:
        return np.column_stack([np.ones(len(X)), (X - self.center_) / self.scale_])


def _centers(is_prior: NDArray[np.bool_]) -> FloatArray:
    """(1 + d, hypotheses) where the weights may be centred: on nothing, on the mean of the tasks, on each of them."""
    places = 1 + np.flatnonzero(is_prior)
    n = len(places)
    centers = np.zeros((1 + len(is_prior), 1 + (n > 0) + (n if n > 1 else 0)))
    if n:
        centers[places, 1] = np.sqrt(n) / n  # the columns are divided by the root of their number
    if n > 1:
        centers[places, np.arange(2, 2 + n)] = np.sqrt(n)
    return centers


def _shares(
    F: FloatArray, y: FloatArray, block: NDArray[np.int64], variances: FloatArray, centers: FloatArray
) -> FloatArray:
    """(draws, hypotheses) posterior probabilities, by the marginal likelihood of normal targets."""
    products = np.stack([F[:, 1:][:, block == b] @ F[:, 1:][:, block == b].T for b in range(variances.shape[1] - 1)])
    covariance = _INTERCEPT + np.einsum("gb,bij->gij", variances[:, :-1], products)
    factor = np.linalg.cholesky(covariance + variances[:, -1, None, None] * np.eye(len(y)))
    white = np.linalg.solve(factor, np.broadcast_to(y[:, None] - F @ centers, (len(factor), len(y), centers.shape[1])))
    logs = -np.square(white).sum(axis=1) / 2
    logs -= np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)[:, None]
    shares = np.exp(logs - logs.max())
    return np.asarray(shares / shares.sum())
