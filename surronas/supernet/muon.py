"""SGD whose steps are equally long in all directions of a matrix."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["Muon"]


class Muon(torch.optim.Optimizer):
    """SGD with Nesterov momentum that orthogonalises the updates of matrices (Jordan et al., 2024).

    See https://kellerjordan.github.io/posts/muon. A convolution's weight is the matrix (out, in * k * k). What few
    subnets use has small gradients next to what all use; here it learns as fast.

    Parameters
    ----------
    groups : iterable of dict
        As any optimizer of torch takes them: with ``lr``, ``weight_decay`` (0; decoupled: weights shrink by ``lr *
        weight_decay`` a step) and ``orthogonal`` (False), whether its parameters are such matrices.
    momentum : float
    dtype : torch.dtype, default=torch.float32
        To orthogonalise in; bfloat16 is precise enough.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], momentum: float, dtype: torch.dtype = torch.float32) -> None:
        defaults = {"lr": 0.0, "weight_decay": 0.0, "orthogonal": False}
        super().__init__(groups, defaults | {"momentum": momentum, "dtype": dtype})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Change the parameters that have a gradient."""
        for group in self.param_groups:
            momentum = group["momentum"]
            for part in group["params"]:
                if part.grad is None:
                    continue
                state = self.state[part]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(part)
                update = part.grad.add(state["momentum_buffer"].mul_(momentum).add_(part.grad), alpha=momentum)
                if group["orthogonal"]:
                    update = _orthogonalised(update.flatten(1).to(group["dtype"])).view_as(part)
                part.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-group["lr"])


def _orthogonalised(matrix: Tensor) -> Tensor:
    """Its singular values made about 1, times sqrt(rows / columns) of a tall one.

    Jordan's Newton-Schulz iteration: five steps of an odd polynomial, which brings them between .7 and 1.2.
    """
    rows, columns = matrix.shape
    x = matrix if rows <= columns else matrix.T
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    result: Tensor = x if rows <= columns else x.T * (rows / columns) ** 0.5
    return result.float()
