"""Cubic radial basis functions on random subsets of the features."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from surronas.predictors import register_predictor
from surronas.predictors._distances import squared_distances
from surronas.predictors.base import FloatArray, Predictor
from surronas.predictors.rbf import RBF, anchored, ball, solve

_MEMBERS, _ROWS = 32, 512  # members solved, and rows predicted, at a time, to bound the memory


@register_predictor("rbf_ensemble")
class RBFEnsemble(Predictor):
    """The median of many cubic radial basis function models, each on a random subset of the features.

    The models are those of ``rbf``. The std is the spread of the members.

    Parameters
    ----------
    n_members : int, default=500
    max_features : float, default=0.5
        Share of the features that a member sees; at least one.
    max_rows : int, default=200
        Most rows that a member is fitted to; where there are more, each member draws its own. NAT fits 100.
    smoothing, ridge : float
        As in ``rbf``.
    random_state : int, RandomState or None, default=None

    References
    ----------
    Lu, Sreekumar, Goodman, Banzhaf, Deb, Boddeti (2021), Neural architecture transfer, arXiv:2005.05859.
    Ho (1998), The random subspace method for constructing decision forests.
    """

    tunable = {"max_features": {"low": 0.1, "high": 1.0}, **RBF.tunable}

    def __init__(
        self,
        n_members: int = 500,
        max_features: float = 0.5,
        max_rows: int = 200,
        smoothing: float = 0.3,
        ridge: float = 0.1,
        random_state: Any = None,
    ) -> None:
        self.n_members = n_members
        self.max_features = max_features
        self.max_rows = max_rows
        self.smoothing = smoothing
        self.ridge = ridge
        self.random_state = random_state

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        rng = check_random_state(self.random_state)
        self.center_, self.scale_ = ball(X)
        Z = (X - self.center_) / self.scale_
        n, d = Z.shape
        n_rows, n_features = min(n, self.max_rows), max(1, round(self.max_features * d))
        self.rows_ = rng.rand(self.n_members, n).argsort(axis=1)[:, :n_rows]
        self.features_ = np.sort(rng.rand(self.n_members, d).argsort(axis=1)[:, :n_features], axis=1)
        self.nodes_ = Z
        # A subset has fewer features: bring its rows back to the scale that smoothing and ridge are meant for.
        self.stretch_ = float(np.sqrt(d / n_features))
        self.coefficients_ = np.empty((self.n_members, n_rows))
        self.intercepts_ = np.empty(self.n_members)
        for start in range(0, self.n_members, _MEMBERS):
            some = slice(start, start + _MEMBERS)
            nodes = self._nodes(some)
            system = _cubes(nodes, nodes) + nodes @ nodes.swapaxes(1, 2) / self.ridge
            # Rows that differ may be equal on the subset: never without any smoothing.
            system += max(self.smoothing, 1e-6) * np.eye(n_rows)
            right = np.stack([y[self.rows_[some]], np.ones((len(nodes), n_rows))], axis=-1)
            self.coefficients_[some], self.intercepts_[some] = solve(np.linalg.solve(anchored(system), right))

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        Z = (X - self.center_) / self.scale_ * self.stretch_
        mean, std = np.empty(len(Z)), np.empty(len(Z))
        for start in range(0, len(Z), _ROWS):
            rows = slice(start, start + _ROWS)
            members = np.stack([self._member(k, Z[rows]) for k in range(len(self.intercepts_))], axis=1)
            mean[rows], std[rows] = np.median(members, axis=1), members.std(axis=1)
        return mean, std

    def _member(self, k: int, Z: FloatArray) -> FloatArray:
        """The prediction (n,) of member k at stretched rows Z (n, d)."""
        nodes = self._nodes(slice(k, k + 1))[0]
        columns = Z[:, self.features_[k]]
        slopes = nodes.T @ self.coefficients_[k] / self.ridge
        prediction: FloatArray = _cubes(columns, nodes) @ self.coefficients_[k]
        prediction += columns @ slopes + self.intercepts_[k]
        return prediction

    def _nodes(self, members: slice) -> FloatArray:
        """The rows (n_members, n_rows, n_features) that these members were fitted to."""
        rows, features = self.rows_[members, :, None], self.features_[members, None, :]
        nodes: FloatArray = self.nodes_[rows, features] * self.stretch_
        return nodes


def _cubes(A: FloatArray, B: FloatArray) -> FloatArray:
    """The cubed distances (..., a, b) of the rows of A (..., a, d) and B (..., b, d)."""
    squares = squared_distances(A, B)
    squares *= np.sqrt(squares)
    return squares
