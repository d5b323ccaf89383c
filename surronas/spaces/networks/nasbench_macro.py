"""The networks of NAS-Bench-Macro."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from surronas.spaces.networks.layers import InvertedResidual, Network, conv_norm

__all__ = ["build"]

_BLOCKS = {"mb3_k3": (3, 3), "mb6_k5": (6, 5)}  # expansion, kernel


def build(
    stages: Sequence[Sequence[str]], stem: int, head: int, num_classes: int, in_channels: int, resolution: int
) -> Network:
    """The network of a sequence of blocks; the first of a stage halves the resolution and doubles the channels."""
    layers: list[nn.Module] = [conv_norm(in_channels, stem, 3, activation=nn.ReLU)]
    c = stem
    for blocks in stages:
        layers.append(_block(blocks[0], c, 2 * c, 2))
        c *= 2
        layers += [_block(block, c, c, 1) for block in blocks[1:] if block != "identity"]
    layers.append(conv_norm(c, head, 1, activation=nn.ReLU))
    return Network(nn.Sequential(*layers), head, num_classes, resolution)


def _block(block: str, c_in: int, c_out: int, stride: int) -> nn.Module:
    if block == "identity":
        return conv_norm(c_in, c_out, 1, stride)
    expand, kernel = _BLOCKS[block]
    return InvertedResidual(c_in, expand * c_in, c_out, kernel, stride, nn.ReLU)
