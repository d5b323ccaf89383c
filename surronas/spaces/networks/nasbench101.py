"""The networks of NAS-Bench-101."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from surronas.spaces.networks.layers import Network, conv_norm

__all__ = ["build"]


def build(
    edges: NDArray[np.bool_],
    ops: Sequence[str],
    inner: Sequence[Sequence[int]],
    channels: int,
    modules: int,
    num_classes: int,
    in_channels: int,
    resolution: int,
) -> Network:
    """The network of a cell.

    Parameters
    ----------
    edges : (7, 7) bool
    ops : five operations of the inner nodes
    inner : sequence of five int, one a stack
        Channels of the inner nodes.
    channels : int
        Those of the first stack; each later one has twice those before it.
    """
    layers: list[nn.Module] = [conv_norm(in_channels, channels, 3, activation=nn.ReLU)]
    c_in = c = channels
    for stack, widths in enumerate(inner):
        if stack:
            layers.append(nn.MaxPool2d(2))
            c *= 2
        for _ in range(modules):
            layers.append(_Module(edges, ops, widths, c_in, c))
            c_in = c
    return Network(nn.Sequential(*layers), c, num_classes, resolution)


class _Module(nn.Module):
    """Inner nodes read the sum of what feeds them, cut to their channels; the output joins nodes and adds the input."""

    def __init__(
        self, edges: NDArray[np.bool_], ops: Sequence[str], inner: Sequence[int], c_in: int, c_out: int
    ) -> None:
        super().__init__()
        last = len(edges) - 1
        self.widths = {node: int(width) for node, width in enumerate(inner, start=1)} | {last: c_out}
        used = [node for node in range(1, last) if edges[node].any()]
        self.sources = {node: [start for start in used if edges[start, node]] for node in (*used, last)}
        reading = [node for node in self.sources if edges[0, node]]
        self.projections = nn.ModuleDict(
            {str(node): conv_norm(c_in, self.widths[node], 1, activation=nn.ReLU) for node in reading}
        )
        self.operations = nn.ModuleDict({str(node): _operation(ops[node - 1], self.widths[node]) for node in used})

    def forward(self, x: Tensor) -> Tensor:
        nodes: dict[int, Tensor] = {}
        *inner, last = self.sources
        for node in inner:
            read = [nodes[start][:, : self.widths[node]] for start in self.sources[node]]
            nodes[node] = self.operations[str(node)](self._with_input(node, x, read))
        joined = [torch.cat([nodes[start] for start in self.sources[last]], dim=1)] if self.sources[last] else []
        return self._with_input(last, x, joined)

    def _with_input(self, node: int, x: Tensor, read: list[Tensor]) -> Tensor:
        if str(node) in self.projections:
            read = [*read, self.projections[str(node)](x)]
        return sum(read[1:], start=read[0])


def _operation(op: str, channels: int) -> nn.Module:
    if op == "maxpool3x3":
        return nn.MaxPool2d(3, stride=1, padding=1)
    return conv_norm(channels, channels, {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1}[op], activation=nn.ReLU)
