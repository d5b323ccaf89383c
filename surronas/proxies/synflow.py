"""Synaptic flow: a proxy without data."""

from __future__ import annotations

import torch

from surronas.proxies.probe import NotApplicable, Probe
from surronas.proxies.recorder import Recorder
from surronas.proxies.registry import register_proxy

__all__: list[str] = []


@register_proxy("synflow")
def synflow(probe: Probe) -> float:
    """Log of the sum of weights times gradients, all made positive (Tanaka et al., 2020, SynFlow, arXiv:2006.05467).

    The gradient is of the sum of logits for an image of ones, batch norms left out (arXiv:2101.08134), in float64,
    since the products of deep networks leave float32. The published sums are those whose logarithm this is.
    """
    network = probe.network
    parts = {name: part.detach().abs().double().requires_grad_() for name, part in network.named_parameters()}
    buffers = {name: b.double() if b.is_floating_point() else b for name, b in network.named_buffers()}
    ones = torch.ones(1, *probe.images.shape[1:], dtype=torch.float64)
    with Recorder(without_norms=True):
        flow = torch.func.functional_call(network, {**parts, **buffers}, (ones,)).sum()
    weights = [parts[name] for name in probe.weights]
    gradients = torch.autograd.grad(flow, weights, allow_unused=True)
    with torch.no_grad():
        total = sum(float((w * g).abs().sum()) for w, g in zip(weights, gradients, strict=True) if g is not None)
    if not 0 < total < float("inf"):
        raise NotApplicable(f"its flow is {total}, which has no logarithm")
    return float(torch.tensor(total, dtype=torch.float64).log())
