from __future__ import annotations

from itertools import combinations, product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, stats

from surronas.benchmark import metrics
from surronas.exceptions import InvalidInputError

grid = st.integers(2, 9).flatmap(
    lambda n: st.tuples(*[arrays(np.float64, n, elements=st.integers(-3, 3).map(float))] * 2)
)


def brute_force_tau_b(a, b):
    signs = [(np.sign(a[i] - a[j]), np.sign(b[i] - b[j])) for i, j in combinations(range(len(a)), 2)]
    product_sum = sum(s * t for s, t in signs)
    untied_a, untied_b = sum(s != 0 for s, _ in signs), sum(t != 0 for _, t in signs)
    return product_sum / np.sqrt(untied_a * untied_b) if untied_a and untied_b else np.nan


@given(grid)
def test_kendall_tau_counts_pairs(columns):
    assert metrics.kendall_tau(*columns) == pytest.approx(brute_force_tau_b(*columns), nan_ok=True, abs=1e-12)


@given(grid)
def test_spearman_is_pearson_of_mean_ranks(columns):
    def ranks(y):
        return [np.mean(np.flatnonzero(np.sort(y) == value)) for value in y]

    a, b = (np.array(ranks(y)) for y in columns)
    expected = np.corrcoef(a, b)[0, 1] if np.ptp(a) and np.ptp(b) else np.nan
    assert metrics.spearman(*columns) == pytest.approx(expected, nan_ok=True, abs=1e-12)


@given(grid)
def test_pearson_agrees_with_numpy(columns):
    expected = np.corrcoef(*columns)[0, 1] if all(np.ptp(y) for y in columns) else np.nan
    assert metrics.pearson(*columns) == pytest.approx(expected, nan_ok=True, abs=1e-12)


@pytest.mark.parametrize("metric", [metrics.kendall_tau, metrics.spearman, metrics.pearson])
@given(columns=grid)
def test_correlations_are_signed(metric, columns):
    y, p = columns
    assert metric(y, -p) == pytest.approx(-metric(y, p), nan_ok=True, abs=1e-12)


@pytest.mark.parametrize("metric", [metrics.kendall_tau, metrics.spearman, metrics.pearson])
def test_a_constant_prediction_has_no_correlation(metric):
    y = np.arange(50.0)
    assert np.isnan(metric(y, np.full(50, 0.1)))
    assert np.isnan(metric(y, 0.1 + np.spacing(0.1) * (np.arange(50) % 2))), "rounding is no ranking"


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_pearson_does_not_overflow(scale):
    y = np.random.default_rng(0).normal(size=100)
    p = y + np.random.default_rng(1).normal(size=100)
    assert metrics.pearson(y * scale, p) == pytest.approx(np.corrcoef(y, p)[0, 1])


def test_rmse_closed_form():
    assert metrics.rmse([3.0, 0.0, 0.0], [0.0, 4.0, 0.0]) == pytest.approx(np.sqrt(25 / 3))


def expected_over_tie_breaks(y, p, k, maximize, of):
    """Average over every set of k rows that a top-k choice with arbitrary tie-breaking could return."""
    sign = 1 if maximize else -1
    chosen = [
        rows
        for rows in combinations(range(len(y)), k)
        if min(sign * p[i] for i in rows) >= max((sign * p[i] for i in range(len(y)) if i not in rows), default=-9)
    ]
    return np.mean([of(y, rows, sign) for rows in chosen])


def regret_of(y, rows, sign):
    return max(sign * y) - max(sign * y[i] for i in rows)


def rank_of(y, rows, sign):
    return min(1 + sum(sign * other > sign * y[i] for other in y) for i in rows)


@given(grid, st.data())
def test_top_k_is_the_expectation_over_ties(columns, data):
    y, p = columns
    k = data.draw(st.integers(1, len(y)))
    maximize = data.draw(st.booleans())
    assert metrics.top_k_regret(y, p, k, maximize) == pytest.approx(
        expected_over_tie_breaks(y, p, k, maximize, regret_of), abs=1e-9
    )
    assert metrics.n_at_k(y, p, k, maximize) == pytest.approx(
        expected_over_tie_breaks(y, p, k, maximize, rank_of), abs=1e-9
    )


