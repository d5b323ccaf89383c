"""TE-NAS: how trainable a network is by its neural tangent kernel, how expressive by its linear regions."""

from __future__ import annotations

import torch

from surronas.proxies.probe import NotApplicable, Probe, codes
from surronas.proxies.recorder import Recorder
from surronas.proxies.registry import register_proxy

__all__: list[str] = []


@register_proxy("te_ntk", maximize=False)
def te_ntk(probe: Probe) -> float:
    """Condition number of the neural tangent kernel (Chen et al., 2021, TE-NAS, arXiv:2102.11535).

    Of the gradients of the first 16 images' summed logits, each image passing alone.
    """
    gradients = [probe.gradients_of(logits.sum()) for logits in probe.singles]
    kernel = torch.zeros(len(gradients), len(gradients), dtype=torch.float64)
    for name in gradients[0]:
        rows = torch.stack([of_image[name].flatten() for of_image in gradients]).double()
        kernel += rows @ rows.T
    eigenvalues = torch.linalg.eigvalsh(kernel)
    if eigenvalues[0] <= 0:
        raise NotApplicable("the neural tangent kernel of the images is singular")
    return float(eigenvalues[-1] / eigenvalues[0])


@register_proxy("te_regions")
def te_regions(probe: Probe) -> float:
    """Linear regions (Chen et al., 2021, TE-NAS, arXiv:2102.11535) on the line between the first two images.

    TE-NAS counts different activation patterns of random images; in a network of full width no two images have the same
    one. So the regions are those that a line crosses (Hanin and Rolnick, 2019, arXiv:1901.09021), of which each change
    of an activation begins another, seen at as many points as the batch has images.
    """
    first, second = probe.images[:2]
    places = torch.linspace(0, 1, len(probe.images), dtype=first.dtype)[:, None, None, None]
    changes, n_gates = 0, 0

    def count(x: torch.Tensor) -> None:
        nonlocal changes, n_gates
        on = codes(x)
        changes += int((on[1:] != on[:-1]).sum())
        n_gates += 1

    with torch.no_grad(), Recorder(gate=count):
        probe.network((first + places * (second - first)).contiguous(memory_format=torch.channels_last))
    if not n_gates:
        raise NotApplicable("the network has no activation of ReLU's family")
    return float(1 + changes)
