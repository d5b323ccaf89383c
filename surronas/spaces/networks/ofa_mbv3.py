"""The subnets of the once-for-all MobileNetV3, as networks of their own."""

from __future__ import annotations

from itertools import product

import numpy as np
from torch import nn

from surronas.spaces.base import IntArray
from surronas.spaces.networks.layers import InvertedResidual, Network, conv_norm
from surronas.spaces.ofa_cost import SQUEEZED, Shapes, divisible
from surronas.spaces.ofa_notations import LAYERS, STAGES

__all__ = ["build"]

_ACTIVATIONS = (nn.ReLU, nn.ReLU, nn.Hardswish, nn.Hardswish, nn.Hardswish)  # of the stages


def build(c: IntArray, num_classes: int, in_channels: int, resolution: int | None) -> Network:
    """The network of one canonical genotype, at its own resolution unless another one is given."""
    at = Shapes(c[None])
    stem, last, expanded, width = (int(each[0]) for each in (at.stem, at.last, at.expanded, at.features))
    layers: list[nn.Module] = [
        conv_norm(in_channels, stem, 3, stride=2, activation=nn.Hardswish),
        InvertedResidual(stem, stem, stem, 3, 1, nn.ReLU, expand=False),
    ]
    layers += [_block(at, *place) for place in product(range(STAGES), range(LAYERS)) if at.kept[0][place]]
    layers.append(conv_norm(last, expanded, 1, activation=nn.Hardswish))
    head = nn.Sequential(nn.Conv2d(expanded, width, 1, bias=False), nn.Hardswish())
    return Network(nn.Sequential(*layers), width, num_classes, resolution or int(at.resolution[0]), head)


def _block(at: Shapes, stage: int, layer: int) -> InvertedResidual:
    c_in, c_out = int(at.c_in[0, stage, layer]), int(at.c_out[0, stage, 0])
    kernel, stride = int(at.kernel[0, stage, layer]), int(at.stride[stage, layer])
    middle = int(divisible(c_in * at.expand[0, stage, layer]))
    squeeze = int(divisible(np.array(middle // 4))) if SQUEEZED[stage] else 0
    return InvertedResidual(c_in, middle, c_out, kernel, stride, _ACTIVATIONS[stage], squeeze)
