"""Channels in the order of their importance, so that the leading ones, which small subnets keep, are the best."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from surronas.supernet.network import SuperNet

__all__ = ["sort_channels"]

Axis = tuple[Tensor, int]


@torch.no_grad()
def sort_channels(supernet: SuperNet) -> None:
    """Sort all channels that a subnet can leave out by the L1 norm of the weights that read them, in place.

    The largest network stays the same function (Cai et al., 2020, section 3.4); batch-norm statistics move along.
    """
    for readers, others in _groups(supernet):
        importance = torch.stack([weight.abs().transpose(0, axis).flatten(1).sum(1) for weight, axis in readers]).sum(0)
        order = importance.argsort(descending=True, stable=True)
        for part, axis in (*readers, *others):
            part.copy_(part.index_select(axis, order))


def _groups(supernet: SuperNet) -> Iterator[tuple[list[Axis], list[Axis]]]:
    """Axes that index the same channels: weights that read the channels, and all else."""
    network = supernet.network
    blocks: list[Any] = list(network.blocks.values())
    for block in blocks:
        *inner, project = block.children()
        yield [(project.conv.weight, 1)], _written(*inner)
    writers, readers = [network.stem], []
    for block in blocks:
        readers.append((block.expand.conv.weight, 1))
        if not block.shortcut:  # a new stage: later blocks neither read the old one's channels nor add to them
            yield readers, _written(*writers)
            writers, readers = [], []
        writers.append(block.project)
    yield [*readers, (network.features.conv.weight, 1)], _written(*writers)
    yield [(network.classifier.weight, 1)], _written(network.features)


def _written(*parts: Any) -> list[Axis]:
    """The first axes of all tensors of layers that write the same channels."""
    of = [(part.conv.weight, part.norm) for part in parts]
    return [
        (tensor, 0)
        for weight, norm in of
        for tensor in (weight, norm.weight, norm.bias, norm.running_mean, norm.running_var)
    ]
