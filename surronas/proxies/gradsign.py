"""GradSign."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from surronas.proxies.probe import Probe
from surronas.proxies.registry import register_proxy

__all__: list[str] = []


@register_proxy("gradsign")
def gradsign(probe: Probe) -> float:
    """Weights whose gradients' signs images agree on (Zhang and Jia, 2022, GradSign, arXiv:2110.08616).

    The sum over weights of |sum over images of the sign of the loss's gradient|, for the first 16 images, each of which
    passes alone.
    """
    agreements: dict[str, torch.Tensor] = {}
    for logits, label in zip(probe.singles, probe.labels, strict=False):
        for name, gradient in probe.gradients_of(F.cross_entropy(logits, label[None])).items():
            agreements[name] = agreements.get(name, 0) + gradient.sign()
    return float(sum(signs.abs().sum() for signs in agreements.values()))
