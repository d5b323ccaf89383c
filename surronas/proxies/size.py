"""Proxies that need no image: how large a network is."""

from __future__ import annotations

from math import prod

import torch

from surronas.proxies.probe import Probe
from surronas.proxies.recorder import Recorder
from surronas.proxies.registry import register_proxy

__all__: list[str] = []


@register_proxy("params")
def params(probe: Probe) -> float:
    """Trainable parameters."""
    return float(sum(part.numel() for part in probe.network.parameters() if part.requires_grad))


@register_proxy("madds")
def madds(probe: Probe) -> float:
    """Multiply-adds of convolutions and linear layers for one image."""
    total = 0

    def count(weight: torch.Tensor, output: torch.Tensor) -> None:
        nonlocal total
        total += prod(weight.shape[1:]) * output.numel()

    with torch.no_grad(), Recorder(linear=count):
        probe.network(probe.images[:2])  # a batch norm needs two values
    return total / 2


@register_proxy("layers")
def layers(probe: Probe) -> float:
    """Trainable layers: weights of two or more dimensions, that is convolutions, linear layers, embeddings."""
    return float(len(probe.weights))


@register_proxy("l2_norm")
def l2_norm(probe: Probe) -> float:
    """Sum of the Euclidean norms of the weights (Abdelfattah et al., 2021, arXiv:2101.08134)."""
    with torch.no_grad():
        return float(sum(part.norm() for part in probe.weights.values()))