@given(grid, st.randoms(use_true_random=False))
def test_top_k_does_not_depend_on_row_order(columns, random):
    y, p = columns
    order = list(range(len(y)))
    random.shuffle(order)
    for metric in (metrics.top_k_regret, metrics.n_at_k):
        assert metric(y, p, 2) == pytest.approx(metric(y[order], p[order], 2), abs=1e-12)


def test_a_constant_prediction_finds_what_a_random_choice_finds():
    n, k = 1000, 10
    y = np.random.default_rng(0).permutation(n).astype(float)
    expected = sum(rank * comb(n - rank, k - 1) for rank in range(1, n - k + 2)) / comb(n, k)
    assert metrics.n_at_k(y, np.zeros(n), k) == pytest.approx(expected) == pytest.approx((n + 1) / (k + 1))


@given(
    st.integers(1, 30).flatmap(lambda n: st.tuples(*[arrays(np.float64, n, elements=st.floats(-5, 5, width=32))] * 3))
)
def test_coverage_and_width(columns):
    y, centre, half = columns
    low, high = centre - abs(half), centre + abs(half)
    assert metrics.coverage(y, low, high) == sum(a <= v <= b for a, v, b in zip(low, y, high, strict=True)) / len(y)
    assert metrics.interval_width(low, high) == pytest.approx(np.mean(2 * abs(half)), abs=1e-12)


def test_unbounded_intervals_cover():
    assert metrics.coverage([1.0, 2.0], [-np.inf] * 2, [np.inf] * 2) == 1.0


@pytest.mark.parametrize(("y", "mean", "std"), [(0.3, 1.0, 0.5), (-4.0, 1.0, 2.0), (7.0, 7.0, 0.1)])
def test_nll_is_minus_the_log_density(y, mean, std):
    assert metrics.nll([y], [mean], [std]) == pytest.approx(-stats.norm.logpdf(y, mean, std))


@pytest.mark.parametrize(("y", "mean", "std"), list(product((-2.0, 0.3, 1.0), (0.0, 1.0), (0.2, 1.0, 3.0))))
def test_crps_is_the_integrated_squared_difference_of_distributions(y, mean, std):
    below = integrate.quad(
        lambda x: stats.norm.cdf(x, mean, std) ** 2, -40, y, limit=200, points=[mean] if mean < y else None
    )
    above = integrate.quad(
        lambda x: stats.norm.sf(x, mean, std) ** 2, y, 40, limit=200, points=[mean] if mean > y else None
    )
    assert metrics.crps([y], [mean], [std]) == pytest.approx(below[0] + above[0], abs=1e-7)


def test_crps_of_a_point_is_the_absolute_error():
    assert metrics.crps([1.0, 2.0], [3.0, 2.0], [0.0, 0.0]) == 1.0
    assert metrics.crps([1.0], [3.0], [1e-9]) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.kendall_tau([1, 2, 3], [1, 2]), "'y_pred' must have as many rows as 'y_true', 3. Got 2"),
        (lambda: metrics.spearman([1, np.nan, 3], [1, 2, 3]), "'y_true' must be finite. Got nan in row 1"),
        (lambda: metrics.pearson([1, 2], [np.inf, 2]), "'y_pred' must be finite. Got inf in row 0"),
        (lambda: metrics.kendall_tau([1], [1]), "at least 2 row"),
        (lambda: metrics.rmse([], []), "at least 1 row"),
        (lambda: metrics.rmse(["a"], [1]), "'y_true' must be numbers"),
        (lambda: metrics.rmse([[1.0]], [[1.0]]), "one-dimensional. Got shape \\(1, 1\\)"),
        (lambda: metrics.top_k_regret([1, 2], [1, 2], k=3), "'k' parameter must be an int from 1 to 2.* Got 3"),
        (lambda: metrics.n_at_k([1, 2], [1, 2], k=0), "Got 0 instead"),
        (lambda: metrics.nll([1.0], [1.0], [0.0]), "'std' of nll must be positive"),
        (lambda: metrics.crps([1.0, 1.0], [1.0, 1.0], [1.0, -1.0]), "'std' must not be negative. Got -1.0 in row 1"),
        (lambda: metrics.coverage([1.0], [2.0], [1.0]), "'low' must not exceed 'high'. Got 2.0 and 1.0 in row 0"),
        (lambda: metrics.coverage([1.0], [np.nan], [1.0]), "'low' must not exceed 'high'. Got nan"),
        (lambda: metrics.interval_width([1.0], [1.0, 2.0]), "'high' must have 1 row"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call()
