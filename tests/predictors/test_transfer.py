"""A hierarchical prior: by brute force, and what it is good for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau, multivariate_normal, norm, qmc

from surronas.predictors import get_predictor, transfer


def tasks(n, n_tasks=5, seed=0):
    """Predictions of tasks that are half alike, and other features."""
    rng = np.random.default_rng(seed)
    P = rng.standard_normal((n, 1)) + rng.standard_normal((n, n_tasks))
    return P / P.std(axis=0), rng.standard_normal((n, 4)), rng


def fit(P, Z, y, k):
    blocks = (("prior", (P.shape[1],)), ("features", (Z.shape[1],)))
    F = np.hstack([P, Z])
    model = get_predictor("transfer", blocks=blocks).fit(F[:k], y[:k])
    return model, *model.predict(F[k:], return_std=True)


def test_it_is_the_mixture_that_it_says(monkeypatch):
    """Every hypothesis and draw by the textbook's formula in function space, no row left out, none truncated."""
    monkeypatch.setattr(transfer, "_N_DRAWS", 16)
    P, Z, rng = tasks(14, n_tasks=3)
    y = P @ [0.5, 0.4, 0.0] + 0.3 * rng.standard_normal(14)
    y = (y - y[:9].mean()) / y[:9].std()
    _, mean, std = fit(P, Z, y, 9)

    Zs = (Z - Z[:9].mean(axis=0)) / Z[:9].std(axis=0)
    draws = norm.ppf(qmc.Sobol(3, rng=0).random(16))
    logs, means, variances = [], [], []
    for draw in draws:
        of_prior, of_features, noise = (
            np.exp(center + spread * value)
            for value, (center, spread) in zip(
                draw, (transfer._OF_PRIOR, transfer._OF_OTHERS, transfer._OF_NOISE), strict=True
            )
        )
        K = 10 + of_prior * P @ P.T / 3 + of_features * Zs @ Zs.T / 4
        inner = K[:9, :9] + noise * np.eye(9)
        for center in (np.zeros(14), P.mean(axis=1), *P.T):
            logs.append(multivariate_normal(np.zeros(9), inner).logpdf(y[:9] - center[:9]))
            means.append(center[9:] + K[9:, :9] @ np.linalg.solve(inner, y[:9] - center[:9]))
            variances.append(np.diag(K[9:, 9:] - K[9:, :9] @ np.linalg.solve(inner, K[:9, 9:])) + noise)
    shares = np.exp(np.array(logs) - max(logs))
    shares /= shares.sum()
    expected = shares @ np.array(means)
    second = shares @ (np.array(variances) + np.square(means))
    np.testing.assert_allclose(mean, expected, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(std, np.sqrt(second - expected**2), rtol=1e-6)


def test_five_labels_find_the_task_that_is_alike():
    P, Z, rng = tasks(300)
    y = 40 + 3 * P[:, 3] + 0.3 * rng.standard_normal(300)
    _, mean, std = fit(P, Z, y, 5)
    assert kendalltau(mean, y[5:]).statistic > 0.8
    assert kendalltau(P.mean(axis=1)[5:], y[5:]).statistic < 0.65
    assert 0.8 < (np.abs(y[5:] - mean) < 1.645 * std).mean() <= 1


def test_tasks_that_say_nothing_are_given_up():
    P, Z, rng = tasks(400)
    y = Z @ [2.0, -1.0, 1.0, 0.5] + 0.2 * rng.standard_normal(400)
    _, mean, _ = fit(P, Z, y, 40)
    alone = get_predictor("linear").fit(Z[:40], y[:40]).predict(Z[40:])
    ours, theirs = (kendalltau(p, y[40:]).statistic for p in (mean, alone))
    assert ours > theirs - 0.03


def test_a_task_that_is_the_opposite_is_turned_round():
    P, Z, rng = tasks(300)
    y = -P.mean(axis=1) + 0.1 * rng.standard_normal(300)
    _, mean, _ = fit(P, Z, y, 12)
    assert kendalltau(mean, y[12:]).statistic > 0.7


def test_many_labels_are_all_used():
    P, Z, rng = tasks(3000)
    weights = [1.0, -0.5, 0.2, 0.0, 0.7]
    y = P @ weights + Z[:, 0] + 0.5 * rng.standard_normal(3000)
    model, mean, std = fit(P, Z, y, 2000)
    residual = y[2000:] - mean
    assert residual.std() == pytest.approx(0.5, rel=0.06)
    assert std.mean() == pytest.approx(0.5, rel=0.25)  # the noise is one of 256 draws
    F = np.hstack([P, Z])
    slopes = np.linalg.lstsq(np.column_stack([np.ones(2000), F[:2000]]), y[:2000], rcond=None)[0]
    ours = model.weights_[1:] / model.scale_ * model.y_scale_
    np.testing.assert_allclose(ours, slopes[1:], atol=0.02)
