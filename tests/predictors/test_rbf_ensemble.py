"""rbf_ensemble against a loop over its members, each a refit of rbf's equations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from surronas.predictors.rbf_ensemble import RBFEnsemble


@pytest.mark.parametrize(("n", "max_rows"), [(30, 200), (90, 50)])
def test_prediction_is_the_median_of_members_solved_one_by_one(n, max_rows):
    rng = np.random.default_rng(0)
    X, y, X_new = rng.normal(size=(n, 9)), rng.normal(size=n), rng.normal(size=(700, 9))
    model = RBFEnsemble(n_members=41, max_rows=max_rows, random_state=1).fit(X, y)
    mean, std = model.predict(X_new, return_std=True)
    members = []
    for rows, columns in zip(model.rows_, model.features_, strict=True):
        size, stretch = len(rows), np.sqrt(9 / len(columns))
        A, B = (stretch * ((M - model.center_) / model.scale_)[:, columns] for M in (X[rows], X_new))
        # The tail spelt out: slopes with a ridge, an intercept without one.
        k = len(columns)
        radial = np.linalg.norm(A[:, None] - A[None], axis=-1) ** 3 + 0.3 * np.eye(size)
        tail = np.c_[np.ones(size), A]
        system = np.block([[radial, tail], [tail.T, -0.1 * np.diag([0.0] + [1.0] * k)]])
        weights = np.linalg.solve(system, np.append(y[rows], np.zeros(k + 1)))
        new = np.c_[np.linalg.norm(B[:, None] - A[None], axis=-1) ** 3, np.ones(len(B)), B]
        members.append(new @ weights)
    np.testing.assert_allclose(mean, np.median(members, axis=0), atol=1e-8)
    np.testing.assert_allclose(std, np.std(members, axis=0), atol=1e-8)


def test_members_draw_distinct_features_and_rows():
    rng = np.random.default_rng(0)
    model = RBFEnsemble(n_members=20, max_features=0.4, max_rows=10, random_state=0).fit(
        rng.normal(size=(25, 10)), rng.normal(size=25)
    )
    assert model.features_.shape == (20, 4)
    assert model.rows_.shape == (20, 10)
    for drawn in (model.features_, model.rows_):
        assert all(len(set(row)) == len(row) for row in drawn)
    assert len({tuple(row) for row in model.features_}) > 10


def test_ranks_held_out_rows_of_collinear_features():
    rng = np.random.default_rng(0)
    genes = rng.integers(0, 3, (300, 8))
    X = (genes[:, :, None] == np.arange(3)).reshape(300, -1).astype(float)
    y = genes @ np.arange(1, 9) + rng.normal(scale=0.5, size=300)
    model = RBFEnsemble(n_members=100, random_state=0).fit(X[:60], y[:60])
    assert kendalltau(model.predict(X[60:]), y[60:]).statistic > 0.7


def test_one_feature_and_equal_rows_without_smoothing():
    X, y = np.repeat(np.arange(4.0), 2)[:, None], np.arange(8.0)
    mean, std = RBFEnsemble(n_members=5, smoothing=0.0, random_state=0).fit(X, y).predict(X, return_std=True)
    np.testing.assert_allclose(mean, np.repeat([0.5, 2.5, 4.5, 6.5], 2), atol=1e-3)
    assert np.isfinite(std).all()
