"""VKDNW."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from surronas.proxies.probe import NotApplicable, Probe
from surronas.proxies.recorder import LINEAR
from surronas.proxies.registry import register_proxy

__all__: list[str] = []

_ROWS = 160


@register_proxy("vkdnw")
def vkdnw(probe: Probe) -> float:
    """Trainable layers plus the entropy of the Fisher information (Tybl and Neumann, 2025, VKDNW, arXiv:2502.04975).

    The matrix is that of one weight a layer, the first; the entropy is that of its eigenvalues' deciles, as shares of
    their sum. From as many images as make 160 rows of (image, class), whose statistics batch norms use as constants.
    """
    n_classes = probe.logits.shape[1]
    images = probe.images[: max(1, _ROWS // n_classes)]
    with torch.enable_grad(), _Taps(len(images)) as taps:
        logits = probe.network(images)
        jacobian = torch.stack([_gradients(logits[:, c], taps.steps) for c in range(n_classes)], dim=1)
    p = logits.detach().double().softmax(dim=1)
    covariance = p.diag_embed() - p[:, :, None] * p[:, None, :]
    fisher = torch.einsum("ncs,ncd,ndt->st", jacobian, covariance, jacobian) / len(images)
    deciles = torch.linalg.eigvalsh(fisher).quantile(torch.arange(1, 10, dtype=fisher.dtype) / 10).clamp(min=0)
    if not deciles.sum() > 0:
        raise NotApplicable("the Fisher information of its weights is nought")
    return len(probe.weights) + float(torch.special.entr(deciles / deciles.sum()).sum())


def _gradients(outputs: Tensor, steps: list[Tensor]) -> Tensor:
    found = torch.autograd.grad(outputs.sum(), steps, retain_graph=True, allow_unused=True)
    return torch.stack([torch.zeros_like(s) if g is None else g for g, s in zip(found, steps, strict=True)], 1).double()


class _Taps(TorchFunctionMode):
    """Adds to the first weight of each convolution and linear layer, for each image, a step of length nought.

    So that the gradient by the steps is that by the weight, image by image, and costs no more than one by the input.
    """

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n, self.steps = n, list[Tensor]()

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.batch_norm:
            return _of_constants(*args, **kwargs)
        result = func(*args, **kwargs)
        if func not in LINEAR or len(args) < 2:
            return result
        x, weight = args[0].detach(), args[1]  # what a step of nought adds has no gradient by x
        step = torch.zeros(self.n, requires_grad=True, dtype=result.dtype)
        self.steps.append(step)
        if func is F.linear:
            return result + step.view(-1, *[1] * (x.ndim - 1)) * x[..., :1] * _first(result.shape[-1], result)
        unit = torch.zeros_like(weight[:1, :1])
        unit.view(-1)[0] = 1
        options = dict(zip(("stride", "padding", "dilation"), args[3:6], strict=False)) | kwargs
        options = {name: value for name, value in options.items() if name not in ("bias", "groups")}
        change = step.view(-1, *[1] * (x.ndim - 1)) * func(x[:, :1], unit, **options)
        return result + change * _first(result.shape[1], result).view(-1, *[1] * (x.ndim - 2))


def _first(n: int, like: Tensor) -> Tensor:
    unit = like.new_zeros(n)
    unit[0] = 1
    return unit


def _of_constants(x: Tensor, mean: Any, var: Any, weight: Any = None, bias: Any = None, *_: Any, **__: Any) -> Tensor:
    """Batch norm as in evaluation, with the batch's statistics: images do not depend on each other."""
    var, mean = torch.var_mean(x.detach().transpose(0, 1).flatten(1), dim=1, correction=0)
    return F.batch_norm(x, mean, var, weight, bias)
