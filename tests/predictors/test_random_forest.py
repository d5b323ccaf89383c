"""random_forest against scikit-learn's own forest."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from surronas.predictors.random_forest import RandomForest


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (120, 8)).astype(float)
    return X, X[:, 0] * X[:, 1] + rng.normal(size=120)


def test_mean_is_that_of_sklearns_forest(data):
    X, y = data
    z = (y - y.mean()) / y.std()  # what the trees are grown on, so that ties between splits fall the same
    reference = RandomForestRegressor(40, max_features=0.5, random_state=np.random.RandomState(3)).fit(X, z)
    forest = RandomForest(n_trees=40, random_state=3).fit(X, y)
    np.testing.assert_allclose(forest.predict(X), y.mean() + y.std() * reference.predict(X), rtol=1e-10)


def test_std_is_that_of_the_mixture_of_leaves(data):
    X, y = data
    forest = RandomForest(n_trees=20, min_samples_leaf=5, random_state=0).fit(X, y)
    reference = RandomForestRegressor(
        20, max_features=0.5, min_samples_leaf=5, random_state=np.random.RandomState(0)
    ).fit(X, y)
    # The mixture's second moment, tree by tree.
    means = np.array([tree.predict(X) for tree in reference.estimators_])
    variances = np.array([tree.tree_.impurity[tree.apply(X)] for tree in reference.estimators_])
    expected = np.sqrt((variances + means**2).mean(axis=0) - means.mean(axis=0) ** 2)
    np.testing.assert_allclose(forest.predict(X, return_std=True)[1], expected, rtol=1e-6)


def test_std_covers_noise_on_held_out_rows(data):
    rng = np.random.default_rng(1)
    X = rng.integers(0, 3, (1000, 8)).astype(float)
    y = X[:, 0] * X[:, 1] + rng.normal(size=1000)
    mean, std = RandomForest(random_state=0).fit(X[:300], y[:300]).predict(X[300:], return_std=True)
    assert 0.85 < np.mean(np.abs(y[300:] - mean) < 1.645 * std) < 0.99


def test_same_for_any_n_jobs(data):
    X, y = data
    one, two = (RandomForest(n_trees=30, n_jobs=n, random_state=5).fit(X, y).predict(X) for n in (1, 2))
    np.testing.assert_array_equal(one, two)
