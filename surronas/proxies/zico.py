"""ZiCo."""

from __future__ import annotations

import torch

from surronas.proxies.probe import NotApplicable, Probe
from surronas.proxies.registry import register_proxy

__all__: list[str] = []


@register_proxy("zico")
def zico(probe: Probe) -> float:
    """How steady gradients are between batches (Li et al., 2023, ZiCo, arXiv:2301.11300).

    The sum over layers of the logarithm of the sum over weights of mean |gradient| / the gradient's standard deviation;
    over the two halves of the batch, the paper's smallest number of batches. Weights of no deviation are left out.
    """
    half = len(probe.images) // 2
    halves = [probe.gradients_of(probe.loss_of(rows)) for rows in (slice(half), slice(half, 2 * half))]
    score = 0.0
    for name, first in halves[0].items():
        gradients = torch.stack([first, halves[1][name]])
        mean, deviation = gradients.abs().mean(0), gradients.std(0, correction=0)
        steadiness = float((mean / deviation)[deviation > 0].sum(dtype=torch.float64))
        if steadiness:
            score += torch.tensor(steadiness).log().item()
    if not score:
        raise NotApplicable("both halves of the batch have the same gradients")
    return score
