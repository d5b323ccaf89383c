"""Gradient-boosted trees that learn the order of the targets."""

from __future__ import annotations

import numpy as np
from sklearn.isotonic import IsotonicRegression

from surronas.predictors import register_predictor
from surronas.predictors._boosting import Boosting
from surronas.predictors.base import FloatArray

# Share of a straight line in the map from scores to targets: it keeps the map strictly increasing, hence every rank.
_LINE = 0.1


@register_predictor("xgboost_rank")
class XGBoostRank(Boosting):
    """Gradient-boosted trees with a pairwise ranking loss over random pairs of rows, 32 a row.

    The mean of the members' scores ranks the rows. A strictly increasing map, fitted to the out-of-fold scores
    (isotonic regression plus a little of the least-squares line), turns it into targets. The std joins the root mean
    square of the out-of-fold residuals with the spread of the members at the row.

    Parameters
    ----------
    n_members : int, default=4
        Members, and folds; at most one a row.
    n_rounds : int, default=150
        Trees of a member.
    learning_rate : float, default=0.1
    max_depth : int, default=4
    min_child_weight : float, default=1.0
        Least sum of the loss's second derivatives in a leaf.
    subsample : float, default=0.8
        Share of the rows drawn for a tree.
    max_features : float, default=0.5
        Share of the features tried at a split.
    n_jobs : int or None, default=None
    random_state : int, RandomState or None, default=None

    References
    ----------
    Burges (2010), From RankNet to LambdaRank to LambdaMART: an overview.
    Chen, Guestrin (2016), XGBoost: a scalable tree boosting system, arXiv:1603.02754.
    """

    objective = {"objective": "rank:pairwise", "lambdarank_pair_method": "mean", "lambdarank_num_pair_per_sample": 32}

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        scores = self._boost(X, y)
        spread = float(scores.std()) or 1.0
        slope = float(np.mean(scores * y)) / spread**2  # of least squares, the mean of y being 0
        isotonic = IsotonicRegression().fit(scores, y)
        self.slope_ = _LINE * max(slope, 1e-3 / spread)
        self.score_knots_ = np.asarray(isotonic.X_thresholds_)
        self.target_knots_ = (1.0 - _LINE) * np.asarray(isotonic.y_thresholds_)
        self.noise_ = float(np.sqrt(np.mean((y - self._to_targets(scores)) ** 2)))

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        scores = self._scores(X)
        return self._to_targets(scores.mean(axis=0)), np.hypot(self.noise_, self._to_targets(scores).std(axis=0))

    def _to_targets(self, scores: FloatArray) -> FloatArray:
        steps: FloatArray = np.interp(scores, self.score_knots_, self.target_knots_)
        return steps + self.slope_ * scores
