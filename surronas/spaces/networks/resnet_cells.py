"""The networks of NAS-Bench-201 and of NATS-Bench's sizes: cells between residual blocks."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from surronas.spaces.networks.layers import Network, Residual, cell_of_ops, conv_norm, relu_conv_norm

__all__ = ["build", "head", "operation", "reduction", "stem"]


def build(
    ops: Sequence[str],
    stages: Sequence[Sequence[int]],
    between: Sequence[int],
    num_classes: int,
    in_channels: int,
    resolution: int,
) -> Network:
    """The network of a cell.

    Parameters
    ----------
    ops : sequence of str
        On the six edges; ``"none"`` where there is none.
    stages : sequence of sequence of int
        The channels that the cells of each stage give.
    between : sequence of int
        Those that the residual blocks between the stages give.
    """
    c = stages[0][0]
    layers: list[nn.Module] = [stem(in_channels, c)]
    for stage, widths in enumerate(stages):
        if stage:
            layers.append(reduction(c, between[stage - 1]))
            c = between[stage - 1]
        for width in widths:
            layers.append(cell_of_ops(ops, c, width, 1, operation))
            c = width
    layers.append(nn.Sequential(nn.BatchNorm2d(c), nn.ReLU()))
    return Network(nn.Sequential(*layers), c, num_classes, resolution)


def operation(op: str, c_in: int, c_out: int, stride: int) -> nn.Module:
    if op == "skip_connect":
        return nn.Identity() if c_in == c_out else conv_norm(c_in, c_out, 1)
    if op == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
    return relu_conv_norm(c_in, c_out, {"nor_conv_1x1": 1, "nor_conv_3x3": 3}[op], stride)


def reduction(c_in: int, c_out: int) -> Residual:
    body = nn.Sequential(relu_conv_norm(c_in, c_out, 3, stride=2), relu_conv_norm(c_out, c_out, 3))
    return Residual(body, nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(c_in, c_out, 1, bias=False)))


def stem(c_in: int, c_out: int) -> nn.Module:
    return conv_norm(c_in, c_out, 3)


def head(c_in: int, num_classes: int) -> nn.Module:
    """What follows the last cell: normalisation, pooling, the classifier."""
    return nn.Sequential(
        nn.BatchNorm2d(c_in), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c_in, num_classes)
    )
