from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

from surronas.exceptions import InvalidInputError
from surronas.predictors.gnn import GNN, _forward

V, K = 6, 5
BLOCKS = (("adjacency", (V, V)), ("ops", (V, K)))


def _graphs(n, seed=0):
    """Random DAGs of 6 places, some absent, labels 0..2 inside, input 3, output 4; the target counts operations 0 on
    the longest path."""
    rng = np.random.default_rng(seed)
    A = np.triu(rng.random((n, V, V)) < 0.5, k=1)
    present = np.pad(rng.random((n, V - 2)) < 0.8, ((0, 0), (1, 1)), constant_values=True)
    A &= present[:, :, None] & present[:, None, :]
    labels = np.pad(rng.integers(0, 3, (n, V - 2)), ((0, 0), (1, 1)), constant_values=((0, 0), (3, 4)))
    P = (labels[:, :, None] == np.arange(K)) & present[:, :, None]
    depth = np.full((n, V), -5.0)
    depth[:, 0] = 0
    for j in range(1, V):
        reach = np.where(A[:, :, j], depth, -5.0).max(axis=1)
        depth[:, j] = reach + P[:, j, 0]
    return A.astype(float), P.astype(float), np.maximum(depth[:, -1], -1.0)


def _flat(A, P):
    return np.hstack([A.reshape(len(A), -1), P.reshape(len(P), -1)])


@pytest.fixture(scope="module")
def fitted():
    A, P, y = _graphs(60)
    return GNN(blocks=BLOCKS, steps=30, random_state=0).fit(_flat(A, P), y)


def _reference_score(W, m, A, P, n_layers):
    """One graph, one member, node by node in float64."""

    def normal(a):
        return (a - a.mean()) / np.sqrt(a.var() + 1e-5)

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    v, h = len(A), W["embed"].shape[2]
    nodes = [i for i in range(v) if P[i].any()]
    H = {i: P[i] @ W["embed"][m].astype(float) for i in nodes}
    for layer in range(n_layers):
        Z = {i: normal(H[i]) for i in nodes}
        new = {}
        for i in nodes:
            before = [Z[j] for j in nodes if A[j, i]]
            after = [Z[j] for j in nodes if A[i, j]]
            parts = [np.mean(group, axis=0) if group else np.zeros(h) for group in (before, after)]
            pre = np.concatenate([Z[i], *parts]) @ W[f"layer{layer}"][m] + W[f"bias{layer}"][m, 0]
            new[i] = H[i] + pre * sigmoid(pre)
        H = new
    summed = sum(sigmoid(H[i] @ W["gate"][m] + W["gate_bias"][m, 0]) * (H[i] @ W["value"][m]) for i in nodes)
    readout = np.concatenate([normal(H[v - 1]), summed / np.sqrt(v)]) @ W["readout"][m] + W["readout_bias"][m, 0]
    return float(((readout * sigmoid(readout)) @ W["score"][m]).item())


def test_message_passing_is_the_slow_reference(fitted):
    A, P, _ = _graphs(8, seed=1)
    expected = [
        [_reference_score(fitted.weights_, m, a, p, fitted.n_layers) for a, p in zip(A, P, strict=True)]
        for m in range(fitted.n_members)
    ]
    np.testing.assert_allclose(fitted._raw_scores(_flat(A, P)), expected, rtol=2e-4, atol=2e-4)


def test_batched_ensemble_is_its_members_one_by_one(fitted):
    A, P, _ = _graphs(10, seed=2)
    graphs = fitted._graphs(_flat(A, P))
    weights = {name: torch.from_numpy(array) for name, array in fitted.weights_.items()}
    alone = [_forward({name: w[[m]] for name, w in weights.items()}, graphs)[0] for m in range(fitted.n_members)]
    np.testing.assert_allclose(_forward(weights, graphs), torch.stack(alone), rtol=1e-5, atol=1e-5)


