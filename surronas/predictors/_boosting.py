"""What the xgboost predictors share: members that leave out one fold of the rows each, kept as bytes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import xgboost
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from surronas.predictors.base import FloatArray, Predictor

__all__ = ["Boosting"]

Raw = NDArray[np.uint8]


class Boosting(Predictor):
    """A few gradient-boosted ensembles of trees; a subclass names the objective and makes sense of the scores."""

    objective: dict[str, Any]
    tunable = {
        "n_rounds": {"low": 50, "high": 800, "log": True},
        "learning_rate": {"low": 0.01, "high": 0.3, "log": True},
        "max_depth": {"low": 2, "high": 8},
        "min_child_weight": {"low": 0.1, "high": 16.0, "log": True},
        "subsample": {"low": 0.4, "high": 1.0},
        "max_features": {"low": 0.1, "high": 1.0},
    }

    def __init__(
        self,
        n_members: int = 4,
        n_rounds: int = 150,
        learning_rate: float = 0.1,
        max_depth: int = 4,
        min_child_weight: float = 1.0,
        subsample: float = 0.8,
        max_features: float = 0.5,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_members = n_members
        self.n_rounds = n_rounds
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.min_child_weight = min_child_weight
        self.subsample = subsample
        self.max_features = max_features
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _boost(self, X: FloatArray, y: FloatArray) -> FloatArray:
        """Fit the members on (n, d) and (n,); return the score (n,) of each row by the member that never saw it."""
        rng = check_random_state(self.random_state)
        n_members = min(self.n_members, len(y))
        fold = rng.permutation(len(y)) % n_members
        params = {
            **self.objective,
            "base_score": 0.0,
            "tree_method": "hist",  # faster than "exact" from 32 rows on
            "max_depth": self.max_depth,
            "eta": self.learning_rate,
            "min_child_weight": self.min_child_weight,
            "subsample": self.subsample,
            "colsample_bynode": self.max_features,
            "nthread": 1,  # one thread a member: the sums, and so the trees, are the same for any n_jobs
            "verbosity": 0,
        }
        seeds = rng.randint(2**31 - 1, size=n_members)
        self.boosters_: list[Raw] = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(_train)({**params, "seed": int(seeds[k])}, X[fold != k], y[fold != k], self.n_rounds)
            for k in range(n_members)
        )
        held_out: FloatArray = self._scores(X)[fold, np.arange(len(y))]
        return held_out

    def _scores(self, X: FloatArray) -> FloatArray:
        """Scores (n_members, n) of the rows of X (n, d)."""
        scores = [_booster(raw.tobytes()).inplace_predict(X) for raw in self.boosters_]
        return np.array(scores, dtype=np.float64)


def _train(params: dict[str, Any], X: FloatArray, y: FloatArray, n_rounds: int) -> Raw:
    booster = xgboost.train(params, xgboost.QuantileDMatrix(X, y, nthread=1), n_rounds)
    return np.frombuffer(booster.save_raw("ubj"), dtype=np.uint8).copy()


# A fitted predictor holds bytes only, so that it copies and saves as data; the parsed boosters live here.
@lru_cache(maxsize=64)
def _booster(raw: bytes) -> xgboost.Booster:
    return xgboost.Booster({"nthread": 1}, model_file=bytearray(raw))
