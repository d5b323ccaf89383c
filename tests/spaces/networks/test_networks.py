"""Every space's networks: counted, run, compared with slow readings of what the authors describe."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from surronas.exceptions import InvalidInputError, SurronasError
from surronas.spaces import SearchSpace, get_space, list_spaces
from surronas.spaces._cells import EDGES
from surronas.spaces.nasbench201 import OPS

NAMES = [name for name in list_spaces() if get_space(name).has_network]
# Small, so that they run at once.
OPTIONS = {
    "darts": {"channels": 4, "layers": 5},
    "nasbench101": {"channels": 12, "modules": 2},
    "nasbench201": {"channels": 4, "cells": 2},
    "ofa_mbv3": {"resolution": 64},
    "transnasbench101_micro": {"resolution": 64},
}
every_network = pytest.mark.parametrize("name", NAMES)


def counted(network):
    """Parameters and multiply-adds of convolutions and linear layers, in a run on one image."""
    madds = []
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(lambda m, _, y: madds.append(m.weight[0].numel() * y.numel()))
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, network.resolution, network.resolution))
    return [sum(p.numel() for p in network.parameters()), sum(madds)]


def some(space, n=6):
    return space.sample(n, random_state=0)


def test_which_spaces_have_networks():
    assert set(NAMES) == {
        *("darts", "mbconv", "nasbench101", "nasbench201", "nasbench_macro"),
        *("nats_size", "ofa_mbv3", "transnasbench101_micro"),
    }
    with pytest.raises(SurronasError, match="'fbnet' defines no networks to build"):
        get_space("fbnet").build(some(get_space("fbnet"))[0])


@every_network
def test_the_analytic_cost_is_counted_in_the_network(name):
    space, options = get_space(name), dict(OPTIONS.get(name, {}))
    X = some(space)
    found = [counted(space.build(x, num_classes=7, **options)) for x in X]
    if "resolution" not in inspect.signature(space.cost).parameters:  # then it is a gene's
        options.pop("resolution", None)
        found = [counted(space.build(x, num_classes=7, **options)) for x in X]
    assert space.cost(X, num_classes=7, **options)[["params", "madds"]].to_numpy().tolist() == found


@pytest.mark.parametrize(
    ("name", "options"), [("darts", {"affine": True, "channels": 4, "layers": 5}), ("nasbench101", {"channels": 7})]
)
def test_the_cost_is_counted_with_other_options(name, options):
    space = get_space(name)
    X = some(space)
    found = [counted(space.build(x, **options)) for x in X]
    assert space.cost(X, **options)[["params", "madds"]].to_numpy().tolist() == found


@every_network
def test_it_classifies_images_and_nothing_in_it_is_dead(name):
    space = get_space(name)
    torch.manual_seed(0)
    for x in [x for x in some(space, 8) if space.canonical(x[None]).any()][:3]:  # a cell may have no operation
        network = space.build(x, num_classes=5, in_channels=2, **OPTIONS.get(name, {})).train()
        side = network.resolution
        logits = network(torch.randn(4, 2, side, side))
        assert logits.shape == (4, 5)
        F.cross_entropy(logits, torch.tensor([0, 1, 2, 4])).backward()
        dead = [part for part, weights in network.named_parameters() if weights.grad is None]
        assert not dead


@every_network
def test_the_seed_decides_the_weights_and_a_canonical_form_the_network(name):
    space = get_space(name)
    x = some(space, 1)[0]

    def weights(genotype):
        torch.manual_seed(1)
        return space.build(genotype, **OPTIONS.get(name, {})).state_dict()

    first, second = weights(x), weights(space.canonical(x[None])[0])
    assert first.keys() == second.keys()
    assert all(torch.equal(part, second[key]) for key, part in first.items())


@pytest.mark.parametrize("option", ["num_classes", "in_channels", "resolution"])
def test_an_option_that_cannot_be_is_named(option):
    space = get_space("nasbench201")
    with pytest.raises(InvalidInputError, match=f"'{option}' parameter of build must be at least 1. Got 0"):
        space.build(space.sample(1, 0)[0], **{option: 0})


def test_a_cell_without_operations_gives_nothing():
    network = get_space("nasbench201").build([0] * 6, channels=4, cells=1).eval()
    with torch.no_grad():
        logits = network(torch.randn(3, 3, 8, 8))
    assert torch.equal(logits[0], logits[1])


def test_nasbench201_computes_what_its_string_says():
    """Node by node, with the network's own layers; pooling and identity written out."""
    space = get_space("nasbench201")
    for x in space.canonical(space.sample(20, random_state=3)):
        cell = space.build(x, channels=4, cells=1).features[1].double()
        kept = {edge: OPS[code] for edge, code in zip(EDGES, x, strict=True) if code}
        layers = dict(zip(cell.places, cell.edges, strict=True)) if kept else {}
        nodes = [torch.randn(2, 4, 6, 6, dtype=torch.float64)]
        for end in (1, 2, 3):
            total = torch.zeros_like(nodes[0])
            for start in range(end):
                op = kept.get((start, end), "none")
                if op == "skip_connect":
                    total += nodes[start]
                elif op == "avg_pool_3x3":
                    ones = F.avg_pool2d(torch.ones_like(nodes[start]), 3, 1, 1, divisor_override=1)
                    total += F.avg_pool2d(nodes[start], 3, 1, 1, divisor_override=1) / ones
                elif op != "none":
                    relu, conv, norm = layers[start, end]
                    assert isinstance(relu, nn.ReLU)
                    assert conv.kernel_size == {"nor_conv_1x1": (1, 1), "nor_conv_3x3": (3, 3)}[op]
                    total += norm(F.conv2d(nodes[start].clamp(min=0), conv.weight, padding=conv.kernel_size[0] // 2))
            nodes.append(total)
        torch.testing.assert_close(cell(nodes[0]), nodes[3])


def test_nasbench101_cuts_sums_and_joins():
    """All kinds of edges, written out: 1 reads the input, 2 reads 1 and the input, the output joins both."""
    space = get_space("nasbench101")
    matrix = [[0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    ops = ["input", "conv1x1-bn-relu", "maxpool3x3", "output"]
    x = space.parse([(matrix, ops)])[0]
    module = space.build(x, channels=7, modules=1).features[1].double().eval()
    image = torch.randn(2, 7, 5, 5, dtype=torch.float64)
    first = module.operations["1"](module.projections["1"](image))
    assert first.shape[1] == 4  # of seven channels, in two parts
    second = F.max_pool2d(first[:, :3] + module.projections["2"](image), 3, 1, 1)
    joined = torch.cat([first, second], dim=1) + module.projections["6"](image)
    torch.testing.assert_close(module(image), joined)
    space.build(space.parse([([[0, 1], [0, 0]], ["input", "output"])])[0], channels=4)(torch.randn(1, 3, 8, 8))


def test_darts_cells_read_the_two_cells_before():
    space = get_space("darts")
    network = space.build(space.sample(1, 5)[0], channels=4, layers=4).double().eval()
    images = torch.randn(1, 3, 16, 16, dtype=torch.float64)
    outputs = [network.features.stem(images)] * 2
    for cell in network.features.cells:
        outputs.append(cell(outputs[-2], outputs[-1]))
    assert [tuple(out.shape[1:]) for out in outputs[2:]] == [(16, 16, 16), (32, 8, 8), (64, 4, 4), (64, 4, 4)]
    torch.testing.assert_close(network(images), network.classifier(outputs[-1].mean((2, 3))))


def test_a_plain_space_has_none():
    with pytest.raises(SurronasError, match="no networks to build"):
        SearchSpace.from_array(np.zeros((2, 3), dtype=int)).build([0, 0, 0])
