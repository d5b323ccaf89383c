"""What the networks of several spaces consist of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from surronas.spaces._cells import EDGES

__all__ = [
    "Cell",
    "Edges",
    "FactorizedReduce",
    "InvertedResidual",
    "Network",
    "Residual",
    "Zero",
    "cell_of_ops",
    "conv_norm",
    "relu_conv_norm",
]


class Network(nn.Module):
    """Images to logits: features, global pooling, head, classifier.

    Parameters
    ----------
    features : nn.Module
        (n, in_channels, r, r) -> (n, c, h, w).
    width : int
        Channels that the classifier reads.
    num_classes : int
    resolution : int
        Side of the images that it is for; others do as well, where they are not too small.
    head : nn.Module, optional
        What lies between pooling and classifier, (n, c, 1, 1) -> (n, width, 1, 1).
    """

    def __init__(
        self, features: nn.Module, width: int, num_classes: int, resolution: int, head: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.resolution = resolution
        self.features = features
        self.head = nn.Identity() if head is None else head
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """(n, in_channels, r, r) float -> (n, num_classes) logits."""
        pooled = F.adaptive_avg_pool2d(self.features(images), 1)
        return self.classifier(self.head(pooled).flatten(1))  # type: ignore[no-any-return]


class Edges(nn.Module):
    """Operations between numbered nodes.

    Parameters
    ----------
    edges : mapping of (start, end) to nn.Module
    """

    def __init__(self, edges: Mapping[tuple[int, int], nn.Module]) -> None:
        super().__init__()
        self.places = sorted(edges, key=lambda edge: (edge[1], edge[0]))
        self.edges = nn.ModuleList([edges[place] for place in self.places])

    def sums(self, inputs: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """The inputs and all other nodes, each the sum of the operations that lead to it."""
        nodes = dict(inputs)
        for (start, end), operation in zip(self.places, self.edges, strict=True):
            value = operation(nodes[start])
            nodes[end] = nodes[end] + value if end in nodes else value
        return nodes


class Cell(Edges):
    """Nodes of which the first is the input and the last the output; every edge lies on a path between them."""

    def forward(self, x: Tensor) -> Tensor:
        nodes = self.sums({0: x})
        return nodes[max(nodes)]


def cell_of_ops(
    ops: Sequence[str], c_in: int, c_out: int, stride: int, operation: Callable[[str, int, int, int], nn.Module]
) -> Cell:
    """The cell of four nodes with these operations on its six edges, ``"none"`` where there is no edge.

    Those that read the input change channels and resolution; ``operation(op, c_in, c_out, stride)`` makes one.
    """
    edges = {
        (start, end): operation(op, c_out, c_out, 1) if start else operation(op, c_in, c_out, stride)
        for (start, end), op in zip(EDGES, ops, strict=True)
        if op != "none"
    }
    return Cell(edges or {(0, 3): Zero(c_out, stride)})


class Residual(nn.Module):
    """Body plus shortcut."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.shortcut = nn.Identity() if shortcut is None else shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.body(x)  # type: ignore[no-any-return]


class Zero(nn.Module):
    """Nothing, in the shape that an operation would give."""

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, x: Tensor) -> Tensor:
        n, _, *sides = x.shape
        return x.new_zeros(n, self.channels, *(-(-side // self.stride) for side in sides))


class FactorizedReduce(nn.Module):
    """ReLU, then half the resolution by two 1x1 convolutions, the second a pixel further (DARTS)."""

    def __init__(self, c_in: int, c_out: int, affine: bool = True) -> None:
        super().__init__()
        self.here = nn.Conv2d(c_in, c_out // 2, 1, stride=2, bias=False)
        self.there = nn.Conv2d(c_in, c_out - c_out // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(c_out, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        shifted = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        return self.norm(torch.cat([self.here(x), self.there(shifted)], dim=1))  # type: ignore[no-any-return]


class InvertedResidual(nn.Sequential):
    """1x1, depthwise, perhaps squeeze and excitation, 1x1 (Sandler et al., 2018; Howard et al., 2019).

    Parameters
    ----------
    c_in, middle, c_out, kernel, stride : int
    activation : type of nn.Module
    squeeze : int, default=0
        Channels of the squeeze; 0 for none.
    expand : bool, default=True
        Whether there is the first 1x1; without it ``middle`` is ``c_in``.
    """

    def __init__(
        self,
        c_in: int,
        middle: int,
        c_out: int,
        kernel: int,
        stride: int,
        activation: type[nn.Module],
        squeeze: int = 0,
        expand: bool = True,
    ) -> None:
        super().__init__()
        if expand:
            self.add_module("expand", conv_norm(c_in, middle, 1, activation=activation))
        self.add_module("depthwise", conv_norm(middle, middle, kernel, stride, groups=middle, activation=activation))
        if squeeze:
            self.add_module("excitation", _SqueezeExcitation(middle, squeeze))
        self.add_module("project", conv_norm(middle, c_out, 1))
        self.shortcut = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return x + y if self.shortcut else y


class _SqueezeExcitation(nn.Module):
    def __init__(self, channels: int, squeeze: int) -> None:
        super().__init__()
        self.squeeze, self.excite = nn.Conv2d(channels, squeeze, 1), nn.Conv2d(squeeze, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        means = F.adaptive_avg_pool2d(x, 1)
        return x * F.hardsigmoid(self.excite(F.relu(self.squeeze(means))))


def conv_norm(
    c_in: int,
    c_out: int,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    activation: type[nn.Module] | None = None,
) -> nn.Sequential:
    """Convolution without bias, batch norm, perhaps an activation."""
    layers = [nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(c_out)]
    return nn.Sequential(*layers, *([] if activation is None else [activation()]))


def relu_conv_norm(c_in: int, c_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """ReLU, convolution without bias, batch norm."""
    return nn.Sequential(nn.ReLU(), *conv_norm(c_in, c_out, kernel, stride))
