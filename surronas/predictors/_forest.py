"""What the forests share: growing, and the mean and std of a mixture of leaves."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from surronas.predictors.base import FloatArray, Predictor

__all__ = ["Forest", "row_chunks"]


def row_chunks(n_rows: int, row_size: int, budget: int = 2**22) -> list[slice]:
    """Slices of rows, each with at most ``budget`` entries of ``row_size`` a row (at least one row)."""
    step = max(1, budget // max(1, row_size))
    return [slice(start, start + step) for start in range(0, n_rows, step)]


class Forest(Predictor):
    """A scikit-learn forest; a subclass names it in ``_estimator``."""

    def __init__(
        self,
        n_trees: int = 300,
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
        # A drawn seed, so that a RandomState instance is never kept in the fitted forest.
        self.forest_ = self._estimator(
            n_estimators=self.n_trees,
            max_features=self.max_features,
            min_samples_leaf=self.min_samples_leaf,
            n_jobs=self.n_jobs,
            random_state=int(check_random_state(self.random_state).randint(2**31 - 1)),
        ).fit(X, y)
        trees = [tree.tree_ for tree in self.forest_.estimators_]
        self.offsets_ = np.cumsum([0] + [tree.node_count for tree in trees[:-1]])
        self.leaf_mean_ = np.concatenate([tree.value[:, 0, 0] for tree in trees])
        self.leaf_variance_ = np.concatenate([tree.impurity for tree in trees]).clip(min=0.0)  # rounding can leave it below 0

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        mean, std = np.empty(len(X)), np.empty(len(X))
        for rows in row_chunks(len(X), len(self.offsets_)):
            leaves = self.forest_.apply(X[rows]) + self.offsets_
            means = self.leaf_mean_[leaves]
            mean[rows] = means.mean(axis=1)
            std[rows] = np.sqrt(means.var(axis=1) + self.leaf_variance_[leaves].mean(axis=1))
        return mean, std
