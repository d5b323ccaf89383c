"""MeCo."""

from __future__ import annotations

import torch

from surronas.proxies.probe import NotApplicable, Probe
from surronas.proxies.registry import register_proxy

__all__: list[str] = []


@register_proxy("meco")
def meco(probe: Probe) -> float:
    """How far from dependent the channels of an image's maps are (Jiang et al., 2023, MeCo, NeurIPS).

    The sum over convolutions of the smallest eigenvalue of the Pearson correlations of the channels that the first
    image's map has; a constant channel correlates with none.
    """
    maps = [output[0].detach().flatten(1).double() for output in probe.maps if output.ndim == 4 and output.shape[1] > 1]
    if not maps:
        raise NotApplicable("no convolution gives maps of several channels")
    return float(sum(torch.linalg.eigvalsh(torch.corrcoef(m).nan_to_num(0.0))[0] for m in maps))
