"""The Gaussian process against gpytorch's exact GP, its optimum against perturbations; hard inputs for both kinds."""

from __future__ import annotations

import gpytorch
import numpy as np
import pytest
import torch
from scipy.linalg import LinAlgError
from scipy.spatial.distance import cdist
from scipy.stats import gamma, lognorm

from surronas.predictors import additive_gp, gp
from surronas.predictors.additive_gp import AdditiveGaussianProcess
from surronas.predictors.gp import GaussianProcess

BLOCKS = (("graph", (3,)), ("choices", (2, 2)))


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 7)) * [1, 10, 0.1, 1, 1, 5, 1] + 3
    y = 70 + np.sin(2 * (X[:, 0] - 3)) + (X[:, 1] - 3) / 10 + 0.1 * rng.normal(size=60)
    return X[:40], y[:40], X[40:]


class ReferenceGP(gpytorch.models.ExactGP):
    """gpytorch's own kernels with the hyper-parameters of a fitted GaussianProcess, on its scaled features."""

    def __init__(self, model, X, y):
        likelihood = gpytorch.likelihoods.GaussianLikelihood().double()
        super().__init__(torch.from_numpy(X), torch.from_numpy(y), likelihood)
        likelihood.noise = model.noise_
        self.mean = gpytorch.means.ZeroMean()
        kernels, start = [], 0
        for width, ell, smooth, linear in zip(
            model.widths_, model.lengthscales_, model.smooth_, model.linear_, strict=True
        ):
            dims = tuple(range(start, start + width))
            matern = gpytorch.kernels.ScaleKernel(gpytorch.kernels.MaternKernel(nu=1.5, active_dims=dims)).double()
            matern.base_kernel.lengthscale, matern.outputscale = ell, smooth
            line = gpytorch.kernels.LinearKernel(active_dims=dims).double()
            line.variance = linear
            kernels += [matern, line]
            start += width
        self.kernel = gpytorch.kernels.AdditiveKernel(*kernels)
        self.double().eval()
        likelihood.eval()

    def forward(self, X):
        return gpytorch.distributions.MultivariateNormal(self.mean(X), self.kernel(X))


def reference(model, X, y):
    scaled = (X - model.center_) / model.scale_
    return ReferenceGP(model, scaled, (y - model.y_mean_) / model.y_scale_), scaled


@pytest.mark.parametrize("blocks", [None, BLOCKS])
def test_posterior_is_gpytorchs(data, blocks):
    X, y, X_new = data
    model = GaussianProcess(blocks=blocks).fit(X, y)
    exact, _ = reference(model, X, y)
    with torch.no_grad(), gpytorch.settings.fast_computations(False, False, False):
        expected = exact.likelihood(exact(torch.from_numpy((X_new - model.center_) / model.scale_)))
    mean, std = model.predict(X_new, return_std=True)
    np.testing.assert_allclose(mean, model.y_mean_ + model.y_scale_ * expected.mean.numpy(), rtol=1e-8)
    np.testing.assert_allclose(std, model.y_scale_ * expected.stddev.numpy(), rtol=1e-6)


def test_features_are_standardised_and_blocks_scaled_by_their_width(data):
    X, y, _ = data
    model = GaussianProcess(blocks=BLOCKS).fit(X, y)
    spread = model.X_.std(axis=0)
    np.testing.assert_allclose(spread, np.repeat([3**-0.5, 0.5], [3, 4]))
    np.testing.assert_allclose(model.X_.mean(axis=0), 0, atol=1e-12)


def negative_log_posterior(model, X, y, lengthscales, smooth, linear, noise):
    """Rasmussen and Williams, equation 2.30, with the documented priors from scipy."""
    A = (X - model.center_) / model.scale_
    K = noise * np.eye(len(A))
    start = 0
    for width, ell, s, b in zip(model.widths_, lengthscales, smooth, linear, strict=True):
        block = A[:, start : start + width]
        r = np.sqrt(3) * np.linalg.norm(block[:, None] - block[None], axis=-1) / ell
        K += s * (1 + r) * np.exp(-r) + b * block @ block.T
        start += width
    z = (y - model.y_mean_) / model.y_scale_
    prior = lognorm.logpdf(lengthscales, 0.7, scale=np.exp(0.3)).sum() + lognorm.logpdf(noise, 1.0, scale=np.exp(-2.5))
    prior += gamma.logpdf(smooth, 1.5, scale=1 / 1.5).sum() + gamma.logpdf(linear, 1.1, scale=1 / 2.0).sum()
    return 0.5 * z @ np.linalg.solve(K, z) + 0.5 * np.linalg.slogdet(K)[1] - prior


