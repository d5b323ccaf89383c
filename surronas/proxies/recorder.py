"""What a network computes on its way, seen without changing it and whether or not its layers are modules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

__all__ = ["Recorder"]

_GATES = {  # elementwise, and linear or nearly so on either side of zero
    *(F.relu, F.relu_, F.relu6, F.leaky_relu, F.leaky_relu_, F.elu, F.elu_, F.gelu, F.silu, F.hardswish, F.mish),
    *(torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, F.prelu),
}
LINEAR = {F.linear, F.conv1d, F.conv2d, F.conv3d}
NORMS = {F.batch_norm, torch.batch_norm}
_POOLS = {F.adaptive_avg_pool2d, torch.mean, Tensor.mean}


class Recorder(TorchFunctionMode):
    """Listens to the functions of torch that a network calls, be they called by modules or not.

    Parameters
    ----------
    gate : callable, optional
        Given the input of each activation of ReLU's family.
    linear : callable, optional
        Given weight and output of each convolution and linear layer.
    pool : callable, optional
        Given the input of each pooling of whole maps.
    without_norms : bool, default=False
        Whether batch norms return what they read.

    Nothing happens in place while it listens, so that what it hears stays as it was.
    """

    def __init__(
        self,
        *,
        gate: Callable[[Tensor], None] | None = None,
        linear: Callable[[Tensor, Tensor], None] | None = None,
        pool: Callable[[Tensor], None] | None = None,
        without_norms: bool = False,
    ) -> None:
        super().__init__()
        self.gate, self.linear, self.pool, self.without_norms = gate, linear, pool, without_norms

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if kwargs.get("inplace"):
            kwargs["inplace"] = False
        if func in _GATES:
            if self.gate:
                self.gate(args[0])
        elif func in _POOLS and self.pool and isinstance(args[0], Tensor) and args[0].ndim == 4:
            self.pool(args[0])
        elif func in NORMS and self.without_norms:
            return args[0]
        result = _NOT_IN_PLACE.get(func, func)(*args, **kwargs)
        if func in LINEAR and self.linear:
            self.linear(args[1] if len(args) > 1 else kwargs["weight"], result)
        return result


_NOT_IN_PLACE = {
    F.relu_: F.relu,
    F.leaky_relu_: F.leaky_relu,
    F.elu_: F.elu,
    torch.relu_: torch.relu,
    Tensor.relu_: Tensor.relu,
    Tensor.__iadd__: Tensor.__add__,
    Tensor.__isub__: Tensor.__sub__,
    Tensor.__imul__: Tensor.__mul__,
}
