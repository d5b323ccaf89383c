"""Zen-score."""

from __future__ import annotations

import copy

import torch
from torch import nn

from surronas.proxies.probe import NotApplicable, Probe
from surronas.proxies.recorder import Recorder
from surronas.proxies.registry import register_proxy

__all__: list[str] = []

_GAMMA = 1e-2
_IMAGES = 16


@register_proxy("zen")
def zen(probe: Probe) -> float:
    """How far features move with pixels, batch norms' scales added back (Lin et al., 2021, Zen-NAS, arXiv:2102.01063).

    Weights and images are standard normal; the features are those before the global pooling. One draw of 16 images, the
    paper's batch.
    """
    network = copy.deepcopy(probe.network)
    norms = [part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        raise NotApplicable("the network has no batch norm, whose scales the score consists of")
    generator = probe.generator
    for part in network.modules():
        weight = getattr(part, "weight", None)
        if isinstance(weight, nn.Parameter):
            with torch.no_grad():
                weight.normal_(generator=generator) if weight.ndim > 1 else weight.fill_(1.0)
                bias = getattr(part, "bias", None)
                if isinstance(bias, nn.Parameter):
                    bias.zero_()
    for norm in norms:
        norm.momentum = 1.0  # the variances of the batch at hand
    shape = (_IMAGES, *probe.images.shape[1:])
    x, y = (
        torch.randn(shape, generator=generator, dtype=probe.images.dtype).contiguous(memory_format=torch.channels_last)
        for _ in range(2)
    )
    features = [_before_pooling(network, images) for images in (x, x + _GAMMA * y)]
    moved = (features[0] - features[1]).abs().flatten(1).sum(1).mean()
    scales = sum(float(norm.running_var.mean().log()) / 2 for norm in norms if norm.running_var is not None)
    return float(moved.log()) + scales


@torch.no_grad()
def _before_pooling(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    heard: list[torch.Tensor] = []
    with Recorder(pool=heard.append):
        network(images)
    if not heard:
        raise NotApplicable("the network has no pooling of whole maps, before which features are read")
    return heard[-1]
