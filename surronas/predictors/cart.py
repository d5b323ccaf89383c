"""Regression trees on random subsets of the features."""

from __future__ import annotations

from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils import check_random_state

from surronas.predictors import register_predictor
from surronas.predictors._trees import flatten, predict_mixture
from surronas.predictors.base import FloatArray, Predictor


@register_predictor("cart")
class CART(Predictor):
    """The mean of full regression trees, each on all rows and a random subset of 1 to d features.

    The std is that of the trees as a mixture.

    Parameters
    ----------
    n_trees : int, default=500
        MSuNAS takes 5,000.
    n_jobs : int or None, default=None
    random_state : int, RandomState or None, default=None

    References
    ----------
    Lu, Deb, Goodman, Banzhaf, Boddeti (2020), NSGANetV2, arXiv:2007.10396.
    Sun et al. (2020), Surrogate-assisted evolutionary deep learning using an end-to-end random forest-based
    performance predictor.
    """

    def __init__(self, n_trees: int = 500, n_jobs: int | None = None, random_state: Any = None) -> None:
        self.n_trees = n_trees
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        rng = check_random_state(self.random_state)
        d = X.shape[1]
        subsets = [rng.permutation(d)[: rng.randint(1, d + 1)] for _ in range(self.n_trees)]
        seeds = rng.randint(2**31 - 1, size=self.n_trees)
        narrow = X.astype(np.float32)  # once, where each tree would convert again
        trees = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(_grow)(narrow, y, columns, seed) for columns, seed in zip(subsets, seeds, strict=True)
        )
        self.trees_ = flatten(zip(trees, subsets, strict=True))

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        return predict_mixture(self.trees_, X)


def _grow(X: NDArray[np.float32], y: FloatArray, columns: NDArray[np.intp], seed: int) -> Any:
    tree = DecisionTreeRegressor(random_state=seed)
    return tree.fit(np.asfortranarray(X[:, columns]), y, check_input=False).tree_
