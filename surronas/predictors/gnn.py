"""An ensemble of graph networks: dense message passing on the architecture's DAG."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import torch
from sklearn.isotonic import isotonic_regression
from torch.nn.functional import layer_norm, silu, softplus

from surronas.exceptions import InvalidInputError
from surronas.predictors import register_predictor
from surronas.predictors._torch import (
    Tensors,
    new_generator,
    residual_variance,
    split_folds,
    stacked,
    train,
)
from surronas.predictors.base import FloatArray, Predictor
from surronas.threads import single_thread

_CHUNK = 128
Graphs = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@register_predictor("gnn")
class GNN(Predictor):
    """Ensemble of graph convolutional networks along and against the edges, trained to rank.

    Each layer adds to a node's state a transform of its own state and of the mean states of its
    predecessors and successors; the score is read from the output node and a gated sum over all nodes.
    Each member trains without one fold of the rows. Its scores there give the increasing map from scores to
    targets and, with the members' spread, the standard deviation.

    Parameters
    ----------
    blocks : tuple of (name, shape) or None, default=None
        ``blocks_`` of the encoder. Blocks ``("adjacency", (v, v))`` and ``("ops", (v, k))`` are the graph; an
        all-zero row of ops is an absent node. Other columns are standardised and given to every node.
        Without a graph a row is one node.
    loss : {"rank", "mse"}, default="rank"
        Pairwise logistic loss, or squared error.
    n_members : int, default=5
    hidden : int, default=16
        Width of a node's state.
    n_layers : int, default=3
    steps : int, default=150
        Gradient steps of AdamW, on batches of at most 64 rows; one more for every four rows, at most twice as many.
    learning_rate : float, default=1e-2
    weight_decay : float, default=1e-2
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    weights_ : dict of str to float32 array
        Stacked weights, the member first.

    References
    ----------
    Wen et al. (2020), Neural predictor for neural architecture search; Ning et al. (2020), A generic
    graph-based neural architecture encoding scheme for predictor-based NAS (for the ranking loss).
    """

    reads_graphs = True
    tunable = {
        "loss": {"choices": ("rank", "mse")},
        "hidden": {"low": 8, "high": 64, "log": True},
        "n_layers": {"low": 1, "high": 5},
        "steps": {"low": 75, "high": 600, "log": True},
        "learning_rate": {"low": 1e-3, "high": 3e-2, "log": True},
        "weight_decay": {"low": 1e-4, "high": 0.1, "log": True},
    }

    def __init__(
        self,
        blocks: Any = None,
        loss: str = "rank",
        n_members: int = 5,
        hidden: int = 16,
        n_layers: int = 3,
        steps: int = 150,
        learning_rate: float = 1e-2,
        weight_decay: float = 1e-2,
        random_state: Any = None,
    ) -> None:
        self.blocks = blocks
        self.loss = loss
        self.n_members = n_members
        self.hidden = hidden
        self.n_layers = n_layers
        self.steps = steps
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        if self.loss not in _LOSSES:
            raise InvalidInputError(
                f"The 'loss' parameter of GNN must be one of {sorted(_LOSSES)}. Got {self.loss!r} instead."
            )
        n, m = len(X), self.n_members
        self._read_blocks(X.shape[1])
        other = X[:, self.other_columns_]
        self.x_mean_: FloatArray = other.mean(axis=0)
        scale = other.std(axis=0)
        self.x_scale_ = np.where(scale > 1e-12 * np.maximum(1, np.abs(self.x_mean_)), scale, 1.0)
        generator = new_generator(self.random_state)
        fold = split_folds(n, m, generator)
        graphs, targets = self._graphs(X), torch.from_numpy(y.astype(np.float32))
        trains = torch.from_numpy((fold != np.arange(m)[:, None]).astype(np.float32))
        pair_loss = _LOSSES[self.loss]

        def loss(weights: Tensors, rows: torch.Tensor) -> torch.Tensor:
            batch = (graphs[0][rows], graphs[1][rows], graphs[2][rows])
            return pair_loss(_forward(weights, batch), targets[rows], trains[:, rows])

        with single_thread():
            self.weights_ = train(
                self._initial(generator, graphs[1].shape[2]),
                loss,
                n,
                generator,
                self.steps + min(n // 4, self.steps),
                64,
                self.learning_rate,
                self.weight_decay,
            )
        scores = self._raw_scores(X)
        self.score_mean_ = scores.mean(axis=1, keepdims=True)
        spread = scores.std(axis=1, keepdims=True)
        self.score_scale_ = np.where(spread > 1e-6, spread, 1.0)
        scores = (scores - self.score_mean_) / self.score_scale_
        held_out = scores[fold, np.arange(n)]
        self._fit_map(held_out, y)
        self.noise_ = residual_variance(y - self._to_target(held_out), self._to_target(scores).std(axis=0)) ** 0.5

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        members = self._to_target((self._raw_scores(X) - self.score_mean_) / self.score_scale_)
        return members.mean(axis=0), np.hypot(members.std(axis=0), self.noise_)

    def _read_blocks(self, d: int) -> None:
        blocks = () if self.blocks is None else tuple((name, tuple(shape)) for name, shape in self.blocks)
        sizes = [prod(shape) for _, shape in blocks]
        if blocks and sum(sizes) != d:
            raise InvalidInputError(
                f"The 'blocks' parameter of GNN must describe the {d} columns of X. Got {blocks!r}, "
                f"which are {sum(sizes)}."
            )
        shapes = dict(blocks)
        starts = dict(zip(shapes, np.cumsum([0, *sizes]).tolist(), strict=False))
        columns, self.n_nodes_ = np.arange(d), 1
        self.adjacency_columns_ = self.ops_columns_ = np.empty(0, dtype=np.int64)
        if {"adjacency", "ops"} <= set(shapes):
            adjacency, ops = shapes["adjacency"], shapes["ops"]
            if len(ops) != 2 or adjacency != (ops[0], ops[0]):
                raise InvalidInputError(
                    "The 'blocks' parameter of GNN must have 'adjacency' of shape (v, v) and 'ops' of shape (v, k). "
                    f"Got {adjacency} and {ops}."
                )
            self.n_nodes_ = ops[0]
            self.adjacency_columns_ = starts["adjacency"] + np.arange(prod(adjacency))
            self.ops_columns_ = starts["ops"] + np.arange(prod(ops))
        self.other_columns_ = np.setdiff1d(columns, np.r_[self.adjacency_columns_, self.ops_columns_])

    def _graphs(self, X: FloatArray) -> Graphs:
        """Mean over predecessors above mean over successors (n, 2v, v), node features (n, v, k), presence (n, v, 1)."""
        n, v = len(X), self.n_nodes_
        other = (X[:, self.other_columns_] - self.x_mean_) / self.x_scale_
        nodes = np.broadcast_to(other[:, None, :], (n, v, other.shape[1]))
        present, adjacency = np.ones((n, v)), np.zeros((n, v, v))
        if len(self.ops_columns_):
            ops = X[:, self.ops_columns_].reshape(n, v, -1)
            present = np.asarray(ops.any(axis=2), dtype=np.float64)
            nodes = np.concatenate([ops, nodes * present[:, :, None]], axis=2)
            adjacency = X[:, self.adjacency_columns_].reshape(n, v, v) * present[:, :, None] * present[:, None, :]
        passes = np.concatenate([adjacency.transpose(0, 2, 1), adjacency], axis=1)
        passes = passes / np.maximum(passes.sum(axis=2, keepdims=True), 1)
        return _single(passes), _single(nodes), _single(present[:, :, None])

    def _initial(self, generator: torch.Generator, k: int) -> Tensors:
        m, h = self.n_members, self.hidden

        def new(inputs: int, outputs: int) -> torch.Tensor:
            return stacked(generator, m, inputs, outputs, torch.float32)

        # One label of k is on, so a row of the embedding is a node's state and has variance 1 by itself.
        weights = {"embed": new(k, h) * (k**0.5 if len(self.ops_columns_) else 1)}
        for layer in range(self.n_layers):
            weights[f"layer{layer}"] = 3**0.5 * new(3 * h, h)
            weights[f"bias{layer}"] = torch.zeros(m, 1, h)
        weights |= {"gate": new(h, h), "gate_bias": torch.zeros(m, 1, h), "value": new(h, h)}
        return weights | {"readout": new(2 * h, h), "readout_bias": torch.zeros(m, 1, h), "score": new(h, 1)}

    def _raw_scores(self, X: FloatArray) -> FloatArray:
        """(n_members, n) scores on each member's own scale."""
        weights = {name: torch.from_numpy(array) for name, array in self.weights_.items()}
        n = len(X)
        scores = np.empty((self.n_members, n))
        with single_thread(), torch.no_grad():
            for start in range(0, n, _CHUNK):
                # Every chunk has the same shape: a row's score then cannot depend on the rows beside it.
                rows = np.minimum(np.arange(start, start + _CHUNK), n - 1)
                stop = min(start + _CHUNK, n)
                scores[:, start:stop] = _forward(weights, self._graphs(X[rows])).numpy()[:, : stop - start]
        return scores

    def _fit_map(self, scores: FloatArray, y: FloatArray) -> None:
        """Half least squares, half isotonic regression: increasing without ties, and as crooked as the targets ask."""
        order = np.lexsort((y, scores))
        self.knots_, first = np.unique(scores[order], return_index=True)
        counts = np.diff(np.r_[first, len(y)])
        means = np.add.reduceat(y[order], first) / counts
        self.heights_ = isotonic_regression(means, sample_weight=counts)
        centred = scores - scores.mean()
        slope = float(centred @ y) / max(float(centred @ centred), 1e-12)
        self.slope_ = max(slope, 0.01 * float(y.std()))
        self.offset_ = float(-self.slope_ * scores.mean())

    def _to_target(self, scores: FloatArray) -> FloatArray:
        straight = self.slope_ * scores + self.offset_
        target: FloatArray = (straight + np.interp(scores, self.knots_, self.heights_)) / 2
        return target


