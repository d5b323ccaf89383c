"""What the neural predictors share: ensembles trained as one batched computation, one fold left out by each member.

Weights of all members are stacked along the first axis, so that one batched product serves the ensemble.
Learned weights leave as numpy arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state

Tensors = dict[str, torch.Tensor]
Weights = dict[str, NDArray[np.floating[Any]]]


def new_generator(random_state: Any) -> torch.Generator:
    """A generator of its own, so that torch's global one is left alone."""
    return torch.Generator().manual_seed(int(check_random_state(random_state).randint(2**31 - 1)))


def stacked(generator: torch.Generator, members: int, inputs: int, outputs: int, dtype: torch.dtype) -> torch.Tensor:
    """(members, inputs, outputs) weights that keep the variance of standardised inputs."""
    return torch.randn(members, inputs, outputs, generator=generator, dtype=dtype).div_(max(inputs, 1) ** 0.5)


def split_folds(n: int, members: int, generator: torch.Generator) -> NDArray[np.int64]:
    """(n,) int: the member that does not train on the row."""
    return np.asarray(torch.randperm(n, generator=generator) % members, dtype=np.int64)


def train(
    weights: Tensors,
    loss: Callable[[Tensors, torch.Tensor], torch.Tensor],
    n: int,
    generator: torch.Generator,
    steps: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
) -> Weights:
    """Minimise ``loss(weights, rows)`` over random batches: AdamW, ten steps of warm-up, then a cosine to zero."""
    for tensor in weights.values():
        tensor.requires_grad_(True)
    optimizer = torch.optim.AdamW(weights.values(), lr=learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 10) * 0.5 * (1 + np.cos(np.pi * step / steps))
    )
    for _ in range(steps):
        optimizer.zero_grad()
        loss(weights, torch.randperm(n, generator=generator)[:batch_size]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return {name: tensor.detach().numpy() for name, tensor in weights.items()}


def residual_variance(residuals: NDArray[Any], spread: NDArray[Any]) -> float:
    """Variance left once the members' own spread is counted, from residuals of members that did not see the row."""
    total = float(np.mean(residuals**2))
    return max(total - float(np.mean(spread**2)), 0.1 * total)