def test_the_loss_and_its_gradient_are_those_of_the_textbook(data):
    X, y, _ = data
    model = GaussianProcess(blocks=BLOCKS).fit(X, y)
    z = (y - model.y_mean_) / model.y_scale_
    upper = np.triu_indices(len(z))
    parts = model._blocks(model.X_)
    distances = np.stack([np.sqrt(3) * cdist(part, part)[upper] for part in parts])
    products = np.stack([(part @ part.T)[upper] for part in parts])
    places = np.random.default_rng(1).normal(size=(6, 7))

    def textbook(logs):
        *parts, noise = np.split(np.exp(logs), [2, 4, 6])
        return negative_log_posterior(model, X, y, *parts, noise[0])

    losses, gradients = zip(*(gp._loss(logs, distances, products, z, upper) for logs in places), strict=True)
    expected = [textbook(logs) for logs in places]
    np.testing.assert_allclose(np.diff(losses), np.diff(expected), rtol=1e-6)  # constants are left out
    for logs, gradient in zip(places, gradients, strict=True):
        slopes = [(textbook(logs + step) - textbook(logs - step)) / 2e-5 for step in 1e-5 * np.eye(7)]
        np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-6)


def test_fitted_parameters_are_a_local_optimum(data):
    X, y, _ = data
    model = GaussianProcess(blocks=BLOCKS, max_iter=300).fit(X, y)
    found = np.log(np.r_[model.lengthscales_, model.smooth_, model.linear_, model.noise_])

    def loss(vector):
        *parts, noise = np.split(np.exp(vector), [2, 4, 6])
        return negative_log_posterior(model, X, y, *parts, noise[0])

    best = loss(found)
    steps = np.vstack([np.eye(7), -np.eye(7)])
    gradient = [(loss(found + 1e-5 * step) - loss(found - 1e-5 * step)) / 2e-5 for step in steps[:7]]
    # A weight at its lower bound has nowhere to go although it still would; all others have no slope left.
    free = np.exp(found) > 2e-6
    np.testing.assert_allclose(np.array(gradient)[free], 0, atol=0.02)
    for size in (0.05, 0.5):
        assert all(loss(found + size * step) > best for step in steps[np.r_[free, free]])


def test_one_lengthscale_a_block(data):
    X, y, _ = data
    one, two = GaussianProcess().fit(X, y), GaussianProcess(blocks=BLOCKS).fit(X, y)
    for model, n_blocks in ((one, 1), (two, 2)):
        for parameters in (model.lengthscales_, model.smooth_, model.linear_):
            assert parameters.shape == (n_blocks,)
            assert (parameters > 0).all()


def test_a_block_of_noise_counts_for_little():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(80, 6))
    y = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2]
    model = GaussianProcess(blocks=(("signal", (3,)), ("noise", (3,)))).fit(X, y)

    def prior_share(block):  # how far apart the block puts two typical rows, which differ by the root of 2 in it
        r = np.sqrt(3 * 2) / model.lengthscales_[block]
        return model.smooth_[block] * (1 - (1 + r) * np.exp(-r)) + model.linear_[block]

    assert prior_share(1) < 0.25 * prior_share(0)
    X_new = rng.normal(size=(200, 6))
    y_new = np.sin(2 * X_new[:, 0]) + X_new[:, 1] * X_new[:, 2]
    together, alone = GaussianProcess().fit(X, y), model
    errors = [np.sqrt(np.mean((m.predict(X_new) - y_new) ** 2)) for m in (alone, together)]
    assert errors[0] < errors[1]


def test_the_posterior_uses_all_rows_when_parameters_are_fitted_to_few(data):
    X, y, X_new = data
    model = GaussianProcess(max_rows=15, random_state=0).fit(X, y)
    assert model.X_.shape == X.shape
    exact, _ = reference(model, X, y)
    with torch.no_grad(), gpytorch.settings.fast_computations(False, False, False):
        expected = exact(torch.from_numpy((X_new - model.center_) / model.scale_)).mean.numpy()
    np.testing.assert_allclose(model.predict(X_new), model.y_mean_ + model.y_scale_ * expected, rtol=1e-8)
    all_rows = GaussianProcess().fit(X, y)
    assert (model.lengthscales_ != all_rows.lengthscales_).all()
    other_rows = GaussianProcess(max_rows=15, random_state=1).fit(X, y)
    assert (model.lengthscales_ != other_rows.lengthscales_).all()


