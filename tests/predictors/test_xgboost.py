"""xgboost against the plain library, its residuals against refits, its bytes."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import xgboost
from sklearn.base import clone
from sklearn.metrics import root_mean_squared_error

from surronas.predictors.xgboost import XGBoost


def draw(n, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 3, (n, 12)).astype(float)
    return X, X @ np.linspace(0.5, 1.5, 12) + X[:, 0] * X[:, 1] + rng.normal(scale=0.5, size=n)


@pytest.mark.parametrize("n", [32, 200])
def test_no_worse_than_plain_xgboost_on_held_out_rows(n):
    plain, ours = [], []
    for seed in range(5):
        X, y = draw(n + 500, seed)
        reference = xgboost.XGBRegressor(n_estimators=150, learning_rate=0.1, max_depth=4, n_jobs=1)
        plain.append(root_mean_squared_error(y[n:], reference.fit(X[:n], y[:n]).predict(X[n:])))
        ours.append(root_mean_squared_error(y[n:], XGBoost(random_state=0).fit(X[:n], y[:n]).predict(X[n:])))
    assert np.mean(ours) < np.mean(plain)


def test_a_member_is_what_the_library_fits_without_the_fold():
    X, y = draw(41)
    model = XGBoost(n_members=4, n_rounds=20, subsample=1.0, max_features=1.0, random_state=7).fit(X, y)
    z = (y - y.mean()) / y.std()
    fold = np.random.RandomState(7).permutation(41) % 4
    params = {"max_depth": 4, "eta": 0.1, "base_score": 0.0, "tree_method": "hist", "nthread": 1}
    squares = []
    for k in range(4):
        kept = xgboost.QuantileDMatrix(X[fold != k], z[fold != k], nthread=1)
        booster = xgboost.train(params, kept, 20)
        np.testing.assert_allclose(model._scores(X)[k], booster.inplace_predict(X), rtol=1e-6)
        squares.append((z[fold == k] - booster.inplace_predict(X[fold == k])) ** 2)
    assert model.noise_ == pytest.approx(np.sqrt(np.concatenate(squares).mean()), rel=1e-5)


def test_std_covers_noise_on_held_out_rows():
    X, y = draw(1100)
    mean, std = XGBoost(random_state=0).fit(X[:100], y[:100]).predict(X[100:], return_std=True)
    assert 0.85 < np.mean(np.abs(y[100:] - mean) < 1.645 * std) < 0.97


def test_same_for_any_n_jobs():
    X, y = draw(60)
    one, two = (XGBoost(n_jobs=n, random_state=5).fit(X, y).predict(X, return_std=True) for n in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_a_fitted_predictor_is_plain_data_and_copies():
    X, y = draw(30)
    model = XGBoost(n_rounds=10, random_state=0).fit(X, y)
    mean = model.predict(X)
    assert all(raw.dtype == np.uint8 for raw in model.boosters_)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), clone(model).fit(X, y)):
        np.testing.assert_array_equal(other.predict(X), mean)


def test_fewer_rows_than_members():
    mean, std = XGBoost(random_state=0).fit([[0.0], [1.0]], [1.0, 3.0]).predict([[0.0], [1.0]], return_std=True)
    assert np.isfinite(mean).all()
    assert (std > 0).all()
