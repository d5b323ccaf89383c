"""Proxies of the loss's gradient by the weights (Abdelfattah et al., 2021, arXiv:2101.08134).

That paper scores networks with what had been made to choose weights to prune; its sums are over whole networks.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from surronas.proxies.probe import Probe
from surronas.proxies.registry import register_proxy

__all__: list[str] = []


@register_proxy("grad_norm")
def grad_norm(probe: Probe) -> float:
    """Sum over layers of the norm of the loss's gradient (Abdelfattah et al., 2021, arXiv:2101.08134)."""
    return float(sum(gradient.detach().norm() for gradient in probe.gradients.values()))


@register_proxy("snip")
def snip(probe: Probe) -> float:
    """Sum of absolute weights times gradients: what removing each would change (Lee et al., 2019, arXiv:1810.02340)."""
    with torch.no_grad():
        return float(sum((probe.weights[name] * g).abs().sum() for name, g in probe.gradients.items()))


@register_proxy("plain")
def plain(probe: Probe) -> float:
    """Sum of weights times gradients, signs kept (Mozer and Smolensky, 1988; arXiv:2101.08134)."""
    with torch.no_grad():
        return float(sum((probe.weights[name] * g).sum() for name, g in probe.gradients.items()))


@register_proxy("grasp")
def grasp(probe: Probe) -> float:
    """Sum of -w * Hg: how removing weights changes the gradient's flow (Wang et al., 2020, arXiv:2002.07376).

    That is minus half of what |g|^2 gains as all weights grow together, by a difference quotient: growing weights turn
    no ReLU over, but for biases, so that the loss is smooth along that line.
    """
    step: float = torch.finfo(probe.images.dtype).eps ** 0.5
    parts = dict(probe.network.named_parameters())
    grown = {name: (parts[name].detach() * (1 + step)).requires_grad_() for name in probe.gradients}
    with torch.enable_grad():
        logits = torch.func.functional_call(probe.network, grown, (probe.images,))
        gradients = torch.autograd.grad(F.cross_entropy(logits, probe.labels), list(grown.values()))
        gains = [
            ((after - before) * (after + before)).sum(dtype=torch.float64)
            for before, after in zip(probe.gradients.values(), gradients, strict=True)
        ]
    return -float(sum(gains)) / (2 * step)


@register_proxy("fisher")
def fisher(probe: Probe) -> float:
    """Sum over channels of half the mean squared activation times gradient (Turner et al., 2020, arXiv:1906.04113)."""
    total = 0.0
    with torch.no_grad():
        for output, gradient in zip(probe.maps, probe.map_gradients, strict=True):
            if gradient is not None:
                products = output * gradient
                of_channels = products.flatten(2).sum(2) if products.ndim > 2 else products
                total += float(of_channels.square().mean(0).sum() / 2)
    return total
