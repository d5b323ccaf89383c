"""What the forests share."""

from __future__ import annotations

from typing import Any

from sklearn.utils import check_random_state

from surronas.predictors._trees import flatten, predict_mixture
from surronas.predictors.base import FloatArray, Predictor

__all__ = ["Forest"]


class Forest(Predictor):
    """A scikit-learn forest; a subclass names it in ``_estimator``."""

    tunable = {"max_features": {"low": 0.05, "high": 1.0}, "min_samples_leaf": {"low": 1, "high": 8}}

    def __init__(
        self,
        n_trees: int = 200,
        max_features: float | int | str | None = 0.5,
        min_samples_leaf: int | float = 1,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_trees = n_trees
        self.max_features = max_features
        self.min_samples_leaf = min_samples_leaf
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _estimator(self, **params: Any) -> Any:
        raise NotImplementedError

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        forest = self._estimator(
            n_estimators=self.n_trees,
            max_features=self.max_features,
            min_samples_leaf=self.min_samples_leaf,
            n_jobs=self.n_jobs,
            random_state=check_random_state(self.random_state),
        ).fit(X, y)
        self.trees_ = flatten((tree.tree_, None) for tree in forest.estimators_)

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        return predict_mixture(self.trees_, X)
