"""FBNet: notations, what skips do, and networks built and counted module by module."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
import torch
from torch import nn

from surronas.datasets.latency_table import LatencyTable
from surronas.exceptions import InvalidInputError, UnknownNameError
from surronas.spaces import get_space
from surronas.spaces.fbnet import OPS

space = get_space("fbnet")
DATASETS = ("ImageNet", "cifar100")
# The networks of the paper by the names of facebookresearch/mobile-vision, a stage a line.
PAPER = {
    "FBNet-A": """
        skip
        ir_k3_e3 ir_k3_e1 skip skip
        ir_k5_e6 ir_k3_e3 ir_k5_e1 ir_k3_e3
        ir_k5_e6 ir_k5_e3 ir_k5_s2 ir_k5_e6
        ir_k3_e6 ir_k5_s2 ir_k5_e1 ir_k3_s2
        ir_k5_e6 ir_k5_e6 ir_k5_e3 ir_k5_e6
        ir_k5_e6""",
    "FBNet-B": """
        ir_k3_e1
        ir_k3_e6 ir_k5_e1 ir_k3_e1 ir_k3_e1
        ir_k5_e6 ir_k5_e3 ir_k3_e6 ir_k5_e6
        ir_k5_e6 ir_k5_e6 skip ir_k5_e3
        ir_k5_e6 ir_k3_e1 ir_k5_e1 ir_k5_e3
        ir_k5_e6 ir_k5_e1 ir_k5_e6 ir_k5_e6
        ir_k3_e6""",
    "FBNet-C": """
        ir_k3_e1
        ir_k3_e6 skip ir_k3_e1 ir_k3_e1
        ir_k5_e6 ir_k5_e3 ir_k5_e6 ir_k3_e6
        ir_k5_e6 ir_k5_e3 ir_k5_e6 ir_k5_e6
        ir_k5_e6 ir_k5_e6 ir_k5_e6 ir_k5_e3
        ir_k5_e6 ir_k5_e6 ir_k5_e6 ir_k5_e6
        ir_k3_e6""",
}


def test_size_and_numbering():
    assert space.size == 9**22
    expected = ("k3_e1", "k3_e1_g2", "k3_e3", "k3_e6", "k5_e1", "k5_e1_g2", "k5_e3", "k5_e6", "skip")
    assert OPS == expected  # the indices of HW-NAS-Bench


def test_every_notation():
    (x,) = space.sample(1, random_state=0).tolist()
    names = [OPS[op] for op in x]
    forms = [
        x,
        tuple(x),
        names,
        str(x),
        ",".join(names),
        " ".join(map(str, x)),
        " ".join(names),
        "|".join(names),
        {"dataset": "ImageNet", "num_classes": 1000, "op_idx_list": x},
        {f"layer{i + 1}": name for i, name in enumerate(names)},
    ]
    for form in forms:
        np.testing.assert_array_equal(space.parse([form]), [x])
    assert space.format([x]) == [",".join(names)]


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("k3_e1 " * 21, "22 blocks were expected, 21 came"),
        ([0] * 21, "22 genes were expected, 21 came"),
        ("k3_e1 " * 21 + "k7_e1", "'k7_e1' is none of the blocks k3_e1, .* skip"),
        ("0 " * 21 + "9", "'9' is none of the blocks"),
        (["k3_e1"] * 21 + [9], "9 is none of the blocks"),
        ({"op_idx_list": [0] * 23}, "22 blocks were expected, 23 came"),
    ],
)
def test_wrong_architectures_are_refused(arch, message):
    with pytest.raises(InvalidInputError, match=f"Row 1 does not parse: {message}"):
        space.parse(["skip " * 22, arch])


# -- networks ----------------------------------------------------------------------------------


class Block(nn.Module):
    def __init__(self, c_in, c_out, op, stride):
        super().__init__()
        self.residual = c_in == c_out and stride == 1
        if op == "skip":
            conv = nn.Conv2d(c_in, c_out, 1, stride, bias=False)
            self.body = None if self.residual else nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.ReLU())
            return
        kernel, middle, groups = int(op[1]), c_in * int(op[4]), 2 if op.endswith("g2") else 1
        self.body = nn.Sequential(
            nn.Conv2d(c_in, middle, 1, groups=groups, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(),
            nn.ChannelShuffle(groups),
            nn.Conv2d(middle, middle, kernel, stride, kernel // 2, groups=middle, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(),
            nn.Conv2d(middle, c_out, 1, groups=groups, bias=False),
            nn.BatchNorm2d(c_out),
        )

    def forward(self, x):
        if self.body is None:
            return x
        return x + self.body(x) if self.residual and len(self.body) > 3 else self.body(x)


def build(names, dataset):
    """Layer by layer from FBNet's table of stages, with HW-NAS-Bench's two sets of strides."""
    small = dataset == "cifar100"
    strides, features, classes = ((1, 1, 2, 2, 1, 2, 1), 1504, 100) if small else ((1, 2, 2, 2, 1, 2, 1), 1984, 1000)
    stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1 if small else 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    blocks, c_in, names = [], 16, iter(names)
    for c_out, depth, stride in zip((16, 24, 32, 64, 112, 184, 352), (1, 4, 4, 4, 4, 4, 1), strides, strict=True):
        for layer in range(depth):
            blocks.append(Block(c_in, c_out, next(names), 1 if layer else stride))
            c_in = c_out
    head = [nn.Conv2d(352, features, 1, bias=False), nn.BatchNorm2d(features), nn.ReLU()]
    head += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, classes)]
    return nn.Sequential(stem, *blocks, *head).eval(), blocks


def counts(net, resolution):
    """Parameters and multiply-adds of every module, by one forward pass."""
    total = {}
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(lambda m, _, out: total.update({m: out.numel() * m.weight[0].numel()}))
    with torch.no_grad():
        net(torch.zeros(1, 3, resolution, resolution))

    def of(part):
        return sum(p.numel() for p in part.parameters()), sum(total.get(module, 0) for module in part.modules())

    return of


@pytest.mark.parametrize(("dataset", "resolution"), [("ImageNet", 224), ("cifar100", 32)])
def test_cost_against_networks_counted_layer_by_layer(dataset, resolution):
    every = np.stack([np.full(22, op) for op in range(9)])  # each block in each layer
    X = np.vstack([space.canonical(space.sample(3, random_state=0)), every])
    cost, (params, madds) = space.cost(X, dataset=dataset), space.layer_cost(X, dataset)
    assert params.shape == madds.shape == (12, 22)
    for i, x in enumerate(X):
        net, blocks = build([OPS[op] for op in x], dataset)
        of = counts(net, resolution)
        assert (cost["params"][i], cost["madds"][i]) == of(net)
        assert [*zip(params[i], madds[i], strict=True)] == [of(block) for block in blocks]


def test_costs_are_near_the_papers():
    """249, 295 and 375 M multiply-adds; the released networks differ a little (FBNet-A has 1,504 features)."""
    madds = space.cost(list(PAPER.values()))["madds"] / 1e6
    np.testing.assert_allclose(madds, [249, 295, 375], rtol=0.045)


def test_unknown_dataset():
    for method in (space.cost, space.layer_cost, space.blocks):
        with pytest.raises(UnknownNameError, match="dataset of fbnet 'cifar10'. Did you mean 'cifar100'?"):
            method([[0] * 22], dataset="cifar10")


# -- skips -------------------------------------------------------------------------------------


def test_skips_of_a_stage_stand_last():
    x = [8, 8, 8, 0, 1, 3, 8, 8, 4, *[2] * 13]
    c = [8, 8, 0, 1, 8, 3, 4, 8, 8, *[2] * 13]
    assert space.canonical([x]).tolist() == [c]
    others = [[8, 8, 0, 8, 1, *x[5:]], [8, 8, 1, 0, 8, *x[5:]], [0, *x[1:]], [*x[:1], 0, *x[2:]]]
    key = space.key([x, c, *others])
    assert key[0] == key[1] == key[2]
    assert len(set(key.tolist())) == 4


def test_architectures_of_one_key_compute_the_same():
    """With the weights of the blocks in their order, skips left out, the networks are one function."""
    x = space.sample(1, random_state=2)[0]
    x[1:9] = [2, 8, 3, 5, 8, 0, 8, 7]
    y = space.canonical([x])[0]
    assert (x != y).any()
    first, second = (build([OPS[op] for op in genotype], "cifar100")[0].train() for genotype in (x, y))
    image = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = (first(image) - second(image)).abs().max()
        second.load_state_dict(dict(zip(second.state_dict(), first.state_dict().values(), strict=True)))
        after = (first(image) - second(image)).abs().max()
    assert after < 1e-3 < 0.1 < before


def test_graph_leaves_identities_out():
    x = [8, 8, 8, 0, 1, 3, 8, 8, 4, *[2] * 12, 8]
    graph = space.graph([x])
    labels = [graph.op_names[op] for op in graph.ops[0] if op >= 0]
    expected = ["skip_conv", "k3_e1", "k3_e1_g2", "k3_e6", "k5_e1", *["k3_e3"] * 12, "skip_conv"]
    assert labels == expected
    assert graph.adjacency.sum() == len(expected) + 1
    assert len(graph.op_names) == 9


# -- blocks ------------------------------------------------------------------------------------


def milliseconds(name):
    return 1 + zlib.crc32(name.encode()) % 1000


def looked_up(x, dataset):
    """HW-NAS-Bench's sum over its table's keys, one network at a time."""
    small = dataset == "cifar100"
    side, stem_stride, features, classes = (32, 1, 1504, 100) if small else (224, 2, 1984, 1000)
    strides = (1, 1, 2, 2, 1, 2, 1) if small else (1, 2, 2, 2, 1, 2, 1)
    keys = [f"ConvNorm_H{side}_W{side}_Cin3_Cout16_kernel3_stride{stem_stride}_group1"]
    side, c_in, ops = side // stem_stride, 16, iter(x)
    for c_out, depth, stride in zip((16, 24, 32, 64, 112, 184, 352), (1, 4, 4, 4, 4, 4, 1), strides, strict=True):
        for layer in range(depth):
            op, step = OPS[next(ops)], 1 if layer else stride
            shape = f"H{side}_W{side}_Cin{c_in}_Cout{c_out}"
            group = 2 if op.endswith("g2") else 1
            inner = "" if op == "skip" else f"_exp{op[4]}_kernel{op[1]}_stride{step}_group{group}"
            keys.append(f"ConvBlock_{shape}{inner}" if inner else f"Skip_{shape}_stride{step}")
            side, c_in = side // step, c_out
    keys.append(f"ConvNorm_H{side}_W{side}_Cin352_Cout{features}_kernel1_stride1_group1")
    keys.append(f"AvgP_H{side}_W{side}_Cin{features}_Cout{features}_kernel{side}_stride1")
    keys.append(f"FC_Cin{features}_Cout{classes}")
    return sum(map(milliseconds, keys))


@pytest.mark.parametrize("dataset", DATASETS)
def test_latency_of_a_table_of_hw_nas_bench(dataset):
    X = np.vstack([space.sample(20, random_state=0), np.full(22, 8)])
    names, index = space.blocks(X, dataset=dataset)
    assert index.shape == (21, 26)
    table = LatencyTable(space, {name: milliseconds(name) for name in names})
    np.testing.assert_array_equal(table.latency(X, dataset=dataset), [looked_up(x, dataset) for x in X.tolist()])
