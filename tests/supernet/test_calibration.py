"""Batch-norm statistics beside those worked out by hand, and what folding makes of them."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from surronas.exceptions import InvalidInputError
from surronas.spaces.mbconv import MBConv, Stage
from surronas.spaces.networks.folding import deployed, fold
from surronas.supernet.calibration import calibrate

SPACE = MBConv([Stage(True, 16, 2), Stage(False, 16, 1)], resolutions=(8, 16), widths=(0.5, 1.0), stem=8, features=16)


def batches(n: int = 3, side: int = 16):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(20, 3, side, side, generator=generator) for _ in range(n)]


def subnet(seed: int = 0):
    torch.manual_seed(seed)
    network = SPACE.build(SPACE.largest())
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
    return network


def test_statistics_are_each_layers_own_averaged_over_the_batches():
    torch.manual_seed(0)
    first, second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3)
    network = nn.Sequential(first, nn.BatchNorm2d(4, momentum=0.3), nn.ReLU(), second, nn.BatchNorm2d(5))
    network[1].weight.data.uniform_(0.5, 2)
    network[1].bias.data.normal_()
    means, variances = [], []
    for batch in batches():
        by_layer = []
        x = first(batch).detach()
        by_layer.append(x)
        centred = x - x.mean((0, 2, 3), keepdim=True)
        x = centred / (centred.square().mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
        x = F.relu(x * network[1].weight[:, None, None] + network[1].bias[:, None, None])
        by_layer.append(second(x).detach())
        means.append([x.mean((0, 2, 3)) for x in by_layer])
        variances.append([x.transpose(0, 1).flatten(1).var(1, unbiased=True) for x in by_layer])
    calibrate(network, iter(batches()))
    for place, norm in enumerate((network[1], network[4])):
        torch.testing.assert_close(norm.running_mean, torch.stack([m[place] for m in means]).mean(0))
        torch.testing.assert_close(norm.running_var, torch.stack([v[place] for v in variances]).mean(0))
    assert network[1].momentum == 0.3
    assert not any(part.training for part in network.modules())


def test_what_was_there_before_is_forgotten():
    network = subnet()
    calibrate(network, batches())
    once = {name: part.clone() for name, part in network.state_dict().items()}
    network.stem.norm.running_mean += 7
    calibrate(network, batches())
    torch.testing.assert_close(network.state_dict(), once, rtol=0, atol=0)


def test_nothing_is_dropped_at_random():
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 4, 1)
    with_dropout = nn.Sequential(conv, nn.Dropout(0.9), nn.BatchNorm2d(4)).train()
    without = nn.Sequential(conv, nn.BatchNorm2d(4))
    calibrate(with_dropout, batches())
    calibrate(without, batches())
    assert torch.equal(with_dropout[2].running_var, without[1].running_var)


def test_without_a_batch_there_are_no_statistics():
    with pytest.raises(InvalidInputError, match="'batches' parameter of calibrate must hold at least one batch"):
        calibrate(subnet(), [])


@torch.no_grad()
def test_folding_changes_nothing_but_the_number_of_layers():
    network, (images, *_) = subnet(), batches()
    calibrate(network, batches())
    expected = network(images)
    state = {name: part.clone() for name, part in network.state_dict().items()}
    network.train()
    copy = deployed(network)
    torch.testing.assert_close(copy(images), expected, rtol=1e-4, atol=1e-4)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in copy.modules())
    assert not any(part.training for part in copy.modules())
    assert network.training
    torch.testing.assert_close(network.state_dict(), state, rtol=0, atol=0)
    fold(network)
    torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-4)
    fold(network)
    torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_folding_leaves_layers_alone_whose_use_it_does_not_know():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4)).eval()
    expected = network(batches()[0])
    fold(network)
    assert torch.equal(network(batches()[0]), expected)
