"""Which differences between predictors are more than chance.

Every function takes a loss table: one row a cell (the same training and test rows for all), one column a
predictor, lower is better, NaN where a predictor failed or has no such score.
"""

from __future__ import annotations

from itertools import combinations
from math import sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

__all__ = ["cliques", "friedman", "holm", "mean_ranks", "nemenyi_distance", "pairwise_wilcoxon", "ranks"]


def ranks(losses: pd.DataFrame) -> pd.DataFrame:
    """Ranks within each row, 1 = best, ties share the mean rank; a missing score ranks behind all others."""
    return losses.rank(axis=1, method="average", na_option="bottom")


def mean_ranks(losses: pd.DataFrame) -> pd.Series:
    """The mean rank of each predictor, best first."""
    return ranks(losses).mean().sort_values(kind="stable")


def pairwise_wilcoxon(losses: pd.DataFrame) -> pd.DataFrame:
    """Wilcoxon's signed-rank test of every pair of predictors, two-sided, corrected by Holm over the pairs.

    Returns
    -------
    DataFrame
        A row a pair: ``a``, ``b``, ``n_pairs`` (rows where both have a score), ``difference`` (mean loss of
        a less that of b), ``p_value``, ``p_holm``. With no pair both p-values are NaN; where no row differs
        they are 1.

    References
    ----------
    Wilcoxon (1945); Holm (1979), A simple sequentially rejective multiple test procedure.
    """
    rows = []
    for a, b in combinations(losses.columns, 2):
        difference = (losses[a] - losses[b]).dropna().to_numpy()
        rows.append(
            {
                "a": a,
                "b": b,
                "n_pairs": len(difference),
                "difference": float(difference.mean()) if len(difference) else float("nan"),
                "p_value": _signed_rank(difference),
            }
        )
    table = pd.DataFrame(rows, columns=["a", "b", "n_pairs", "difference", "p_value"])
    table["p_holm"] = holm(table["p_value"].to_numpy(dtype=np.float64))
    return table


def _signed_rank(difference: NDArray[np.float64]) -> float:
    if not len(difference):
        return float("nan")
    if not difference.any():
        return 1.0
    return float(stats.wilcoxon(difference, zero_method="wilcox").pvalue)


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Holm's adjusted p-values; NaN stays NaN and does not count as a test.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.06, 0.06])
    """
    adjusted = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    weights = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(weights * p_values[order]))
    return adjusted


def friedman(losses: pd.DataFrame) -> float:
    """p-value of Friedman's test that all predictors rank the same; NaN for fewer than three of them or two rows."""
    table = ranks(losses).to_numpy()
    if table.shape[1] < 3 or table.shape[0] < 2:
        return float("nan")
    if (table == table[:, :1]).all():
        return 1.0
    return float(stats.friedmanchisquare(*table.T).pvalue)


def nemenyi_distance(n_predictors: int, n_rows: int, alpha: float = 0.05) -> float:
    """The critical difference: mean ranks further apart than this differ at level alpha.

    References
    ----------
    Demsar (2006), Statistical comparisons of classifiers over multiple data sets, section 3.2.2.

    Examples
    --------
    >>> round(nemenyi_distance(4, 14), 2)
    1.25
    """
    q = stats.studentized_range.ppf(1 - alpha, n_predictors, np.inf) / sqrt(2)
    return float(q * sqrt(n_predictors * (n_predictors + 1) / (6 * n_rows)))


def cliques(means: pd.Series, distance: float) -> list[list[str]]:
    """The largest groups of two or more predictors whose mean ranks lie within ``distance``."""
    ordered = means.sort_values(kind="stable")
    groups: list[list[str]] = []
    reached = 0
    for i in range(len(ordered)):
        end = int(np.searchsorted(ordered.to_numpy(), ordered.iloc[i] + distance, side="right"))
        if end - i > 1 and end > reached:
            groups.append(list(ordered.index[i:end]))
            reached = end
    return groups
