"""Proxies of which activations are on for which image."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from surronas.proxies.probe import NotApplicable, Probe
from surronas.proxies.registry import register_proxy

__all__: list[str] = []


@register_proxy("nwot")
def nwot(probe: Probe) -> float:
    """Log determinant of the activations that two images share (Mellor et al., 2021, NASWOT, arXiv:2006.04647).

    An activation is on where its input is positive; those of ReLU's whole family count.
    """
    n = len(probe.images)
    kernel = torch.zeros(n, n, dtype=torch.float64)
    for gate in _gates(probe):
        on = gate.float()
        count = on.sum(1)
        kernel += on.shape[1] - count[:, None] - count + 2 * (on @ on.T)
    sign, value = torch.linalg.slogdet(kernel)
    if sign <= 0:
        raise NotApplicable("two images of the batch have the same activations")
    return float(value)


@register_proxy("swap")
def swap(probe: Probe) -> float:
    """Different patterns that activations show over the batch (Peng et al., 2024, SWAP-NAS, arXiv:2403.04161).

    Without the paper's regularisation, a factor exp(-(k - mu)^2 / sigma) of the parameters k in thousands: mu and sigma
    are chosen for each search space, by who knows how large its good networks are.
    """
    words = np.sort(np.concatenate([_words(gate) for gate in _gates(probe)]))
    return 1.0 + np.count_nonzero(words[1:] != words[:-1])


def _gates(probe: Probe) -> list[torch.Tensor]:
    if not probe.gates:
        raise NotApplicable("the network has no activation of ReLU's family")
    return probe.gates


def _words(gate: torch.Tensor) -> NDArray[np.uint64]:
    """(n, elements) bool -> (elements,) the bits of each; beyond 64 images a hash of them."""
    octets = np.packbits(np.ascontiguousarray(gate.numpy().T), axis=1)
    octets = np.pad(octets, ((0, 0), (0, -octets.shape[1] % 8)))
    odd = np.random.default_rng(0).integers(2**63, size=octets.shape[1] // 8, dtype=np.uint64) | np.uint64(1)
    return np.asarray(octets.view(np.uint64) @ odd)
