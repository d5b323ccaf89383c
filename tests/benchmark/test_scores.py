from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from surronas.benchmark.cell import COLUMNS
from surronas.benchmark.scores import SCORES, score

Y = np.random.default_rng(0).normal(size=40)
ONES = np.ones(40)


def test_a_perfect_prediction_has_perfect_scores():
    scores = score(Y, Y, ONES, Y - 1, Y + 1, maximize=True)
    expected = {"kendall_tau": 1, "spearman": 1, "pearson": 1, "rmse": 0, "top_10_regret": 0, "n_at_10": 1}
    assert {name: scores[name] for name in expected} == pytest.approx(expected)
    assert (scores["coverage_90"], scores["interval_width"]) == (1.0, pytest.approx(2.0))


def test_the_direction_of_the_target_decides_what_the_top_is():
    prediction = np.where(np.argsort(np.argsort(Y)) == 0, 10.0, Y)  # the least value is thought the greatest
    assert score(Y, prediction, ONES, Y, Y, maximize=True)["top_10_regret"] == 0
    assert score(Y, prediction, ONES, Y, Y, maximize=False)["n_at_10"] == 2


@pytest.mark.parametrize("maximize", [True, False])
def test_the_coverage_of_the_top_is_that_of_the_twentieth_predicted_best(maximize):
    best = np.argsort(-Y if maximize else Y)[:2]
    low, high = Y - 1, Y + 1
    high[best[0]] = Y[best[0]] - 0.5  # one of the two is missed, of all forty it is one too
    scores = score(Y, Y, ONES, low, high, maximize=maximize)
    assert (scores["top_coverage_90"], scores["coverage_90"]) == (0.5, pytest.approx(39 / 40))


def test_a_point_forecast_has_no_likelihood():
    scores = score(Y, Y, 0 * ONES, Y, Y, maximize=True)
    assert np.isnan(scores["nll"])
    assert scores["crps"] == 0


def test_losses_are_lower_where_the_score_is_better():
    better_first = {"high": [0.9, 0.1], "low": [0.1, 0.9], "near": [0.88, 0.95]}
    for each in SCORES.values():
        loss = each.loss(pd.Series(better_first[each.better]))
        assert loss[0] < loss[1]


def test_every_score_of_a_cell_has_a_column():
    assert set(score(Y, Y, ONES, Y, Y, maximize=True)) | {"fit_seconds", "predict_seconds"} == set(SCORES)
    assert set(SCORES) < set(COLUMNS)
