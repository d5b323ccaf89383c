"""rbf against scipy's interpolator, brute-force leave-one-out refits, and degenerate features."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator

from surronas.predictors.rbf import RBF


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3)) * [1.0, 10.0, 0.1]
    return X, np.sin(X[:, 0]) + X[:, 1] / 10 + X[:, 2] ** 2


def test_without_ridge_and_smoothing_it_is_scipys_interpolant(data):
    X, y = data
    X_new = np.random.default_rng(1).normal(size=(50, 3)) * [1.0, 10.0, 0.1]
    scale = X.std(axis=0)
    expected = RBFInterpolator(X / scale, y, kernel="cubic", degree=1)(X_new / scale)
    np.testing.assert_allclose(RBF(smoothing=0.0, ridge=1e-7).fit(X, y).predict(X_new), expected, atol=1e-4)


@pytest.mark.parametrize("d", [1, 3, 60])
def test_interpolates_without_smoothing(d):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, d)), rng.normal(size=40)
    np.testing.assert_allclose(RBF(smoothing=0.0).fit(X, y).predict(X), y, atol=1e-4 if d == 1 else 1e-7)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_leave_one_out_residuals_are_those_of_refits(smoothing):
    # Refitted by hand, since centre and scale are those of all rows.
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 4)), rng.normal(size=20)
    model = RBF(smoothing=smoothing).fit(X, y)
    Z, z = model.nodes_, (y - model.y_mean_) / model.y_scale_
    order = [
        int(np.flatnonzero((model.nodes_ * model.scale_ + model.center_ - row).__abs__().max(1) < 1e-9)[0]) for row in X
    ]
    z = z[np.argsort(order)]
    distances = np.linalg.norm(Z[:, None] - Z[None], axis=-1)
    system = np.block(
        [[distances**3 + Z @ Z.T / model.ridge + smoothing * np.eye(20), np.ones((20, 1))], [np.ones((1, 20)), 0.0]]
    )
    for i in range(20):
        kept = np.delete(np.arange(21), i)
        weights = np.linalg.solve(system[np.ix_(kept, kept)], np.append(np.delete(z, i), 0.0))
        row = (system - smoothing * np.eye(21))[i, kept]
        assert z[i] - row @ weights == pytest.approx(model.loo_[i], abs=1e-8)


def test_equal_rows_count_as_one_with_the_mean_of_their_targets(data):
    X, y = data
    twice = RBF(smoothing=0.0).fit(np.repeat(X, 2, axis=0), np.c_[y - 0.1, y + 0.1].ravel())
    np.testing.assert_allclose(twice.predict(X), y, atol=1e-7)


def test_collinear_and_constant_columns():
    rng = np.random.default_rng(0)
    genes = rng.integers(0, 3, (300, 6))
    X = np.c_[(genes[:, :, None] == np.arange(3)).reshape(300, -1), np.ones(300)]
    y = genes.sum(axis=1) + 0.5 * (genes[:, 0] == genes[:, 1])
    model = RBF().fit(X[:60], y[:60])
    assert model.score(X[60:], y[60:]) > 0.9


@pytest.mark.parametrize("n", [5, 40, 150])
@pytest.mark.parametrize("d", [1, 6, 50])
def test_default_ridge_leaves_the_system_positive_definite(n, d):
    rng = np.random.default_rng(n + d)
    for X in (rng.normal(size=(n, d)), np.exp(rng.normal(size=(n, d))), rng.integers(0, 2, (n, d))):
        nodes = RBF().fit(X, rng.normal(size=n)).nodes_
        distances = np.linalg.norm(nodes[:, None] - nodes[None], axis=-1)
        system = distances**3 + nodes @ nodes.T / RBF().ridge
        basis = np.linalg.svd(np.ones((1, len(nodes))))[2][1:]  # of the coefficients whose sum is 0
        assert np.linalg.eigvalsh(basis @ system @ basis.T).min(initial=1.0) > -1e-9


def test_std_grows_with_distance_and_covers_noise():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(1100, 4))
    y = X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(scale=0.3, size=1100)
    model = RBF().fit(X[:100], y[:100])
    mean, std = model.predict(X[100:], return_std=True)
    assert 0.8 < np.mean(np.abs(y[100:] - mean) < 1.645 * std) < 0.98
    near, far = model.predict([X[0], 10 * X[0]], return_std=True)[1]
    assert 0 < near < far
