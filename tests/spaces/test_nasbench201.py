"""Published facts of NAS-Bench-201 (Dong and Yang, 2020; NATS-Bench's and NASLib's files)."""

from __future__ import annotations

import ast
import re

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from surronas.exceptions import InvalidInputError
from surronas.spaces import get_space
from surronas.spaces.nasbench201 import EDGES, NASLIB_OPS, OPS

space = get_space("nasbench201")
EVERYTHING = space.enumerate()
CELL = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"


def test_size():
    assert space.size == 15_625
    assert EVERYTHING.shape == (15_625, 6)
    assert len(np.unique(EVERYTHING, axis=0)) == 15_625


def test_canonical_cells():
    assert len(np.unique(space.canonical(EVERYTHING), axis=0)) == 9_445


def test_canonical_keeps_just_the_edges_on_a_path_from_input_to_output():
    rows = np.random.RandomState(0).choice(15_625, 500, replace=False)
    for x, c in zip(EVERYTHING[rows], space.canonical(EVERYTHING[rows]), strict=True):
        cell = nx.DiGraph([edge for edge, op in zip(EDGES, x, strict=True) if OPS[op] != "none"])
        cell.add_nodes_from([0, 3])
        alive = (nx.descendants(cell, 0) | {0}) & (nx.ancestors(cell, 3) | {3})
        expected = [op if set(edge) <= alive else 0 for edge, op in zip(EDGES, x, strict=True)]
        assert c.tolist() == expected


def test_isomorphism_classes():
    assert len(np.unique(space.key(EVERYTHING))) == 6_466


def test_largest_has_no_order():
    with pytest.raises(Exception, match="not declared as ordered"):
        space.largest()


@pytest.fixture(scope="module")
def nats(shared_data):
    return pd.read_csv(shared_data / "nasbench201" / "nats_bench.csv")


@pytest.mark.needs_data("nasbench201/nats_bench.csv")
def test_official_order(nats):
    assert space.format(EVERYTHING) == nats["ArchitectureString"].tolist()
    assert (space.parse(nats["ArchitectureString"]) == EVERYTHING).all()


@pytest.mark.needs_data("nasbench201/nats_bench.csv")
def test_classes_are_those_of_the_official_unique_strings(nats):
    ours, theirs = pd.factorize(space.key(EVERYTHING))[0], pd.factorize(nats["UniqueString"])[0]
    assert (ours == theirs).all()


@pytest.fixture(scope="module")
def naslib(shared_data):
    return pd.read_csv(shared_data / "nasbench201" / "nb201_zc_proxies.csv")


@pytest.mark.needs_data("nasbench201/nb201_zc_proxies.csv")
def test_both_edge_orders(naslib):
    X = space.parse(naslib["net_str"])
    assert len(X) == 9_445
    assert (space.parse(naslib["net"]) == X).all()  # the tuples as strings, "(4, 0, 3, 1, 4, 3)"
    tuples = np.array([ast.literal_eval(net) for net in naslib["net"]])
    assert (space.from_naslib(tuples) == X).all()
    assert (space.to_naslib(X) == tuples).all()


@pytest.mark.needs_data("nasbench201/nb201_zc_proxies.csv")
def test_the_published_nets_are_the_canonical_ones(naslib):
    X = space.parse(naslib["net_str"])
    assert (space.canonical(X) == X).all()
    assert len(np.unique(X, axis=0)) == 9_445


@pytest.mark.needs_data("nasbench201/nb201_zc_proxies.csv")
@pytest.mark.parametrize(
    ("file", "network"),
    [
        ("nb201_zc_proxies", {}),
        ("nb201_ImageNet16-120_zc_proxies", {"num_classes": 120, "resolution": 16}),
    ],
)
def test_cost_equals_the_published_columns(shared_data, file, network):
    published = pd.read_csv(shared_data / "nasbench201" / f"{file}.csv")
    assert len(published) == 9_445
    cost = space.cost(space.parse(published["net"]), **network)
    np.testing.assert_array_equal(cost["params"] / 1e6, published["params"])
    np.testing.assert_array_equal(cost["flops"] / 1e6, published["flops"])


class Cell(nn.Module):
    """A pruned cell: an edge without an operation has no module."""

    def __init__(self, x, width):
        super().__init__()
        self.ops = nn.ModuleList(self.op(OPS[code], width) for code in x)

    def op(self, name, width):
        if "conv" in name:
            return relu_conv_bn(width, width, kernel=int(name[-1]))
        return {"avg_pool_3x3": nn.AvgPool2d(3, 1, 1), "skip_connect": nn.Identity()}.get(name)

    def forward(self, image):
        nodes = [image]
        for node in (1, 2, 3):
            into = [op(nodes[i]) for op, (i, j) in zip(self.ops, EDGES, strict=True) if j == node and op is not None]
            nodes.append(sum(into) if into else None)
        return nodes[3]


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(relu_conv_bn(width, 2 * width, stride=2), relu_conv_bn(2 * width, 2 * width))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(width, 2 * width, 1, bias=False))

    def forward(self, image):
        return self.body(image) + self.shortcut(image)