@pytest.mark.parametrize(("kind", "home"), [(GaussianProcess, gp), (AdditiveGaussianProcess, additive_gp)])
def test_long_batches_are_predicted_in_chunks(data, monkeypatch, kind, home):
    X, y, X_new = data
    model = kind().fit(X, y)
    whole = model.predict(X_new, return_std=True)
    monkeypatch.setattr(home, "_CHUNK", 7)
    np.testing.assert_allclose(model.predict(X_new, return_std=True), whole, rtol=1e-12)


def test_blocks_that_do_not_fit_the_features_are_one_block(data):
    X, y, _ = data
    assert GaussianProcess(blocks=(("graph", (3,)),)).fit(X, y).widths_ == [7]
    assert GaussianProcess(blocks=(("none", (0,)), *BLOCKS)).fit(X, y).widths_ == [3, 4]


HARD = {
    "two rows": ([[0.0, 1.0], [1.0, 0.0]], [1.0, 2.0]),
    "two equal rows": ([[0.0, 1.0], [0.0, 1.0]], [1.0, 2.0]),
    "all rows equal": (np.ones((20, 3)), np.arange(20.0)),
    "constant columns": (np.c_[np.ones(20), np.arange(20), np.zeros(20)], np.arange(20.0) ** 2),
    "constant target": (np.arange(20.0)[:, None], np.full(20, 5.0)),
    "noiseless line": (np.arange(50.0)[:, None], np.arange(50.0)),
    "huge target": (np.arange(20.0)[:, None], 1e12 * np.arange(20.0)),
    "tiny target": (np.arange(20.0)[:, None], 1e-12 * np.sin(np.arange(20.0))),
    "near duplicates": (
        np.repeat(np.arange(25.0), 4)[:, None] + np.tile([0, 1e-13, 2e-13, 3e-13], 25)[:, None],
        np.sin(np.repeat(np.arange(25.0), 4)),
    ),
    "outlier": (np.arange(30.0)[:, None], np.r_[np.zeros(29), 1e9]),
    "more columns than rows": (np.random.default_rng(0).normal(size=(10, 300)), np.arange(10.0)),
}


@pytest.mark.parametrize("kind", [GaussianProcess, AdditiveGaussianProcess])
@pytest.mark.parametrize(("X", "y"), HARD.values(), ids=HARD)
def test_hard_data_give_a_model(X, y, kind):
    X, y = np.asarray(X, dtype=float), np.asarray(y)
    model = kind(random_state=0).fit(X, y)
    mean, std = model.predict(X, return_std=True)
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()
    assert (std >= 0).all()
    span = max(np.ptp(y), 1e-9 * np.abs(y).max())
    assert (mean >= y.min() - span).all()
    assert (mean <= y.max() + span).all()


@pytest.mark.parametrize("kind", [GaussianProcess, AdditiveGaussianProcess])
def test_duplicates_are_averaged_and_the_std_says_they_disagree(kind):
    X = np.repeat([[0.0], [1.0], [2.0]], 20, axis=0)
    y = np.tile([-1.0, 1.0], 30) + X[:, 0]
    mean, std = kind().fit(X, y).predict([[0.0], [1.0], [2.0]], return_std=True)
    np.testing.assert_allclose(mean, [0, 1, 2], atol=0.35)
    np.testing.assert_allclose(std, 1, atol=0.25)


def test_a_failed_step_leaves_the_best_parameters_so_far(data, monkeypatch):
    """From the third evaluation on the likelihood cannot be computed: the model is that of the first two."""
    X, y, X_new = data
    calls, whole = [], gp._loss

    def failing(*arguments):
        calls.append(None)
        if len(calls) > 2:
            raise LinAlgError("not positive definite")
        return whole(*arguments)

    monkeypatch.setattr(gp, "_loss", failing)
    model = GaussianProcess().fit(X, y)
    assert len(calls) > 2
    mean, std = model.predict(X_new, return_std=True)
    assert np.isfinite([mean, std]).all()
