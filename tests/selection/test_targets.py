"""The contract of scores of targets, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from surronas.selection.targets import LogScores, TargetScores

# Multiples of 1/64 between -1000 and 1000: equal or clearly different.
targets = st.lists(st.integers(-64_000, 64_000).map(lambda i: i / 64), min_size=1, max_size=60).map(np.array)


@given(targets)
def test_order_and_ties_are_kept(y):
    np.testing.assert_array_equal(rankdata(TargetScores(y).scores.round(9)), rankdata(y))


@given(targets)
def test_inverse_gives_back_the_training_targets(y):
    normal = TargetScores(y)
    np.testing.assert_allclose(normal.inverse(normal.scores), y, rtol=1e-12, atol=1e-9)


@given(targets.filter(lambda y: np.ptp(y) > 0), st.lists(st.floats(-30, 30), min_size=2, unique=True))
def test_inverse_is_increasing_everywhere(y, z):
    z = np.sort(z)
    back = TargetScores(y).inverse(z)
    assert (np.diff(back) >= 0).all()
    far_apart = np.diff(z) > 1e-6
    assert (np.diff(back)[far_apart] > 0).all()


def test_beyond_the_targets_it_goes_on_with_the_mean_slope_of_the_outer_tenth():
    y = np.arange(40.0) ** 2
    normal = TargetScores(y)
    z = np.sort(normal.scores)
    below, above = (y[4] - y[0]) / (z[4] - z[0]), (y[-1] - y[-5]) / (z[-1] - z[-5])
    np.testing.assert_allclose(normal.inverse(z[0] - np.array([0, 1, 2])), y[0] - below * np.array([0, 1, 2]))
    np.testing.assert_allclose(normal.inverse(z[-1] + np.array([0, 1, 2])), y[-1] + above * np.array([0, 1, 2]))


def test_the_ends_of_intervals_go_on_with_that_of_the_outer_half_where_it_is_greater():
    y = np.r_[0.0, np.arange(30.0, 47.0), 47.01, 47.02, 47.03]  # the lowest far apart, the uppermost close together
    normal = TargetScores(y)
    z = np.sort(normal.scores)
    above = (y[-1] - y[-11]) / (z[-1] - z[-11])
    assert above > 10 * (y[-1] - y[-3]) / (z[-1] - z[-3])
    steps = np.array([0.0, 1.0, 2.0])
    np.testing.assert_allclose(normal.ends(z[-1] + steps), y[-1] + above * steps)
    np.testing.assert_array_equal(normal.ends(z[0] - steps), normal.inverse(z[0] - steps))
    np.testing.assert_array_equal(normal.ends(z), normal.inverse(z))


@pytest.mark.parametrize("n", [1, 2, 30])
def test_constant_targets_come_back_whatever_the_score(n):
    normal = TargetScores(np.full(n, 93.5))
    assert np.ptp(normal.scores) == 0
    assert np.isfinite(normal.scores).all()
    np.testing.assert_array_equal(normal.inverse(np.array([-5.0, 0.0, 5.0])), 93.5)


def test_scaled_and_shifted_targets_have_the_same_scores():
    y = np.random.default_rng(0).normal(size=50)
    ours, theirs = TargetScores(y), TargetScores(4 * y + 64)
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-12)
    z = np.linspace(-4, 4, 50)
    np.testing.assert_allclose(theirs.inverse(z), 4 * ours.inverse(z) + 64, rtol=1e-9)


def test_logarithms_are_standardised_and_come_back():
    y = np.exp(np.random.default_rng(0).normal(3, 2, 50))
    scores = LogScores(y)
    assert scores.scores.mean() == pytest.approx(0, abs=1e-12)
    assert scores.scores.std() == pytest.approx(1)
    np.testing.assert_allclose(scores.inverse(scores.scores), y)
    np.testing.assert_allclose(np.diff(np.log(scores.inverse(np.arange(-30.0, 30.0)))), np.log(y).std())
    np.testing.assert_allclose(LogScores(np.full(3, 7.0)).inverse(np.zeros(3)), 7)
