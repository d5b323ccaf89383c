from __future__ import annotations

import numpy as np
import pytest
import torch
from botorch.acquisition import LogExpectedImprovement, qLogExpectedImprovement, qLogNoisyExpectedImprovement
from botorch.acquisition.multi_objective import logei, qLogExpectedHypervolumeImprovement
from botorch.models import ModelList
from botorch.optim import optimize_acqf_discrete
from botorch.sampling import ListSampler, SobolQMCNormalSampler
from botorch.utils.multi_objective.box_decompositions import NondominatedPartitioning

import surronas as sn
from surronas.adapters.botorch import SurrogateModel, choices


@pytest.fixture
def rows(table):
    return np.random.default_rng(0).permutation(len(table))[:40]


def fit(table, rows, target="val_accuracy", predictor="gp", encoder="one_hot"):
    y = table.targets[target].to_numpy()[rows]
    return sn.fit_predictor(
        table.archs[rows], y, space=table.space, predictor=predictor, encoder=encoder, random_state=0
    )


@pytest.mark.parametrize("predictor", ["gp", "additive_gp", "extra_trees", ("gp", "linear")])
def test_means_and_deviations_are_the_surrogates(table, rows, predictor):
    surrogate = fit(table, rows, predictor=predictor)
    mean, std = surrogate.predict(table.archs, return_std=True)
    X = choices(table.space, table.archs)[:, None, :]
    posterior = SurrogateModel(surrogate).posterior(X, observation_noise=True)
    assert posterior.mean.shape == posterior.variance.shape == (117, 1, 1)
    assert posterior.mean.ravel().numpy() == pytest.approx(mean)
    assert posterior.variance.ravel().sqrt().numpy() == pytest.approx(std, rel=1e-5, abs=1e-4)
    negated = SurrogateModel(surrogate, maximize=False).posterior(X)
    assert negated.mean.ravel().numpy() == pytest.approx(-mean)
    assert (negated.variance <= posterior.variance + 1e-12).all()


def matern(a, b, ell):
    r = np.sqrt(3) * np.linalg.norm(a - b) / ell
    return (1 + r) * np.exp(-r)


def of_gp(model, a, b):
    splits = np.cumsum(model.widths_)[:-1]
    parts = zip(
        np.split(a, splits), np.split(b, splits), model.lengthscales_, model.smooth_, model.linear_, strict=True
    )
    return sum(smooth * matern(u, v, ell) + linear * (u @ v) for u, v, ell, smooth, linear in parts)


def of_additive_gp(model, a, b):
    z = [w * matern(a[i : i + 1], b[i : i + 1], model.lengthscale_) for i, w in enumerate(model.weights_)]
    pairs = sum(z[i] * z[j] for i in range(len(z)) for j in range(i))
    return sum(z) + model.pairs_ * pairs + model.linear_ * (a @ b)


@pytest.mark.parametrize(("predictor", "kernel"), [("gp", of_gp), ("additive_gp", of_additive_gp)])
def test_covariances_are_those_of_the_textbook(predictor, kernel):
    """Rasmussen and Williams, eq. 2.24, number by number."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, size=(25, 5)).astype(float)
    y = X[:, 0] * X[:, 1] - X[:, 2] + 0.1 * rng.normal(size=25)
    model = sn.get_predictor(predictor).fit(X, y)
    new = rng.integers(0, 3, size=(4, 3, 5)).astype(float)

    def gram(A, B):
        return np.array([[kernel(model, a, b) for b in B] for a in A])

    known, rows = ((part - model.center_) / model.scale_ for part in (X, new))
    noisy = gram(known, known) + (model.noise_ + 1e-6 * (predictor == "additive_gp")) * np.eye(25)
    for noise in (True, False):
        found = model.predict_covariance(new, noise)
        for group, covariance in zip(rows, found, strict=True):
            cross = gram(group, known)
            expected = gram(group, group) - cross @ np.linalg.solve(noisy, cross.T) + noise * model.noise_ * np.eye(3)
            assert covariance == pytest.approx(expected * model.y_scale_**2, abs=1e-6 * model.y_scale_**2)
    _, std = model.predict(new.reshape(12, 5), return_std=True)
    variances = np.diagonal(model.predict_covariance(new), axis1=1, axis2=2)
    assert variances.ravel() == pytest.approx(std**2, rel=1e-6)
    assert model.predict_covariance(new[:0]).shape == (0, 3, 3)


def test_groups_have_any_batch_shape(table, rows):
    model = SurrogateModel(fit(table, rows))
    X = choices(table.space, table.archs)[:24].reshape(2, 4, 3, 5)
    posterior = model.posterior(X)
    assert posterior.rsample(torch.Size([7])).shape == (7, 2, 4, 3, 1)
    covariance = posterior.distribution.covariance_matrix
    single = model.posterior(X[1, 2]).distribution.covariance_matrix
    assert covariance[1, 2].numpy() == pytest.approx(single.numpy())
    assert (np.linalg.eigvalsh(covariance.numpy()) > 0).all()


def test_acquisition_functions_choose_what_gains_most(table, rows):
    surrogate = fit(table, rows)
    X, best = choices(table.space), table.targets["val_accuracy"][rows].max()
    analytic = LogExpectedImprovement(SurrogateModel(surrogate), best_f=best)
    found, value = optimize_acqf_discrete(analytic, q=1, choices=X, max_batch_size=50)
    assert value.item() == pytest.approx(analytic(X[:, None, :]).max().item())
    batch, _ = optimize_acqf_discrete(
        qLogExpectedImprovement(SurrogateModel(surrogate), best_f=best), q=3, choices=X, unique=True
    )
    assert len(np.unique(table.space.key(batch.numpy().astype(int)))) == 3
    seen = choices(table.space, table.archs[rows])
    noisy = qLogNoisyExpectedImprovement(SurrogateModel(surrogate), seen, cache_root=False, prune_baseline=True)
    again, _ = optimize_acqf_discrete(noisy, q=1, choices=X)
    y = dict(zip(table.space.key(table.archs), table.targets["val_accuracy"], strict=True))
    for chosen in (found, again):
        assert y[table.space.key(chosen.numpy().astype(int))[0]] > np.quantile(table.targets["val_accuracy"], 0.9)


def test_several_objectives_by_a_list_of_models(table, rows, monkeypatch):
    # BoTorch would compile a kernel for this very processor and keep it in the home directory, where another
    # processor's crashes the process and a lock left behind waits for ever: its Python form will do here.
    monkeypatch.setattr(logei, "_load_attempted", True)
    monkeypatch.setattr(logei, "_C", None)
    models = ModelList(
        SurrogateModel(fit(table, rows, "val_accuracy")),
        SurrogateModel(fit(table, rows, "latency_ms"), maximize=False),
    )
    Y = torch.from_numpy(table.targets.to_numpy()[rows] * [1, -1])
    reference = torch.tensor([60.0, -15.0], dtype=torch.float64)
    cells = NondominatedPartitioning(reference, Y)
    sampler = ListSampler(*(SobolQMCNormalSampler(torch.Size([32])) for _ in range(2)))
    gain = qLogExpectedHypervolumeImprovement(models, reference, cells, sampler)
    seen = choices(table.space, table.archs[rows])
    batch, _ = optimize_acqf_discrete(gain, q=2, choices=choices(table.space)[:60], X_avoid=seen, unique=True)
    keys = table.space.key(batch.numpy().astype(int))
    assert len(set(keys)) == 2
    assert not np.isin(keys, table.space.key(table.archs[rows])).any()
