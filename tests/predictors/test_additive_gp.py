"""The additive Gaussian process against gpytorch's kernels, its optimum against perturbations, and what it finds."""

from __future__ import annotations

from itertools import combinations

import gpytorch
import numpy as np
import pytest
import torch
from scipy.stats import norm

from surronas.predictors.additive_gp import AdditiveGaussianProcess


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = np.c_[rng.integers(4, size=(60, 3)) * [1, 10, 0.1], rng.normal(size=60), np.full(60, 7.0)]
    y = 70 + X[:, 0] * X[:, 1] / 10 + np.sin(2 * X[:, 3]) + 0.1 * rng.normal(size=60)
    return X[:40], y[:40], X[40:]


def reference_covariance(A, B, weights, pairs, linear, lengthscale):
    """By its definition, from gpytorch's Matérn kernels of one feature each; constant features are left out."""

    def single(i):
        kernel = gpytorch.kernels.MaternKernel(nu=1.5).double()
        kernel.lengthscale = lengthscale
        with torch.no_grad():
            matern = kernel(torch.from_numpy(A[:, [i]]), torch.from_numpy(B[:, [i]])).to_dense()
        return weights[i] * matern.numpy()

    varying = np.flatnonzero(weights)
    singles = {i: single(i) for i in varying}
    both = sum(singles[i] * singles[j] for i, j in combinations(varying, 2))
    return sum(singles.values()) + pairs * both + linear * A @ B.T


def of(model):
    return model.weights_, model.pairs_, model.linear_, model.lengthscale_


def test_posterior_is_that_of_the_documented_kernel(data):
    X, y, X_new = data
    model = AdditiveGaussianProcess().fit(X, y)
    A, B = (X_new - model.center_) / model.scale_, (X - model.center_) / model.scale_
    noise = (model.noise_ + 1e-6) * np.eye(len(B))
    cross = reference_covariance(A, B, *of(model))
    inverse = np.linalg.inv(reference_covariance(B, B, *of(model)) + noise)
    mean, std = model.predict(X_new, return_std=True)
    np.testing.assert_allclose(mean, model.y_mean_ + cross @ inverse @ (y - model.y_mean_), rtol=1e-6)
    variance = np.diag(reference_covariance(A, A, *of(model))) + model.noise_
    variance -= np.einsum("ij,jk,ik->i", cross, inverse, cross)
    np.testing.assert_allclose(std, model.y_scale_ * np.sqrt(variance), rtol=1e-5)


def test_fitted_parameters_are_a_local_optimum(data):
    """Of the marginal likelihood (Rasmussen and Williams, equation 2.30) times the priors, both computed anew."""
    X, y, _ = data
    model = AdditiveGaussianProcess(max_iter=300).fit(X, y)
    B = (X - model.center_) / model.scale_
    z = (y - model.y_mean_) / model.y_scale_
    varies = model.weights_ > 0
    found = np.log(np.r_[model.weights_[varies], model.pairs_, model.linear_, model.lengthscale_, model.noise_])
    medians = np.r_[np.full(4, -np.log(4)), 0.0, -1.5 - np.log(4), 0.0, -2.5]
    spreads = np.r_[np.full(4, 2.0), 1.5, 1.5, 0.7, 1.0]

    def loss(logs):
        weights = np.zeros(5)
        weights[varies] = np.exp(logs[:4])
        pairs, linear, lengthscale, noise = np.exp(logs[4:])
        K = reference_covariance(B, B, weights, pairs, linear, lengthscale) + (noise + 1e-6) * np.eye(len(B))
        fit = 0.5 * z @ np.linalg.solve(K, z) + 0.5 * np.linalg.slogdet(K)[1]
        return fit - norm.logpdf(logs, medians, spreads).sum()

    best = loss(found)
    for step in np.vstack([np.eye(8), -np.eye(8)]):
        assert loss(found + 0.05 * step) > best
        assert abs(loss(found + 1e-4 * step) - best) < 1e-4 * 0.02 + 1e-6


def test_it_finds_what_counts_and_what_acts_together():
    """A product of two features is no sum of effects: without the pairs nothing of it could be learnt."""
    rng = np.random.default_rng(1)
    X = rng.uniform(-1, 1, size=(200, 12))
    y = X[:, 3] * X[:, 7]
    model = AdditiveGaussianProcess().fit(X[:100], y[:100])
    others = np.delete(model.weights_, [3, 7])
    assert model.weights_[[3, 7]].min() > 10 * others.max()
    assert model.score(X[100:], y[100:]) > 0.95


def test_the_posterior_uses_all_rows_when_parameters_are_fitted_to_few(data):
    X, y, X_new = data
    few = AdditiveGaussianProcess(max_rows=20, random_state=0).fit(X, y)
    assert few.X_.shape == X.shape
    assert (few.predict(X_new) != AdditiveGaussianProcess(max_rows=20, random_state=1).fit(X, y).predict(X_new)).any()
    np.testing.assert_array_equal(
        few.predict(X_new), AdditiveGaussianProcess(max_rows=20, random_state=0).fit(X, y).predict(X_new)
    )


def test_a_constant_feature_has_no_weight(data):
    X, y, _ = data
    model = AdditiveGaussianProcess().fit(X, y)
    assert model.weights_[4] == 0
    assert (model.weights_[:4] > 0).all()
