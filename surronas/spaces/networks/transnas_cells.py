"""The networks of TransNAS-Bench-101's cells, for its classification tasks."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from surronas.spaces._transnasbench101 import STEM
from surronas.spaces.networks.layers import FactorizedReduce, Network, cell_of_ops, conv_norm, relu_conv_norm

__all__ = ["build"]


def build(ops: Sequence[str], modules: str, num_classes: int, in_channels: int, resolution: int) -> Network:
    """The network of a cell, twice in each module; a 4 doubles the channels and halves the resolution before.

    Weights are initialised as the benchmark's authors do (He et al., 2015, by the outputs).
    """
    c = STEM
    stem = nn.Sequential(conv_norm(in_channels, c // 2, 3, stride=2), relu_conv_norm(c // 2, c, 3, stride=2))
    layers: list[nn.Module] = [stem]
    for module in modules:
        c_out, stride = (2 * c, 2) if module == "4" else (c, 1)
        layers.append(cell_of_ops(ops, c, c_out, stride, _operation))
        layers.append(cell_of_ops(ops, c_out, c_out, 1, _operation))
        c = c_out
    network = Network(nn.Sequential(*layers), c, num_classes, resolution)
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
    return network


def _operation(op: str, c_in: int, c_out: int, stride: int) -> nn.Module:
    if op == "skip_connect":
        return nn.Identity() if stride == 1 and c_in == c_out else FactorizedReduce(c_in, c_out)
    return relu_conv_norm(c_in, c_out, {"nor_conv_1x1": 1, "nor_conv_3x3": 3}[op], stride)
