"""Networks as they are deployed: no batch norm left."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from surronas.spaces.networks.mbconv_layers import ConvNorm

__all__ = ["deployed", "fold"]


@torch.no_grad()
def fold(network: nn.Module) -> None:
    """Multiply the batch norm of every ``ConvNorm`` into its convolution, in place.

    The network, left in evaluation mode, computes the same function up to rounding. Other modules stay as they are.
    """
    network.eval()
    for part in list(network.modules()):
        if isinstance(part, ConvNorm) and isinstance(part.norm, nn.BatchNorm2d):
            part.conv = fuse_conv_bn_eval(part.conv, part.norm)
            part.norm = nn.Identity().eval()  # type: ignore[assignment]


def deployed(network: nn.Module) -> nn.Module:
    """A copy in float32 and evaluation mode, batch norms folded, weights channels last."""
    copy = deepcopy(network).float()
    fold(copy)
    return copy.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
