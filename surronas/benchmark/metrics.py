"""How good predictions are: rank correlation, error, what the top of the ranking is worth, and calibration.

All correlations are signed: a predictor that ranks upside down scores below zero. A correlation with
something constant is undefined and comes back as NaN, never as a number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import ndtr

from surronas.exceptions import InvalidInputError

__all__ = [
    "coverage",
    "crps",
    "interval_width",
    "kendall_tau",
    "n_at_k",
    "nll",
    "pearson",
    "rmse",
    "spearman",
    "top_k_regret",
]

FloatArray = NDArray[np.float64]


def kendall_tau(y_true: Any, y_pred: Any) -> float:
    """Kendall's tau-b, in [-1, 1].

    Parameters
    ----------
    y_true, y_pred : (n,) arrays of finite floats, n >= 2

    Returns
    -------
    float
        NaN when either is constant.

    Raises
    ------
    InvalidInputError
        For lengths that differ, fewer than two rows, NaN or infinity.

    References
    ----------
    Kendall (1945), The treatment of ties in ranking problems.

    Examples
    --------
    >>> round(kendall_tau([1, 2, 3, 4], [1, 2, 4, 3]), 3)
    0.667
    >>> kendall_tau([1, 2, 3, 4], [0, 0, 0, 0])
    nan
    """
    y_true, y_pred = _columns(2, y_true=y_true, y_pred=y_pred)
    return float("nan") if _constant(y_true) or _constant(y_pred) else float(stats.kendalltau(y_true, y_pred).statistic)


def spearman(y_true: Any, y_pred: Any) -> float:
    """Spearman's rank correlation, in [-1, 1]: Pearson's of the ranks, tied values sharing their mean rank.

    Parameters, result and errors as in `kendall_tau`.
    """
    y_true, y_pred = _columns(2, y_true=y_true, y_pred=y_pred)
    if _constant(y_true) or _constant(y_pred):
        return float("nan")
    return _correlation(stats.rankdata(y_true), stats.rankdata(y_pred))


def pearson(y_true: Any, y_pred: Any) -> float:
    """Pearson's linear correlation, in [-1, 1]. Parameters, result and errors as in `kendall_tau`."""
    return _correlation(*_columns(2, y_true=y_true, y_pred=y_pred))


def rmse(y_true: Any, y_pred: Any) -> float:
    """Root of the mean squared error, in the unit of y, >= 0.

    Examples
    --------
    >>> rmse([1.0, 2.0], [1.0, 4.0])
    1.4142135623730951
    """
    y_true, y_pred = _columns(1, y_true=y_true, y_pred=y_pred)
    return float(np.sqrt(np.mean((y_true - y_pred) ** 2)))


def top_k_regret(y_true: Any, y_pred: Any, k: int = 10, maximize: bool = True) -> float:
    """What is lost by evaluating only the predicted top k: the best true value of all against the best among them.

    Where predictions tie at the k-th place, the expectation over a random choice among the tied is taken,
    so that the order of the rows never matters.

    Parameters
    ----------
    y_true, y_pred : (n,) arrays of finite floats
    k : int, default=10
        From 1 to n.
    maximize : bool, default=True
        Whether the largest values are the best ones.

    Returns
    -------
    float
        In the unit of y, >= 0.

    Examples
    --------
    >>> top_k_regret([70.0, 80.0, 90.0, 94.0], [3, 4, 9, 1], k=2)
    4.0
    """
    y_true, y_pred = _columns(1, y_true=y_true, y_pred=y_pred)
    sign = 1.0 if maximize else -1.0
    gain = sign * y_true
    return max(0.0, float(gain.max()) - _expected_best(gain, sign * y_pred, _check_k(k, len(gain))))


def n_at_k(y_true: Any, y_pred: Any, k: int = 10, maximize: bool = True) -> float:
    """N@K: the best true rank (1 = best of all) among the predicted top k; equal true values share the better rank.

    Ties among predictions are treated as in `top_k_regret`; the result is a whole number where there are none.

    References
    ----------
    Lu et al. (2021), TNASP: a transformer-based NAS predictor with a self-evolution framework.

    Examples
    --------
    >>> n_at_k([70.0, 80.0, 90.0, 94.0], [3, 4, 9, 1], k=2)
    2.0
    """
    y_true, y_pred = _columns(1, y_true=y_true, y_pred=y_pred)
    sign = 1.0 if maximize else -1.0
    rank = stats.rankdata(-sign * y_true, method="min").astype(np.float64)
    return -_expected_best(-rank, sign * y_pred, _check_k(k, len(rank)))


def coverage(y_true: Any, low: Any, high: Any) -> float:
    """Share of the true values inside their interval, ends included.

    Parameters
    ----------
    y_true, low, high : (n,) arrays of floats
        The ends may be infinite, and ``low <= high``.

    Examples
    --------
    >>> coverage([1.0, 2.0, 3.0, 4.0], [0, 0, 0, 0], [3, 3, 3, 3])
    0.75
    """
    (y_true,) = _columns(1, y_true=y_true)
    low, high = _interval(low, high, len(y_true))
    return float(np.mean((low <= y_true) & (y_true <= high)))


def interval_width(low: Any, high: Any) -> float:
    """Mean width of the intervals, in the unit of y."""
    low, high = _interval(low, high, None)
    return float(np.mean(high - low))


