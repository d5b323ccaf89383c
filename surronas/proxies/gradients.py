"""Proxies of the loss's gradient by the weights (Abdelfattah et al., 2021, arXiv:2101.08134).

That paper scores networks with what had been made to choose weights to prune; its sums are over whole networks.
"""

from __future__ import annotations

import torch

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


@register_proxy("grasp", second_order=True)
def grasp(probe: Probe) -> float:
    """Sum of -w * Hg: how removing weights changes the gradient's flow (Wang et al., 2020, arXiv:2002.07376)."""
    parts = {name: probe.weights[name] for name in probe.gradients}
    flow = sum((g * g.detach()).sum() for g in probe.gradients.values())
    products = torch.autograd.grad(flow, list(parts.values()), retain_graph=True, allow_unused=True)  # type: ignore[arg-type]
    with torch.no_grad():
        return -float(sum((w * p).sum() for w, p in zip(parts.values(), products, strict=True) if p is not None))


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
