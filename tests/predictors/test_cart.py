"""cart against a slow loop over scikit-learn trees."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor

from surronas.predictors.cart import CART


def loop(X, y, X_new, n_trees, random_state):
    """One tree after the other, with the draws in the order that CART documents: subsets, then seeds."""
    rng = np.random.RandomState(random_state)
    d = X.shape[1]
    subsets = [rng.permutation(d)[: rng.randint(1, d + 1)] for _ in range(n_trees)]
    seeds = rng.randint(2**31 - 1, size=n_trees)
    means, variances = [], []
    for columns, seed in zip(subsets, seeds, strict=True):
        tree = DecisionTreeRegressor(random_state=seed).fit(X[:, columns], y)
        means.append(tree.predict(X_new[:, columns]))
        variances.append(tree.tree_.impurity[tree.apply(X_new[:, columns])])
    return np.array(means), np.array(variances)


@pytest.mark.parametrize("n_new", [1, 1500])  # more rows than go down the trees at a time
def test_same_numbers_as_a_loop_over_trees(n_new):
    rng = np.random.default_rng(0)
    X, X_new = rng.normal(size=(60, 7)).round(1), rng.normal(size=(n_new, 7)).round(1)
    y = X[:, 0] + X[:, 1] ** 2
    mean, std = CART(n_trees=70, random_state=1).fit(X, y).predict(X_new, return_std=True)
    z = (y - y.mean()) / y.std()  # what the trees are grown on, so that ties between splits fall the same
    means, variances = loop(X, z, X_new, 70, 1)
    np.testing.assert_allclose(mean, y.mean() + y.std() * means.mean(axis=0), rtol=1e-10, atol=1e-12)
    # The mixture of leaves by its second moment: trees on few features end in leaves that hold several targets.
    second = (means**2 + variances).mean(axis=0)
    np.testing.assert_allclose(std, y.std() * np.sqrt(second - means.mean(axis=0) ** 2), rtol=1e-7, atol=1e-7)


def test_rows_that_the_trees_cannot_tell_apart_keep_their_variance():
    X, y = np.zeros((4, 3)), np.array([0.0, 2.0, 4.0, 6.0])
    mean, std = CART(n_trees=5, random_state=0).fit(X, y).predict(X[:1], return_std=True)
    assert mean[0] == pytest.approx(3.0)
    assert std[0] == pytest.approx(y.std())


def test_same_for_any_n_jobs():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 5)), rng.normal(size=30)
    one, two = (CART(n_trees=40, n_jobs=n, random_state=5).fit(X, y).predict(X) for n in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_five_thousand_trees_fit_and_predict():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, (40, 10)).astype(float)
    y = X @ np.arange(10.0)
    model = CART(n_trees=5000, random_state=0).fit(X, y)
    assert len(model.trees_["roots"]) == 5000
    assert np.corrcoef(model.predict(X), y)[0, 1] > 0.95