def nll(y_true: Any, mean: Any, std: Any) -> float:
    """Mean negative log-likelihood of the true values under normal distributions, in nats; lower is better.

    Parameters
    ----------
    y_true, mean, std : (n,) arrays of finite floats, ``std > 0``

    Examples
    --------
    >>> round(nll([0.0], [0.0], [1.0]), 6)
    0.918939
    """
    y_true, mean, std = _normal(y_true, mean, std)
    if not std.all():
        raise InvalidInputError(
            f"The 'std' of nll must be positive. Got 0.0 in row {np.flatnonzero(std == 0)[0]}, "
            "which no density describes; crps takes it."
        )
    z = (y_true - mean) / std
    return float(np.mean(0.5 * z**2 + np.log(std) + 0.5 * np.log(2 * np.pi)))


def crps(y_true: Any, mean: Any, std: Any) -> float:
    """Mean continuous ranked probability score of normal distributions, in the unit of y; lower is better.

    Where ``std`` is 0 it is the absolute error.

    Parameters
    ----------
    y_true, mean, std : (n,) arrays of finite floats, ``std >= 0``

    References
    ----------
    Gneiting and Raftery (2007), Strictly proper scoring rules, prediction, and estimation, eq. 21.

    Examples
    --------
    >>> round(crps([0.0], [0.0], [1.0]), 6)
    0.233695
    """
    y_true, mean, std = _normal(y_true, mean, std)
    error = y_true - mean
    z = np.divide(error, std, out=np.zeros_like(error), where=std > 0)
    spread = error * (2 * ndtr(z) - 1) + std * (2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    return float(np.mean(np.where(std > 0, spread, np.abs(error))))


def _correlation(a: FloatArray, b: FloatArray) -> float:
    if _constant(a) or _constant(b):
        return float("nan")
    # Scaled first, so that neither a tiny nor a huge unit leaves the range of floats when squared.
    a, b = a / np.abs(a).max(), b / np.abs(b).max()
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), -1.0, 1.0))


def _constant(y: FloatArray) -> bool:
    """Whether all values are the same but for rounding."""
    return bool(np.ptp(y) <= 8 * np.finfo(np.float64).eps * np.abs(y).max())


def _expected_best(value: FloatArray, score: FloatArray, k: int) -> float:
    """The greatest value among the k highest scores, its expectation where scores tie at the k-th place."""
    threshold = np.partition(score, len(score) - k)[len(score) - k]
    certain, tied = value[score > threshold], np.sort(value[score == threshold])[::-1]
    t, r = len(tied), k - len(certain)
    # P(the best of r drawn from t is the j-th best of them) = C(t-1-j, r-1) / C(t, r), term by term.
    j = np.arange(t - r)
    chance = np.cumprod(np.r_[r / t, (t - r - j) / (t - 1 - j)])
    best = tied[: t - r + 1] if not len(certain) else np.maximum(tied[: t - r + 1], certain.max())
    return float(chance @ best)


def _check_k(k: int, n: int) -> int:
    if isinstance(k, (bool, np.bool_)) or not isinstance(k, (int, np.integer)) or not 1 <= k <= n:
        raise InvalidInputError(
            f"The 'k' parameter must be an int from 1 to {n}, the number of rows. Got {k!r} instead."
        )
    return int(k)


def _columns(least: int, **named: Any) -> list[FloatArray]:
    """Finite float columns of one length."""
    columns = [_column(name, values) for name, values in named.items()]
    for name, column in zip(named, columns, strict=True):
        if len(column) != len(columns[0]):
            raise InvalidInputError(
                f"The '{name}' must have as many rows as '{next(iter(named))}', {len(columns[0])}. Got {len(column)}."
            )
        if len(column) < least:
            raise InvalidInputError(f"The '{name}' must have at least {least} row(s). Got {len(column)}.")
        bad = np.flatnonzero(~np.isfinite(column))
        if len(bad):
            raise InvalidInputError(f"The '{name}' must be finite. Got {column[bad[0]]} in row {bad[0]}.")
    return columns


def _column(name: str, values: Any) -> FloatArray:
    try:
        column = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"The '{name}' must be numbers. {error}") from error
    if column.ndim != 1:
        raise InvalidInputError(f"The '{name}' must be one-dimensional. Got shape {column.shape}.")
    return column


def _normal(y_true: Any, mean: Any, std: Any) -> list[FloatArray]:
    columns = _columns(1, y_true=y_true, mean=mean, std=std)
    bad = np.flatnonzero(columns[2] < 0)
    if len(bad):
        raise InvalidInputError(f"The 'std' must not be negative. Got {columns[2][bad[0]]} in row {bad[0]}.")
    return columns


def _interval(low: Any, high: Any, n: int | None) -> tuple[FloatArray, FloatArray]:
    low, high = _column("low", low), _column("high", high)
    n = len(low) if n is None else n
    for name, column in (("low", low), ("high", high)):
        if len(column) != n or n == 0:
            raise InvalidInputError(f"The '{name}' must have {max(n, 1)} row(s). Got {len(column)}.")
    bad = np.flatnonzero(~(low <= high))  # NaN is caught too
    if len(bad):
        raise InvalidInputError(
            f"The 'low' must not exceed 'high'. Got {low[bad[0]]} and {high[bad[0]]} in row {bad[0]}."
        )
    return low, high
