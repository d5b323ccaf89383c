"""Channels in the order of their importance, so that the leading ones, which small subnets keep, are the best."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from surronas.spaces.mbconv_layers import ConvNorm
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
    network, blocks = supernet.network, supernet.network.blocks
    for block in blocks.values():
        *writers, project = block.children()
        yield [(project.conv.weight, 1)], [axis for writer in writers for axis in _written(writer)]
    writers: list[ConvNorm] = [network.stem]
    readers: list[Axis] = []
    for block in blocks.values():
        readers.append((block.expand.conv.weight, 1))
        if not block.shortcut:
            yield readers, [axis for writer in writers for axis in _written(writer)]
            writers, readers = [], []
        writers.append(block.project)
    yield (
        [*readers, (network.features.conv.weight, 1)],
        [axis for writer in writers for axis in _written(writer)],
    )
    yield [(network.classifier.weight, 1)], _written(network.features)


def _written(part: ConvNorm) -> list[Axis]:
    norm = part.norm
    return [(tensor, 0) for tensor in (part.conv.weight, norm.weight, norm.bias, norm.running_mean, norm.running_var)]
