"""Every registered predictor keeps scikit-learn's contract and the library's."""

from __future__ import annotations

import numpy as np
import pytest

from surronas.exceptions import InvalidInputError, UnknownNameError
from surronas.predictors import get_predictor, list_predictors
from surronas.testing import check_predictor

# Fewer members than by default, so that some sixty fits a predictor take seconds.
QUICK = {
    "cart": {"n_trees": 30},
    "extra_trees": {"n_trees": 30},
    "gnn": {"n_members": 2, "steps": 80},
    "mlp": {"n_members": 2, "steps": 80},
    "random_forest": {"n_trees": 30},
    "rbf_ensemble": {"n_members": 30},
    "xgboost": {"n_members": 2, "n_rounds": 40},
    "xgboost_rank": {"n_members": 2, "n_rounds": 40},
}


@pytest.mark.parametrize("name", list_predictors())
def test_contract(name):
    check_predictor(get_predictor(name, **QUICK.get(name, {})))


@pytest.mark.parametrize("name", ["additive_gp", "gp", "rbf", "residual"])
def test_more_rows_than_memory_holds_pairs_of_are_refused(name):
    X = np.random.default_rng(0).normal(size=(16_001, 2))
    with pytest.raises(InvalidInputError, match="at most 16,000 rows for .* Got 16,001"):
        get_predictor(name).fit(X, X[:, 0])


def test_unknown_name_offers_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'xgboost'?"):
        get_predictor("xgbost")
