"""Extremely randomised trees."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import ExtraTreesRegressor

from surronas.predictors import register_predictor
from surronas.predictors._forest import Forest


@register_predictor("extra_trees")
class ExtraTrees(Forest):
    """Extremely randomised trees: the mean of trees grown on all rows, with a random threshold for each feature tried.

    The std is that of the trees as a mixture (Hutter et al., 2014, section 4.3.2): the variance of the leaves'
    means plus the mean of the leaves' variances. Every tree sees all rows,
    so that it understates the noise of the targets.

    Parameters
    ----------
    n_trees : int, default=200
    max_features : float, int, str or None, default=0.5
        Features tried at a split, as in scikit-learn.
    min_samples_leaf : int or float, default=1
    n_jobs : int or None, default=None
    random_state : int, RandomState or None, default=None

    References
    ----------
    Geurts, Ernst, Wehenkel (2006), Extremely randomized trees.
    Hutter, Xu, Hoos, Leyton-Brown (2014), Algorithm runtime prediction: methods & evaluation, arXiv:1211.0906.
    """

    def _estimator(self, **params: Any) -> Any:
        return ExtraTreesRegressor(**params)
