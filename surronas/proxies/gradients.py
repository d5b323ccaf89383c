"""Proxies of the loss's gradient by the weights (Abdelfattah et al., 2021, arXiv:2101.08134).

That paper scores networks with what had been made to choose weights to prune; its sums are over whole networks.
"""

from __future__ import annotations

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from surronas.proxies.probe import Probe
from surronas.proxies.registry import register_proxy

__all__: list[str] = []

_IMAGES = 16


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

    On the first 16 images, since differentiating gradients takes several times as long as they do. A difference
    quotient, which is quicker, also sees ReLUs turn over and is nowhere near.
    """
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):  # of attention's kernels the one with second derivatives
        gradients = probe.gradients_of(probe.loss_of(slice(_IMAGES)), create_graph=True)
        flow = sum(((g * g.detach()).sum() for g in gradients.values()), torch.tensor(0.0))
    products = probe.gradients_of(flow)
    with torch.no_grad():
        return -float(sum((probe.weights[name] * product).sum() for name, product in products.items()))


@register_proxy("fisher")
def fisher(probe: Probe) -> float:
    """Half the mean squared activation times gradient of each weight's channel (Turner et al., 2020, arXiv:1906.04113).

    The paper sums over channels, whose weights go together; published scores are sums over weights (arXiv:2101.08134),
    as all other proxies of this file.
    """
    total = 0.0
    with torch.no_grad():
        for fan, output, gradient in zip(probe.fans, probe.maps, probe.map_gradients, strict=True):
            if gradient is not None:
                products = output * gradient
                of_channels = products.flatten(2).sum(2) if products.ndim > 2 else products
                total += fan * float(of_channels.square().mean(0).sum() / 2)
    return total
