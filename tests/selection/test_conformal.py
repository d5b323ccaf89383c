"""Conformal factors by hand and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm

from surronas.exceptions import InvalidInputError
from surronas.selection.conformal import Conformal


@pytest.mark.parametrize(
    ("coverage", "expected"), [(0.1, 1.0), (0.5, 5.0), (0.8, 8.0), (0.9, 9.0), (0.85, 8.5), (0.05, 1.0)]
)
def test_nine_scores_split_the_line_into_tenths(coverage, expected):
    """A tenth exchangeable score falls into each of the ten gaps alike; between them the factor is linear."""
    scores = np.random.default_rng(0).permutation(np.arange(1.0, 10.0))
    assert Conformal(scores).factor(coverage) == pytest.approx(expected)


def test_beyond_what_n_scores_can_say_it_is_a_normal_tail():
    scores = np.arange(1.0, 10.0)
    factor = Conformal(scores).factor(0.95)
    assert factor == pytest.approx(9.0 * norm.ppf(0.975) / norm.ppf(0.95))


def test_scale_makes_the_std_true_on_average():
    rng = np.random.default_rng(0)
    residuals = rng.normal(size=20_000) * 3
    assert Conformal(np.abs(residuals)).scale == pytest.approx(3, rel=0.03)
    assert Conformal(np.array([3.0, 4.0])).scale == pytest.approx(np.sqrt(12.5))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40), st.lists(st.floats(0.001, 0.999), min_size=2))
def test_more_coverage_is_never_narrower(scores, coverages):
    factors = [Conformal(np.array(scores)).factor(c) for c in sorted(coverages)]
    assert (np.diff(factors) >= -1e-9 * max(max(scores), 1)).all()
    assert min(factors) >= 0


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
@pytest.mark.parametrize("n", [9, 30])
def test_exchangeable_scores_are_covered_as_promised(n, coverage):
    """Whatever their distribution; the count of covered trials is binomial."""
    rng = np.random.default_rng(n)
    trials = 4000
    scores = rng.lognormal(sigma=1.0, size=(trials, n + 1))
    covered = sum(row[-1] <= Conformal(row[:-1]).factor(coverage) for row in scores)
    # Between two order statistics the factor is interpolated, which costs at most one part in n + 1.
    low, high = (binom.ppf(q, trials, coverage) for q in (1e-4, 1 - 1e-4))
    slack = 0 if np.isclose(coverage * (n + 1) % 1, 0) else trials / (n + 1)
    assert low - slack <= covered <= high + slack


def test_those_predicted_alike_have_a_quantile_of_their_own():
    mean = np.arange(100.0)
    scores = np.where(mean >= 80, 5.0, 1.0)
    order = np.random.default_rng(0).permutation(100)
    conformal = Conformal(scores[order], mean[order])
    assert conformal.factor(0.7) == 1
    np.testing.assert_array_equal(conformal.factors(0.7, np.array([-9.0, 40.0, 95.0, 200.0])), [1, 1, 5, 5])
    np.testing.assert_array_equal(conformal.factors(0.9, np.array([-9.0, 95.0])), [5, 5])  # as all: never narrower
    few = Conformal(scores[order[:20]], mean[order[:20]])
    np.testing.assert_array_equal(few.factors(0.8, mean), few.factor(0.8))
    np.testing.assert_array_equal(Conformal(scores).factors(0.8, mean), Conformal(scores).factor(0.8))


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.lists(st.floats(0.001, 0.999), min_size=2, max_size=5))
def test_the_factors_of_more_coverage_are_no_smaller_and_none_is_below_that_of_all(seed, n, coverages):
    rng = np.random.default_rng(seed)
    conformal, new = Conformal(rng.lognormal(size=n), rng.integers(0, 9, n) / 1.0), rng.normal(4, 4, 30)
    factors = np.array([conformal.factors(c, new) for c in sorted(coverages)])
    assert (np.diff(factors, axis=0) >= -1e-9 * factors.max()).all()
    assert (factors >= [[conformal.factor(c)] for c in sorted(coverages)]).all()


def test_the_best_are_covered_where_they_are_predicted_worse():
    """Three times the residuals in the upper twentieth, which the spread does not know: a quantile of all misses."""
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(300):
        mean = np.sort(rng.normal(size=400))
        scores = np.abs(rng.normal(size=400)) * np.where(mean > 1.64, 3.0, 1.0)
        top = np.abs(rng.normal(size=50)) * 3
        conformal = Conformal(scores, mean)
        inside.append([(top <= conformal.factors(0.9, np.full(50, 2.0))).mean(), (top <= conformal.factor(0.9)).mean()])
    local, whole = np.mean(inside, axis=0)
    assert 0.85 < local < 0.95
    assert whole < 0.6


@pytest.mark.parametrize("coverage", [0, 1, 0.0, 1.0, -0.1, 90, float("nan"), float("inf"), "0.9", None, [0.9]])
def test_coverage_must_be_between_0_and_1(coverage):
    with pytest.raises(InvalidInputError, match="The 'coverage' parameter .* must be between 0 and 1. Got .* instead"):
        Conformal(np.arange(5.0)).factor(coverage)
