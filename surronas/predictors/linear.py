"""Bayesian ridge regression."""

from __future__ import annotations

from sklearn.linear_model import BayesianRidge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from surronas.predictors import register_predictor
from surronas.predictors.base import FloatArray, Predictor


@register_predictor("linear")
class Linear(Predictor):
    """Bayesian ridge regression on standardised features.

    References
    ----------
    MacKay (1992), Bayesian interpolation.
    """

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        self.model_ = make_pipeline(StandardScaler(), BayesianRidge()).fit(X, y)

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        mean, std = self.model_.predict(X, return_std=True)
        return mean, std