def relu_conv_bn(width, out, kernel=3, stride=1):
    conv = nn.Conv2d(width, out, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(out))


def count(layer, inputs, output):
    """(multiply-adds, published FLOPs) of one layer."""
    match layer:
        case nn.Conv2d():
            return 2 * (layer.weight[0].numel() * output.numel(),)
        case nn.Linear():
            return 2 * (layer.weight.numel(),)
        case nn.BatchNorm2d():
            return 0, 2 * output.numel()
        case nn.ReLU():
            return 0, output.numel()
        case nn.AvgPool2d():
            return 0, layer.kernel_size**2 * output.numel()
        case nn.AdaptiveAvgPool2d():
            return 0, output.numel() * (inputs[0].shape[-1] + 1) ** 2
    return 0, 0


@pytest.mark.parametrize(
    "cell", [CELL, "|skip_connect~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|avg_pool_3x3~0|none~1|none~2|"]
)
@pytest.mark.parametrize(("num_classes", "resolution", "channels", "cells"), [(10, 32, 16, 5), (7, 24, 12, 2)])
def test_cost_is_that_of_the_network(cell, num_classes, resolution, channels, cells):
    """Against a count over the network's modules."""
    (x,) = space.canonical(space.parse([cell]))
    body = [nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)]
    for width in (channels, 2 * channels, 4 * channels):
        body += [Residual(width // 2)] if width > channels else []
        body += [Cell(x, width) for _ in range(cells)]
    head = [nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes)]
    network = nn.Sequential(*body, *head)
    counts = []
    for layer in network.modules():
        layer.register_forward_hook(lambda *call: counts.append(count(*call)))
    network(torch.rand(1, 3, resolution, resolution))
    madds, flops = np.sum(counts, axis=0)
    params = sum(weight.numel() for weight in network.parameters())
    cost = space.cost([x], num_classes=num_classes, resolution=resolution, channels=channels, cells=cells)
    assert cost.loc[0].to_dict() == {"params": params, "madds": madds, "flops": flops}


def test_parameters_of_an_empty_cell_are_those_of_the_skeleton():
    # stem 27*16 + 2*16; two residual blocks; last batch norm; linear layer of 64 x 10
    blocks = sum(9 * a * b + 9 * b * b + a * b + 4 * b for a, b in ((16, 32), (32, 64)))
    assert space.cost([[0] * 6])["params"][0] == 27 * 16 + 2 * 16 + blocks + 2 * 64 + 64 * 10 + 10


def test_naslib_operations_and_slots():
    assert NASLIB_OPS == ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
    # NASLib's fourth slot is edge (2,3) in its own numbering, the third of the string
    string = "|none~0|+|none~0|nor_conv_3x3~1|+|avg_pool_3x3~0|none~1|none~2|"
    assert space.to_naslib(space.parse([string])).tolist() == [[1, 1, 4, 2, 1, 1]]
    assert space.format(space.parse(["(1, 1, 4, 2, 1, 1)"])) == [string]


def test_graph_on_edges_and_on_nodes():
    X = space.parse([CELL])
    edges = space.graph(X, on=None)
    assert edges.on == "edges"
    assert edges.op_names == OPS[1:]
    on = {(i, j): edges.op_names[edges.ops[0, i, j]] for i, j in np.argwhere(edges.adjacency[0])}
    assert on == {
        (0, 1): "nor_conv_3x3",
        (1, 2): "avg_pool_3x3",
        (0, 3): "skip_connect",
        (2, 3): "nor_conv_1x1",
    }
    nodes = space.graph(X)
    assert nodes.on == "nodes"
    assert nodes.adjacency[0].sum() == 6  # in -> conv -> pool -> conv -> out, in -> skip -> out


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        (CELL.replace("nor_conv_3x3", "conv_9x9"), "'conv_9x9' is none of"),
        (CELL[:-5], "it is not of the form"),
        (CELL.replace("none~1", "none~2"), "it is not of the form"),
        ("(1, 2, 3)", "shape (1, 3)"),
        ("(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)", "shape (1, 12)"),
        ("(0, 0, 0, 0, 0, 0.5)", "Got 0.5"),
        ("(0, 0, 0, 0, 0, 9)", "from 0 to 4"),
        ("(0, 0, 0", "Row 1 does not parse"),
        (3.5, "float"),
        (None, "NoneType"),
        ([1, 2, 3], "6 genes were expected, 3 came"),
    ],
)
def test_a_string_that_does_not_parse_names_row_and_value(cell, why):
    with pytest.raises(InvalidInputError, match="The 'archs' must be.* Row 1 does not parse") as error:
        space.parse([CELL, cell])
    assert why in str(error.value)
    assert str(cell)[:40] in str(error.value)


def test_a_space_in_the_string_is_no_harm_at_its_ends():
    assert (space.parse([f" {CELL}\n"]) == space.parse([CELL])).all()


def test_numbers_out_of_range_name_row_and_gene():
    with pytest.raises(InvalidInputError, match=re.escape("gene 'op_1_2' (gene 2). Got 5 in row 1.")):
        space.parse([[0, 0, 0, 0, 0, 0], [0, 0, 5, 0, 0, 0]])
