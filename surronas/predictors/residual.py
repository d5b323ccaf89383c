"""A prior prediction, corrected by a Gaussian process."""

from __future__ import annotations

import numpy as np

from surronas.predictors import register_predictor
from surronas.predictors.base import FloatArray, Predictor
from surronas.predictors.gp import GaussianProcess

__all__ = ["Residual"]

_PRIOR = "prior"


@register_predictor("residual")
class Residual(GaussianProcess):
    """A line through what was predicted before, and a Gaussian process of the other features on what that leaves.

    The feature block named ``prior`` is that prediction, on any scale. The line's slope is shrunk as by one more label
    at zero, so that a prior that says nothing is not believed. Without such a block it is the Gaussian process alone,
    without other features the line.

    Parameters
    ----------
    blocks, max_iter, max_rows, random_state
        As of ``GaussianProcess``.

    Attributes
    ----------
    slope_ : float
        Of the standardised targets on the standardised prior.
    """

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        widths = [(name, int(np.prod(shape))) for name, shape in self.blocks or ()]
        if sum(width for _, width in widths) != X.shape[1]:
            widths = [("", X.shape[1])]
        self.rest_widths_ = [width for name, width in widths if name != _PRIOR and width]
        self.is_prior_ = np.repeat([name == _PRIOR for name, _ in widths], [width for _, width in widths])
        prior = X[:, self.is_prior_].mean(axis=1) if self.is_prior_.any() else np.zeros(len(X))
        self.prior_mean_, spread = float(prior.mean()), float(prior.std())
        self.prior_scale_ = spread if spread > 1e-12 else 1.0
        p = (prior - self.prior_mean_) / self.prior_scale_
        self.slope_ = float(p @ y / (p @ p + 1))
        residual = y - self.slope_ * p
        self.residual_std_ = float(residual.std())
        if self.rest_widths_:
            super()._fit(X[:, ~self.is_prior_], residual)

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        line = self._line(X)
        if not self.rest_widths_:
            return line, np.full(len(X), max(self.residual_std_, 1e-6))
        mean, std = super()._predict(X[:, ~self.is_prior_])
        return line + mean, std

    def _predict_mean(self, X: FloatArray) -> FloatArray:
        line = self._line(X)
        return line + super()._predict_mean(X[:, ~self.is_prior_]) if self.rest_widths_ else line

    def _line(self, X: FloatArray) -> FloatArray:
        prior = X[:, self.is_prior_].mean(axis=1) if self.is_prior_.any() else np.zeros(len(X))
        return np.asarray(self.slope_ * (prior - self.prior_mean_) / self.prior_scale_)

    def _covariances(self, X: FloatArray, noise: bool) -> FloatArray:
        if not self.rest_widths_:
            return Predictor._covariances(self, X, noise)
        return super()._covariances(X[:, :, ~self.is_prior_], noise)

    def _widths(self, n_columns: int) -> list[int]:
        return self.rest_widths_
