"""The networks of DARTS cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from surronas.spaces.networks.layers import Edges, FactorizedReduce, Network, conv_norm, relu_conv_norm

__all__ = ["build"]

Ops = Mapping[tuple[int, int], str]


def build(
    cells: tuple[Ops, Ops],
    channels: int,
    layers: int,
    affine: bool,
    num_classes: int,
    in_channels: int,
    resolution: int,
) -> Network:
    """The network of a normal and a reduction cell, each a mapping of (start, end) to an operation; no auxiliary head.

    Parameters
    ----------
    affine : bool
        Whether the batch norms of operations have parameters and poolings no batch norm.
    """
    return Network(_Features(cells, channels, layers, affine, in_channels), 16 * channels, num_classes, resolution)


class _Features(nn.Module):
    """Cells that read the outputs of the two before them."""

    def __init__(self, cells: tuple[Ops, Ops], channels: int, layers: int, affine: bool, in_channels: int) -> None:
        super().__init__()
        self.stem = conv_norm(in_channels, 3 * channels, 3)
        before, reduced = [3 * channels, 3 * channels], False
        self.cells = nn.ModuleList()
        for layer in range(layers):
            reduces = layer in (layers // 3, 2 * layers // 3)
            channels *= 1 + reduces
            self.cells.append(_Cell(cells[reduces], (before[0], before[1]), channels, reduces, reduced, affine))
            before, reduced = [before[1], 4 * channels], reduces

    def forward(self, images: Tensor) -> Tensor:
        before = after = self.stem(images)
        for cell in self.cells:
            before, after = after, cell(before, after)
        return after  # type: ignore[no-any-return]


class _Cell(Edges):
    def __init__(self, edges: Ops, c_in: tuple[int, int], c: int, reduces: bool, reduced: bool, affine: bool) -> None:
        first = FactorizedReduce(c_in[0], c) if reduced else relu_conv_norm(c_in[0], c, 1)
        second = relu_conv_norm(c_in[1], c, 1)
        super().__init__(
            {place: _operation(op, c, 2 if reduces and place[0] < 2 else 1, affine) for place, op in edges.items()}
        )
        self.inputs = nn.ModuleList([first, second])

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        nodes = self.sums({0: self.inputs[0](before), 1: self.inputs[1](after)})
        return torch.cat([nodes[end] for end in sorted(nodes) if end > 1], dim=1)


def _operation(op: str, c: int, stride: int, affine: bool) -> nn.Module:
    if op == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(c, c, affine)
    kind, _, size = op.rpartition("_")
    kernel = int(size[0])
    if kind in ("max_pool", "avg_pool"):
        pool: nn.Module = nn.MaxPool2d(3, stride, 1)
        if kind == "avg_pool":
            pool = nn.AvgPool2d(3, stride, 1, count_include_pad=False)
        return pool if affine else nn.Sequential(pool, nn.BatchNorm2d(c, affine=False))
    if kind == "dil_conv":
        return nn.Sequential(*_separable(c, kernel, stride, 2, affine))
    return nn.Sequential(*_separable(c, kernel, stride, 1, affine), *_separable(c, kernel, 1, 1, affine))


def _separable(c: int, kernel: int, stride: int, dilation: int, affine: bool) -> Sequence[nn.Module]:
    padding = dilation * (kernel // 2)
    return (
        nn.ReLU(),
        nn.Conv2d(c, c, kernel, stride, padding, dilation, groups=c, bias=False),
        nn.Conv2d(c, c, 1, bias=False),
        nn.BatchNorm2d(c, affine=affine),
    )
