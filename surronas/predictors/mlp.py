"""An ensemble of small multilayer perceptrons."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.functional import silu

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


@register_predictor("mlp")
class MLP(Predictor):
    """Deep ensemble: two hidden layers and a linear path on standardised features, squared error.

    Each member trains without one fold of the rows; the standard deviation joins the members' spread and
    the residuals on those folds. All members train as one batched computation in double precision.

    Parameters
    ----------
    n_members : int, default=5
    hidden : int, default=64
        Width of both hidden layers.
    steps : int, default=200
        Gradient steps of AdamW, on batches of at most 128 rows.
    learning_rate : float, default=5e-3
    weight_decay : float, default=0.1
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    weights_ : dict of str to float64 array
        Stacked weights, the member first.

    References
    ----------
    Lakshminarayanan et al. (2017), Simple and scalable predictive uncertainty estimation using deep ensembles.
    """

    tunable = {
        "hidden": {"low": 16, "high": 256, "log": True},
        "steps": {"low": 100, "high": 800, "log": True},
        "learning_rate": {"low": 1e-3, "high": 3e-2, "log": True},
        "weight_decay": {"low": 1e-3, "high": 1.0, "log": True},
    }

    def __init__(
        self,
        n_members: int = 5,
        hidden: int = 64,
        steps: int = 200,
        learning_rate: float = 5e-3,
        weight_decay: float = 0.1,
        random_state: Any = None,
    ) -> None:
        self.n_members = n_members
        self.hidden = hidden
        self.steps = steps
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        (n, d), m, h = X.shape, self.n_members, self.hidden
        self.x_mean_ = X.mean(axis=0)
        scale = X.std(axis=0)
        self.x_scale_ = np.where(scale > 1e-12 * np.maximum(1, np.abs(self.x_mean_)), scale, 1.0)
        generator = new_generator(self.random_state)
        fold = split_folds(n, m, generator)
        inputs, targets = torch.from_numpy(self._standardise(X)), torch.from_numpy(y)
        trains = torch.from_numpy(fold != np.arange(m)[:, None])

        def loss(weights: Tensors, rows: torch.Tensor) -> torch.Tensor:
            errors = (_forward(weights, inputs[rows]) - targets[rows]) ** 2
            return (errors * trains[:, rows]).sum() / len(rows)

        double = torch.float64
        weights = {
            "hidden1": stacked(generator, m, d, h, double),
            "bias1": 0.5 * stacked(generator, m, 1, h, double),
            "hidden2": stacked(generator, m, h, h, double),
            "bias2": torch.zeros(m, 1, h, dtype=double),
            "output": stacked(generator, m, h, 1, double),
            "linear": torch.zeros(m, d, 1, dtype=double),
            "offset": torch.zeros(m, 1, 1, dtype=double),
        }
        with single_thread():
            self.weights_ = train(weights, loss, n, generator, self.steps, 128, self.learning_rate, self.weight_decay)
        members = self._members(X)
        self.noise_ = residual_variance(y - members[fold, np.arange(n)], members.std(axis=0)) ** 0.5

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        members = self._members(X)
        return members.mean(axis=0), np.hypot(members.std(axis=0), self.noise_)

    def _standardise(self, X: FloatArray) -> FloatArray:
        standardised: FloatArray = (X - self.x_mean_) / self.x_scale_
        return standardised

    def _members(self, X: FloatArray) -> FloatArray:
        """(n_members, n) predictions of each member."""
        weights = {name: torch.from_numpy(array) for name, array in self.weights_.items()}
        parts = np.split(self._standardise(X), range(1024, len(X), 1024))
        with single_thread(), torch.no_grad():
            return np.concatenate([_forward(weights, torch.from_numpy(part)).numpy() for part in parts], axis=1)


def _forward(weights: Tensors, X: torch.Tensor) -> torch.Tensor:
    """(n, d) features -> (n_members, n)."""
    H = silu(X @ weights["hidden1"] + weights["bias1"])
    H = silu(H @ weights["hidden2"] + weights["bias2"])
    return (H @ weights["output"] + X @ weights["linear"] + weights["offset"])[..., 0]
