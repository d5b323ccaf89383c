"""GenNAS."""

from __future__ import annotations

import copy
from itertools import groupby
from math import isfinite, tau

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from surronas.proxies.blocks import heard, in_blocks
from surronas.proxies.probe import NotApplicable, Probe
from surronas.proxies.registry import register_proxy

__all__: list[str] = []

_STEPS, _IMAGES, _SIDE, _SIGNALS = 100, 16, 8, 64
_HIGH = (0.375, 0.4875)


@register_proxy("gennas", maximize=False, costly=True)
def gennas(probe: Probe) -> float:
    """Error after a few steps of regression onto synthetic signals (Li et al., 2021, GenNAS, arXiv:2108.01899).

    The signals, each of 8x8 pixels, 64 an image and stage, are those of the paper's combination that was searched for
    no space: waves, random signs, the image itself. Each stage, which is what lies between two changes of resolution,
    gives them by a batch norm and a 1x1 convolution; the last three count, by a quarter, a half and one. As in the
    paper 100 steps of SGD on 16 images, learning rate 0.1, momentum 0.9, decay 4e-5; then the error on these images, of
    the network as in evaluation. A tenth of the steps ranks architectures of NAS-Bench-201 at random.
    """
    network, generator = copy.deepcopy(probe.network), probe.generator
    for part in network.modules():
        if isinstance(part, nn.modules.batchnorm._NormBase):
            part.reset_running_stats()  # passes of other proxies have changed them
    images = probe.images[:_IMAGES]
    blocks = in_blocks(network)

    def stages() -> list[Tensor]:
        with heard(blocks) as outputs:
            network(images)
        features = [output for output in outputs if output.ndim > 2]
        maps = [output for output in features if output.ndim == 4 and min(output.shape[2:]) > 1]
        if not maps or features[-1].ndim == 3:
            raise NotApplicable("the network has no blocks that give maps, or goes on with tokens")
        return [list(stage)[-1] for _, stage in groupby(maps, key=lambda m: m.shape[2:])][-3:]

    with torch.enable_grad():
        found = stages()
        heads = nn.ModuleList([_head(maps, generator) for maps in found])
        signals = [_signals(images, kind, generator) for kind in range(3)][-len(found) :]
        optimizer = torch.optim.SGD([*network.parameters(), *heads.parameters()], 0.1, momentum=0.9, weight_decay=4e-5)

        def error() -> Tensor:
            outputs = [head(F.interpolate(maps, _SIDE)) for head, maps in zip(heads, stages(), strict=True)]
            errors = [F.mse_loss(output, signal) for output, signal in zip(outputs, signals, strict=True)]
            return sum((e / 2**i for i, e in enumerate(reversed(errors))), torch.tensor(0.0))

        for _ in range(_STEPS):
            optimizer.zero_grad()
            error().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        network.eval()
        heads.eval()
        left = error().item()
    if not isfinite(left):
        raise NotApplicable("the regression diverges")
    return left


def _head(maps: Tensor, generator: torch.Generator) -> nn.Module:
    channels = maps.shape[1]
    convolution = nn.Conv2d(channels, _SIGNALS, 1)
    with torch.no_grad():
        for part in convolution.parameters():
            part.uniform_(-(channels**-0.5), channels**-0.5, generator=generator)
    return nn.Sequential(nn.BatchNorm2d(channels), convolution).to(maps.dtype)


def _signals(images: Tensor, stage: int, generator: torch.Generator) -> Tensor:
    """(n, 64, 8, 8): what the features of the first, second or third stage are to be."""
    signals = _waves(images, *_HIGH, False, generator)
    if stage < 2:
        signals = signals + _waves(images, *(_HIGH if stage == 0 else (0.125, 0.35)), True, generator)
    if stage != 1:
        signals = signals + torch.empty_like(signals).bernoulli_(generator=generator) * 2 - 1
    if stage > 0:
        small = F.interpolate(images, _SIDE)
        scaled = 2 * (small - small.min()) / (small.max() - small.min()) - 1
        signals = signals + scaled[:, torch.randint(images.shape[1], (_SIGNALS,), generator=generator)]
    return signals


def _waves(images: Tensor, low: float, high: float, oblique: bool, generator: torch.Generator) -> Tensor:
    """Sines along rows or columns, or oblique ones; of one of ten frequencies and a random phase each."""

    def draw(*values: float) -> Tensor:
        choice = torch.randint(len(values), (len(images), _SIGNALS, 1, 1), generator=generator)
        return torch.tensor(values, dtype=images.dtype)[choice]

    frequencies = torch.linspace(low, high, 10).tolist()
    places = torch.arange(1, _SIDE + 1, dtype=images.dtype)
    rows, columns = places[:, None], places[None, :]
    phase = tau * torch.rand((len(images), _SIGNALS, 1, 1), generator=generator, dtype=images.dtype)
    if oblique:
        return torch.sin(tau * (draw(*frequencies) * rows + draw(-1, 1) * draw(*frequencies) * columns) + phase)
    along = draw(0, 1)
    return torch.sin(tau * draw(*frequencies) * (along * rows + (1 - along) * columns) + phase)