def test_relabelled_inner_nodes_predict_the_same(fitted):
    A, P, _ = _graphs(40, seed=3)
    order = [0, 3, 1, 4, 2, 5]
    same = _flat(A[:, order][:, :, order], P[:, order])
    assert not np.array_equal(same, _flat(A, P))
    for one, other in zip(*(fitted.predict(X, return_std=True) for X in (_flat(A, P), same)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_absent_nodes_never_count(fitted):
    A, P, _ = _graphs(40, seed=4)
    gone = ~P.any(axis=2)
    assert gone.any()
    stray = np.where(gone[:, :, None] | gone[:, None, :], 1.0, A)
    assert not np.array_equal(stray, A)
    np.testing.assert_array_equal(fitted.predict(_flat(stray, P)), fitted.predict(_flat(A, P)))


def test_rows_are_independent(fitted):
    A, P, _ = _graphs(300, seed=5)
    X = _flat(A, P)
    order = np.random.default_rng(0).permutation(300)
    mean = fitted.predict(X)
    np.testing.assert_allclose(fitted.predict(X[order]), mean[order], rtol=1e-6)
    np.testing.assert_allclose(fitted.predict(X[7:8]), mean[7:8], rtol=1e-6)


@pytest.mark.parametrize("loss", ["rank", "mse"])
def test_learns_the_longest_path(loss):
    A, P, y = _graphs(400, seed=6)
    X, y = _flat(A, P), 60 + 10 * y
    mean, std = GNN(blocks=BLOCKS, loss=loss, random_state=0).fit(X[:200], y[:200]).predict(X[200:], return_std=True)
    test = y[200:]
    assert kendalltau(test, mean).statistic > 0.7
    assert np.sqrt(np.mean((test - mean) ** 2)) < 0.5 * test.std()
    assert 0.8 < np.mean(np.abs(test - mean) < 1.645 * std)


def test_map_is_increasing_and_keeps_the_scale_of_the_target(fitted):
    scores = np.linspace(-6, 6, 200)
    assert (np.diff(fitted._to_target(scores)) > 0).all()
    A, P, y = _graphs(60)
    tenfold = clone(fitted).fit(_flat(A, P), 10 * y + 5)
    np.testing.assert_allclose(tenfold.predict(_flat(A, P)), 10 * fitted.predict(_flat(A, P)) + 5, rtol=1e-3, atol=1e-2)


def test_columns_beside_the_graph_are_used():
    A, P, _ = _graphs(150, seed=7)
    other = np.random.default_rng(1).normal(size=(150, 1)) * 1e6
    X, blocks = np.hstack([other, _flat(A, P)]), (("params", (1,)), *BLOCKS)
    model = GNN(blocks=blocks, steps=60, random_state=0).fit(X[:100], other[:100, 0])
    assert kendalltau(model.predict(X[100:]), other[100:, 0]).statistic > 0.7


def test_same_seed_same_result_with_any_threads_and_copies_agree(fitted):
    A, P, y = _graphs(60)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        again = clone(fitted).fit(_flat(A, P), y)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.get_rng_state(), state)
    for copy in (again, pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(copy.predict(_flat(A, P)), fitted.predict(_flat(A, P)))
    assert all(isinstance(array, np.ndarray) for array in fitted.weights_.values())


@pytest.mark.parametrize("n", [2, 3, 12])
def test_constant_targets_predict_the_constant(n):
    A, P, _ = _graphs(n)
    mean, std = (
        GNN(blocks=BLOCKS, steps=10, random_state=0)
        .fit(_flat(A, P), np.full(n, 7.0))
        .predict(_flat(A, P), return_std=True)
    )
    np.testing.assert_allclose(mean, 7.0)
    assert np.isfinite(std).all()
    assert (std >= 0).all()


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (np.ones((5, 3)), np.arange(5.0)),
        (np.array([[0.0], [1.0]]), np.array([1.0, 2.0])),
        (np.repeat(np.eye(3), 4, axis=0), np.tile(np.arange(4.0), 3)),
    ],
    ids=["constant columns", "two rows, one column", "duplicates"],
)
def test_degenerate_rows_without_graph(X, y):
    mean, std = GNN(steps=10, random_state=0).fit(X, y).predict(X, return_std=True)
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()
    assert (std >= 0).all()


def test_bad_parameters_name_themselves():
    A, P, y = _graphs(6)
    with pytest.raises(InvalidInputError, match="'blocks' parameter of GNN must describe the 66 columns"):
        GNN(blocks=(("adjacency", (2, 2)), ("ops", (2, 3)))).fit(_flat(A, P), y)
    with pytest.raises(InvalidInputError, match=r"'ops' of shape \(v, k\). Got \(6, 6\) and \(5, 6\)"):
        GNN(blocks=(("adjacency", (6, 6)), ("ops", (5, 6)))).fit(_flat(A, P), y)
    with pytest.raises(InvalidInputError, match=r"must be one of \['mse', 'rank'\]. Got 'hinge'"):
        GNN(blocks=BLOCKS, loss="hinge").fit(_flat(A, P), y)


def test_scikit_learn_checks():
    check_estimator(GNN(steps=40, random_state=0), on_skip=None)
