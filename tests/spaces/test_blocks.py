"""Blocks by name: together they are the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from surronas.exceptions import InvalidInputError
from surronas.spaces import as_drawn, get_space
from surronas.spaces.mbconv import MBConv, Stage

STRIDED = MBConv(
    [Stage(True, 16, 2, (1, 2), (3,), (1, 2)), Stage(False, 24, 2, (1, 2), (3, 5), (2, 3))],
    resolutions=(12, 16),
    widths=(0.5, 1.0),
    stem=8,
    features=32,
)
SPACES = {"mbconv": get_space("mbconv"), "strided": STRIDED, "nasbench201": get_space("nasbench201")}


def of_network(space, x, **options):
    names, index = space.blocks([x], **options)
    return [space.block(names[place]) for place in index[0] if place >= 0]


@pytest.mark.parametrize("name", SPACES)
def test_blocks_have_the_parameters_of_the_network(name):
    space = SPACES[name]
    X = space.canonical(space.sample(5, random_state=0))
    for x, params in zip(X, space.cost(X, num_classes=7)["params"], strict=True):
        parts = of_network(space, x, num_classes=7)
        assert sum(p.numel() for part, _ in parts for p in part.parameters()) == params


@pytest.mark.parametrize("name", SPACES)
def test_blocks_have_the_multiply_adds_of_the_network(name):
    """Counted by hooks on the convolutions and linear layers of each block, for the input that it is said to read."""
    space = SPACES[name]
    X = space.canonical(space.sample(4, random_state=1))
    for x, madds in zip(X, space.cost(X)["madds"], strict=True):
        counted = 0

        def count(module, inputs, output):
            nonlocal counted
            counted += module.weight.numel() * output.shape[2:].numel()

        for part, shape in of_network(space, x):
            for layer in part.modules():
                if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
                    layer.register_forward_hook(count)
            with torch.no_grad():
                part.eval()(torch.zeros(1, *shape))
        assert counted == madds


def test_a_batch_names_what_its_networks_have():
    space = SPACES["mbconv"]
    X = space.sample(200, random_state=0)
    names, index = space.blocks(X)
    assert len(set(names)) == len(names)
    for row in (0, 7, 199):
        alone, places = space.blocks(X[row : row + 1])
        ours = sorted(names[place] for place in index[row] if place >= 0)
        assert ours == sorted(alone[place] for place in places[0] if place >= 0)
    assert space.blocks(X[:0])[1].shape == (0, 2 + len(space.places))


def test_dead_operations_are_blocks_of_a_drawing():
    space = SPACES["nasbench201"]
    dead = [[3, 0, 0, 1, 0, 4]]
    assert (space.blocks(dead)[1] >= 0).sum() == 4
    assert (as_drawn(space).blocks(dead)[1] >= 0).sum() == 4 + 2 * 15


def test_names_that_are_none():
    for space in SPACES.values():
        with pytest.raises(InvalidInputError, match="The block 'stem-side:x' is none of the forms stem-side"):
            space.block("stem-side:x")
    names = SPACES["nasbench201"].blocks(np.zeros((1, 6), dtype=int))[0]
    with pytest.raises(InvalidInputError, match="is none of the forms"):
        SPACES["mbconv"].block(names[-1] + "0x")
