"""Gradient-boosted trees."""

from __future__ import annotations

import numpy as np

from surronas.predictors import register_predictor
from surronas.predictors._boosting import Boosting
from surronas.predictors.base import FloatArray


@register_predictor("xgboost")
class XGBoost(Boosting):
    """Gradient-boosted trees: the mean of a few members, each fitted without one fold of the rows.

    Every row is out of one member's sample. The std joins the root mean square of these out-of-fold residuals, the
    same for all rows, with the spread of the members at the row.

    Parameters
    ----------
    n_members : int, default=4
        Members, and folds; at most one a row.
    n_rounds : int, default=150
        Trees of a member.
    learning_rate : float, default=0.1
    max_depth : int, default=4
    min_child_weight : float, default=1.0
        Least number of rows in a leaf.
    subsample : float, default=0.8
        Share of the rows drawn for a tree.
    max_features : float, default=0.5
        Share of the features tried at a split.
    n_jobs : int or None, default=None
    random_state : int, RandomState or None, default=None

    References
    ----------
    Chen, Guestrin (2016), XGBoost: a scalable tree boosting system, arXiv:1603.02754.
    """

    objective = {"objective": "reg:squarederror"}

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        residuals = y - self._boost(X, y)
        self.noise_ = float(np.sqrt(np.mean(residuals**2)))

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        scores = self._scores(X)
        return scores.mean(axis=0), np.hypot(self.noise_, scores.std(axis=0))
