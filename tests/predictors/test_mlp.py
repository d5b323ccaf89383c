from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

from surronas.predictors.mlp import MLP


def _data(n=120, d=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, 70 + 5 * np.sin(2 * X[:, 0]) + 4 * X[:, 1] * X[:, 2] + rng.normal(size=n)


@pytest.fixture(scope="module")
def fitted():
    X, y = _data()
    return MLP(steps=60, hidden=16, random_state=0).fit(X, y)


def test_each_member_is_a_two_layer_network(fitted):
    X, _ = _data(9, seed=1)
    W, Z = fitted.weights_, (X - fitted.x_mean_) / fitted.x_scale_

    def silu(a):
        return a / (1 + np.exp(-a))

    members = []
    for m in range(fitted.n_members):
        H = silu(silu(Z @ W["hidden1"][m] + W["bias1"][m]) @ W["hidden2"][m] + W["bias2"][m])
        members.append((H @ W["output"][m] + Z @ W["linear"][m])[:, 0] + W["offset"][m].item())
    mean, std = fitted.predict(X, return_std=True)
    np.testing.assert_allclose(mean, fitted.y_mean_ + fitted.y_scale_ * np.mean(members, axis=0), rtol=1e-10)
    total = np.sqrt(np.var(members, axis=0) + fitted.noise_**2)
    np.testing.assert_allclose(std, fitted.y_scale_ * total, rtol=1e-10)


def test_learns_what_a_line_cannot():
    X, y = _data(400)
    mean, std = MLP(random_state=0).fit(X[:250], y[:250]).predict(X[250:], return_std=True)
    line = np.linalg.lstsq(np.c_[np.ones(250), X[:250]], y[:250], rcond=None)[0]
    line_error = np.std(y[250:] - np.c_[np.ones(150), X[250:]] @ line)
    error = np.sqrt(np.mean((y[250:] - mean) ** 2))
    assert error < 0.7 * line_error < np.std(y[250:])
    assert 0.8 < np.mean(np.abs(y[250:] - mean) < 1.645 * std) <= 0.99


def test_std_grows_away_from_the_data(fitted):
    near, far = (fitted.predict(np.full((1, 6), x), return_std=True)[1] for x in (0.0, 8.0))
    assert far > 1.5 * near


def test_same_seed_same_result_with_any_threads_and_no_global_random_state():
    X, y = _data(40)
    torch.manual_seed(3)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    results = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(MLP(steps=20, random_state=5).fit(X, y).predict(X, return_std=True))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(results[0], results[1])
    assert torch.equal(torch.get_rng_state(), state)
    assert not np.array_equal(MLP(steps=20, random_state=6).fit(X, y).predict(X), results[0][0])


def test_permuted_rows_permute_predictions_and_copies_agree(fitted):
    X, _ = _data(30, seed=2)
    order = np.random.default_rng(0).permutation(30)
    np.testing.assert_allclose(fitted.predict(X)[order], fitted.predict(X[order]), rtol=1e-12)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X), fitted.predict(X))
    again = clone(fitted).fit(*_data())
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (np.arange(6.0)[:, None], np.full(6, 3.0)),
        (np.ones((5, 3)), np.arange(5.0)),
        (np.array([[0.0], [1.0]]), np.array([1.0, 2.0])),
        (np.repeat(np.eye(3), 4, axis=0), np.tile(np.arange(4.0), 3)),
    ],
    ids=["constant target", "constant columns", "two rows, one column", "duplicates"],
)
def test_degenerate_data(X, y):
    mean, std = MLP(steps=40, random_state=0).fit(X, y).predict(X, return_std=True)
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()
    assert (std >= 0).all()
    assert np.abs(mean - y.mean()).max() <= 2 * np.ptp(y) + 1.5


def test_learned_attributes_are_arrays_and_numbers(fitted):
    learned = {name: value for name, value in vars(fitted).items() if name.endswith("_")}
    assert all(isinstance(array, np.ndarray) for array in fitted.weights_.values())
    assert all(isinstance(value, (np.ndarray, float, int, dict)) for value in learned.values())


def test_scikit_learn_checks():
    check_estimator(MLP(steps=50, random_state=0), on_skip=None)
