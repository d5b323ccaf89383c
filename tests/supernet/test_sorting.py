"""Sorted channels: the same function, the order that the weights ask for, better narrow subnets."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from surronas.spaces.mbconv import MBConv, Stage
from surronas.supernet.network import SuperNet
from surronas.supernet.sorting import sort_channels

SPACE = MBConv(
    [
        Stage(fused=True, channels=16, stride=2, depths=(1, 2), kernels=(3,), expands=(2,)),
        Stage(fused=False, channels=32, stride=2, depths=(2,), kernels=(3, 5), expands=(3,)),
    ],
    resolutions=(8,),
    widths=(0.5, 1.0),
    stem=16,
    features=32,
)

# Channels by who reads them, written out by hand: the second axis of each weight.
GROUPS = {
    "stem": ["blocks.stage1_block1.expand.conv"],
    "stage1": ["blocks.stage1_block2.expand.conv", "blocks.stage2_block1.expand.conv"],
    "stage2": ["blocks.stage2_block2.expand.conv", "features.conv"],
    "features": ["classifier"],
    **{f"inner {block}": [f"blocks.{block}.project.conv"] for block in (f"stage{s}_block{b}" for s, b in SPACE.places)},
}


def readers(supernet, group):
    return [supernet.network.get_submodule(name).weight for name in GROUPS[group]]


@pytest.fixture
def supernet():
    torch.manual_seed(0)
    supernet = SuperNet(SPACE, 5)
    for parameter in supernet.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape)
    for part in supernet.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.copy_(torch.randn(part.num_features))
            part.running_var.copy_(0.5 + torch.rand(part.num_features))
    return supernet.eval()


@pytest.fixture
def images():
    return torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_the_largest_network_stays_the_same_function(supernet, images):
    x = SPACE.largest()
    for training in (False, True):
        supernet.train(training)
        with torch.no_grad():
            before = supernet(images, x)
            weights = supernet.network.stem.conv.weight.clone()
            sort_channels(supernet)
            torch.testing.assert_close(supernet(images, x), before, rtol=1e-4, atol=1e-4)
        assert training or not torch.equal(supernet.network.stem.conv.weight, weights)


def test_importance_falls_in_every_group(supernet):
    def importance(group):
        return sum(
            weight.detach().abs().sum(dim=[d for d in range(weight.ndim) if d != 1])
            for weight in readers(supernet, group)
        )

    unsorted = {group: importance(group) for group in GROUPS}
    sort_channels(supernet)
    for group, before in unsorted.items():
        assert (before.diff() > 0).any(), group
        torch.testing.assert_close(importance(group), before.sort(descending=True).values)


def test_sorted_channels_stay(supernet):
    sort_channels(supernet)
    before = {name: part.clone() for name, part in supernet.state_dict().items()}
    sort_channels(supernet)
    torch.testing.assert_close(dict(supernet.state_dict()), before, rtol=0, atol=0)


def test_a_narrow_subnet_keeps_what_the_network_uses(supernet, images):
    """Half of all channels are noise that nobody reads: without them the network is the same."""
    with torch.no_grad():
        for group in GROUPS:
            weights = readers(supernet, group)
            noise = torch.randperm(weights[0].shape[1])[::2]
            for weight in weights:
                weight[:, noise] = 0
        largest = SPACE.largest()
        narrow = largest.copy()
        narrow[SPACE.gene_names.index("width")] = 0
        expected = supernet(images, largest)
        before = (supernet(images, narrow) - expected).norm()
        sort_channels(supernet)
        after = (supernet(images, narrow) - expected).norm()
    assert before > 0.1 * expected.norm()
    assert after < 1e-4 * expected.norm()
