"""NATS-Bench's size space against its own files and against a network whose layers are counted."""

from __future__ import annotations

import bz2

import numpy as np
import pytest
import torch
from torch import nn

from surronas.datasets.pickles import load_pickle
from surronas.exceptions import InvalidInputError
from surronas.spaces import get_space

space = get_space("nats_size")
FOLDER = "nats_bench/NATS-sss-v1_0-50262-simple"
SHAPES = {"cifar10-valid": (10, 32), "cifar10": (10, 32), "cifar100": (100, 32), "ImageNet16-120": (120, 16)}


def content(shared_data, name):
    return load_pickle(bz2.decompress((shared_data / FOLDER / f"{name}.pickle.pbz2").read_bytes()))


@pytest.mark.needs_data(f"{FOLDER}/meta.pickle.pbz2")
def test_official_order(shared_data):
    official = content(shared_data, "meta")["meta_archs"]
    assert space.size == len(official) == 32_768
    assert space.format(space.enumerate()) == official
    np.testing.assert_array_equal(space.parse(official), space.enumerate())


@pytest.mark.needs_data(f"{FOLDER}/meta.pickle.pbz2")
@pytest.mark.parametrize("index", [0, 11, 284])
def test_cost_is_the_published_one(shared_data, index):
    for schedule in content(shared_data, f"{index:06d}").values():
        for (dataset, _), run in schedule["all_results"].items():
            num_classes, resolution = SHAPES[dataset]
            cost = space.cost(space.parse([schedule["arch_str"]]), num_classes, resolution).loc[0] / 1e6
            assert cost["params"] == pytest.approx(run["params"], rel=1e-12)
            assert cost["flops"] == pytest.approx(run["flop"], rel=1e-12)


class Cell(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.edges = nn.ModuleDict(
            {
                "01": conv(c_in, c_out, 3),
                "02": conv(c_in, c_out, 3),
                "12": conv(c_out, c_out, 3),
                "03": nn.Identity() if c_in == c_out else conv(c_in, c_out, 1),
                "13": conv(c_out, c_out, 3),
                "23": conv(c_out, c_out, 3),
            }
        )

    def forward(self, x):
        nodes = [x]
        for j in (1, 2, 3):
            nodes.append(sum(self.edges[f"{i}{j}"](nodes[i]) for i in range(j)))
        return nodes[-1]


class Reduction(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.body = nn.Sequential(conv(c_in, c_out, 3, 2), conv(c_out, c_out, 3))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(c_in, c_out, 1, bias=False))

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


def conv(c_in, c_out, kernel, stride=1):
    layer = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), layer, nn.BatchNorm2d(c_out))


def counted(widths, num_classes, resolution):
    """Parameters and multiply-adds of the network, layer by layer while it runs."""
    a, b, c, d, e = widths
    net = nn.Sequential(
        *(nn.Conv2d(3, a, 3, padding=1, bias=False), nn.BatchNorm2d(a)),
        *(Cell(a, a), Reduction(a, b), Cell(b, c), Reduction(c, d), Cell(d, e)),
        *(nn.BatchNorm2d(e), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(e, num_classes)),
    ).eval()
    madds = []
    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(lambda m, _, y: madds.append(m.weight.numel() * y[0, 0].numel()))
    with torch.no_grad():
        net(torch.zeros(1, 3, resolution, resolution))
    return sum(p.numel() for p in net.parameters()), sum(madds)


@pytest.mark.parametrize(("num_classes", "resolution"), [(10, 32), (120, 16)])
def test_cost_is_that_of_the_network(num_classes, resolution):
    X = np.vstack([space.sample(6, random_state=0), [space.smallest(), space.largest(), [3] * 5]])
    cost = space.cost(X, num_classes, resolution)
    expected = [counted([8 * (code + 1) for code in row], num_classes, resolution) for row in X.tolist()]
    assert cost[["params", "madds"]].to_numpy().tolist() == [list(row) for row in expected]
    assert (cost["flops"] - cost["madds"] == num_classes).all()


@pytest.mark.parametrize(
    ("arch", "why"),
    [
        ("64:48:16:8", "of the form"),
        ("64:48:16:8:32:8", "of the form"),
        ("64:48:16:8:12", "the gene 'cell3_channels' must be one of"),
        ("72:48:16:8:8", "the gene 'cell1_channels' must be one of"),
        ("a:48:16:8:8", "of the form"),
        (64, "of the form"),
    ],
)
def test_a_string_that_does_not_parse_names_row_and_value(arch, why):
    with pytest.raises(InvalidInputError, match="Row 1 does not parse") as error:
        space.parse(["64:48:16:8:32", arch])
    assert why in str(error.value)
    assert str(arch) in str(error.value)
