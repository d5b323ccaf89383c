"""xgboost_rank: order, calibration, spread."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau, rankdata

from surronas.predictors.xgboost_rank import XGBoostRank


def draw(n, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 8))
    # Most values close together and a long lower tail, as accuracies are.
    return X, -np.exp(X[:, 0] + X[:, 1] * 0.5 + rng.normal(scale=0.2, size=n))


@pytest.mark.parametrize("n", [2, 5, 60, 300])
def test_calibration_keeps_every_rank_and_adds_no_tie(n):
    X, y = draw(n)
    model = XGBoostRank(random_state=0).fit(X, y)
    X_new = draw(2000, seed=1)[0]
    scores = model._scores(X_new).mean(axis=0)
    np.testing.assert_array_equal(rankdata(model.predict(X_new)), rankdata(scores))


def test_calibration_is_increasing_even_for_targets_that_scores_predict_backwards():
    X = np.arange(12.0)[:, None]
    model = XGBoostRank(random_state=0).fit(X, np.tile([0.0, 1.0], 6))
    assert (np.diff(model._to_targets(np.linspace(-9, 9, 101))) > 0).all()


def test_order_does_not_depend_on_an_increasing_map_of_the_targets():
    X, y = draw(80)
    raw, logs = (XGBoostRank(random_state=0).fit(X, t).predict(draw(500, seed=1)[0]) for t in (y, rankdata(y)))
    assert kendalltau(raw, logs).statistic > 0.85


def test_ranks_held_out_rows_and_lands_on_their_scale():
    X, y = draw(1300)
    mean, std = XGBoostRank(random_state=0).fit(X[:300], y[:300]).predict(X[300:], return_std=True)
    assert kendalltau(mean, y[300:]).statistic > 0.7
    assert np.mean((y[300:] - mean) ** 2) < 0.5 * y[300:].var()
    assert 0.85 < np.mean(np.abs(y[300:] - mean) < 1.645 * std) < 0.99


def test_constant_targets():
    mean, std = XGBoostRank(random_state=0).fit(np.eye(6), np.full(6, 3.0)).predict(np.eye(6), return_std=True)
    np.testing.assert_array_equal(mean, 3.0)
    np.testing.assert_array_equal(std, 0.0)


def test_same_for_any_n_jobs():
    X, y = draw(60)
    one, two = (XGBoostRank(n_jobs=n, random_state=5).fit(X, y).predict(X, return_std=True) for n in (1, 2))
    np.testing.assert_array_equal(one, two)
