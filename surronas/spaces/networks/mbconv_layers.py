"""Layers that compute in the dtype of what they read, whatever the dtype of their weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Conv2d", "ConvNorm"]


class _LazilyInitialised:
    """On the meta device nothing is initialised; torch takes longer over that than over the rest of a network."""

    weight: Any

    def reset_parameters(self) -> None:
        if not self.weight.is_meta:
            super().reset_parameters()  # type: ignore[misc]


class BatchNorm2d(_LazilyInitialised, nn.BatchNorm2d):
    """Torch's batch norm, lazily initialised."""


class Conv2d(_LazilyInitialised, nn.Conv2d):
    """A convolution whose weights are cast to the dtype of its input, so that float32 weights train in bfloat16."""

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.to(x.dtype)
        depthwise = self.groups == self.in_channels == self.out_channels > 1 and self.bias is None
        if depthwise and x.dtype == torch.bfloat16 and torch.is_grad_enabled():
            return _Depthwise.apply(x, weight, self.stride, self.padding)  # type: ignore[no-any-return, no-untyped-call]
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm, activation."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        activation: type[nn.ReLU | nn.Hardswish] | None = None,
    ) -> None:
        super().__init__()
        self.conv = Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = BatchNorm2d(c_out)
        self.activation = activation(inplace=True) if activation else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.conv(x)))  # type: ignore[no-any-return]


class _Depthwise(torch.autograd.Function):
    """A depthwise convolution in bfloat16 with a fast gradient.

    oneDNN has no bfloat16 kernel for the gradient of depthwise weights (and, with a stride, of its input), and takes
    5 to 50 times as long as in float32. The gradient of a *dense* convolution in groups of 16 channels holds the
    depthwise one in its diagonals, and has one. ``benchmarks/supernet_speed.py`` measures it.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = stride, padding
        return F.conv2d(x, weight, None, stride, padding, groups=x.shape[1])

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        stride, padding = ctx.geometry
        (grad,) = grad_outputs
        channels, _, *kernel = weight.shape
        of_input = of_weight = None

        def backward(grad: Tensor, x: Tensor, weight: Tensor, groups: int, of: str) -> Tensor:
            wanted = [of == "input", of == "weight", False]
            gradients = torch.ops.aten.convolution_backward(
                grad, x, weight, None, stride, padding, (1, 1), False, (0, 0), groups, wanted
            )
            return gradients[wanted.index(True)]  # type: ignore[no-any-return]

        if ctx.needs_input_grad[0] and stride == (1, 1):
            of_input = backward(grad, x, weight, channels, "input")
        elif ctx.needs_input_grad[0]:
            of_input = backward(grad.float(), x.float(), weight.float(), channels, "input").to(x.dtype)
        if ctx.needs_input_grad[1]:
            width = 16 if channels % 16 == 0 else 8 if channels % 8 == 0 else 1
            groups = channels // width
            dense = backward(grad, x, weight.new_empty(channels, width, *kernel), groups, "weight")
            diagonals = dense.view(groups, width, width, *kernel).diagonal(dim1=1, dim2=2)
            of_weight = diagonals.permute(0, 3, 1, 2).reshape(weight.shape)
        return of_input, of_weight, None, None
