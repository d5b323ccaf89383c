"""The scores of one cell (predictor, number of training architectures, repeat) and which way each is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.benchmark import metrics

__all__ = ["COVERAGE", "SCORES", "K", "Score", "score"]

COVERAGE = 0.9
K = 10
_TOP = 0.05  # where a search goes, and intervals are tried hardest

FloatArray = NDArray[np.float64]
Values = TypeVar("Values", pd.Series, pd.DataFrame)


@dataclass(frozen=True)
class Score:
    """How a score reads.

    Parameters
    ----------
    label : str
        With the unit where it is fixed; ``in_target_unit`` ones have the target's.
    better : {"high", "low", "near"}
        ``near``: best near the nominal coverage.
    digits : int
        Decimals to show.
    """

    label: str
    better: str
    digits: int = 3
    in_target_unit: bool = False

    def loss(self, values: Values) -> Values:
        """The values turned so that lower is better."""
        if self.better == "high":
            return -values
        return values if self.better == "low" else (values - COVERAGE).abs()


SCORES = {
    "kendall_tau": Score("Kendall τ", "high"),
    "spearman": Score("Spearman ρ", "high"),
    "pearson": Score("Pearson r", "high"),
    "rmse": Score("RMSE", "low", in_target_unit=True),
    "top_10_regret": Score(f"Top-{K} regret", "low", in_target_unit=True),
    "n_at_10": Score(f"N@{K}", "low", 1),
    "coverage_90": Score("Coverage of 90 % intervals", "near"),
    "top_coverage_90": Score("Coverage, predicted top 5 %", "near"),
    "interval_width": Score("Interval width", "low", in_target_unit=True),
    "nll": Score("NLL (nats)", "low"),
    "crps": Score("CRPS", "low", in_target_unit=True),
    "fit_seconds": Score("Fit time (s)", "low", 2),
    "predict_seconds": Score("Predict time (s)", "low", 2),
}


def score(
    y: FloatArray, mean: FloatArray, std: FloatArray, low: FloatArray, high: FloatArray, *, maximize: bool
) -> dict[str, float]:
    """All scores of predictions but the times.

    Parameters
    ----------
    y, mean, std, low, high : (n,) float64
        True values, predicted mean and standard deviation, ends of the 90 % interval.
    maximize : bool
        Whether large values of y are the good ones.
    """
    of_ranking: tuple[Callable[[FloatArray, FloatArray], float], ...] = (
        metrics.kendall_tau,
        metrics.spearman,
        metrics.pearson,
        metrics.rmse,
    )
    gain = mean if maximize else -mean
    top = gain >= np.sort(gain)[-ceil(_TOP * len(gain))]
    return {
        **{metric.__name__: metric(y, mean) for metric in of_ranking},
        "top_10_regret": metrics.top_k_regret(y, mean, K, maximize),
        "n_at_10": metrics.n_at_k(y, mean, K, maximize),
        "coverage_90": metrics.coverage(y, low, high),
        "top_coverage_90": metrics.coverage(y[top], low[top], high[top]),
        "interval_width": metrics.interval_width(low, high),
        "nll": metrics.nll(y, mean, std) if (std > 0).all() else float("nan"),
        "crps": metrics.crps(y, mean, std),
    }