def _single(array: FloatArray) -> torch.Tensor:
    return torch.from_numpy(array.astype(np.float32))


def _forward(weights: Tensors, graphs: Graphs) -> torch.Tensor:
    """A batch of n graphs -> scores (n_members, n)."""
    passes, nodes, present = graphs
    n, v, k = nodes.shape
    m, _, h = weights["embed"].shape
    mask = present.reshape(n * v, 1)
    H = nodes.reshape(n * v, k) @ weights["embed"]
    for layer in range(sum(name.startswith("layer") for name in weights)):
        Z = layer_norm(H, (h,))
        side_by_side = Z.view(m, n, v, h).permute(1, 2, 0, 3).reshape(n, v, m * h)
        messages = torch.bmm(passes, side_by_side).view(n, 2, v, m, h).permute(3, 0, 2, 1, 4)
        joined = torch.cat([Z, messages.reshape(m, n * v, 2 * h)], dim=2)
        H = (H + silu(torch.baddbmm(weights[f"bias{layer}"], joined, weights[f"layer{layer}"]))) * mask
    gate = torch.sigmoid(torch.baddbmm(weights["gate_bias"], H, weights["gate"]))
    summed = (gate * torch.bmm(H, weights["value"])).view(m, n, v, h).sum(dim=2) / v**0.5
    output = layer_norm(H.view(m, n, v, h)[:, :, -1], (h,))
    readout = torch.baddbmm(weights["readout_bias"], torch.cat([output, summed], dim=2), weights["readout"])
    return torch.bmm(silu(readout), weights["score"])[..., 0]


def _rank_loss(scores: torch.Tensor, y: torch.Tensor, trains: torch.Tensor) -> torch.Tensor:
    """Mean over the pairs with different targets of log(1 + exp(-difference of scores)), summed over members."""
    better = (y[:, None] > y[None, :]) * trains[:, :, None] * trains[:, None, :]
    losses = softplus(scores[:, None, :] - scores[:, :, None])
    return (better * losses).sum() / better.sum(dim=(1, 2)).mean().clamp(min=1)


def _squared_loss(scores: torch.Tensor, y: torch.Tensor, trains: torch.Tensor) -> torch.Tensor:
    return (trains * (scores - y) ** 2).sum() / len(y)


_LOSSES = {"rank": _rank_loss, "mse": _squared_loss}
