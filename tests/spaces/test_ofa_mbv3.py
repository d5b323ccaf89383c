"""Once-for-all MobileNetV3: published notations, published costs, and networks built and counted module by module."""

from __future__ import annotations

import ast
import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from surronas.exceptions import InvalidInputError
from surronas.spaces import get_space
from surronas.spaces.ofa_mbv3 import OPS

space = get_space("ofa_mbv3")
FILES = ("evoga_acc", "evonsga2_acc_macs", "evounsga3_acc_macs_params", "linasga_acc", "linasnsga2_acc_macs")
FULL = {"ks": [3, 5, 7, 3] * 5, "e": [3, 4, 6, 6] * 5, "d": [2, 3, 4, 3, 2], "r": 200, "w": 1.0}
# Codes and decoded subnets of NAT's repository (human-analysis/neural-architecture-transfer, subnets/imagenet).
NAT = {
    "08121105451581189759771": {
        "ks": [5, 3, 3, 5, 3, 5, 3, 5, 5, 3, 3, 5, 7, 3, 5, 7, 3, 3, 3],
        "e": [3, 3, 3, 4, 4, 4, 3, 4, 6, 3, 3, 6, 6, 6, 4, 6, 6, 6, 3],
        "d": [3, 4, 4, 4, 4],
        "r": 224,
        "w": 1.2,
    },
    "08111003100632076009771": {
        "ks": [3, 3, 7, 3, 7, 7, 5, 3, 7, 7, 3, 3, 3],
        "e": [3, 3, 3, 3, 4, 3, 3, 6, 4, 6, 6, 6, 3],
        "d": [2, 2, 3, 2, 4],
        "r": 224,
        "w": 1.2,
    },
    "12115105572981578947781": {
        "ks": [3, 5, 3, 5, 5, 3, 5, 7, 5, 3, 5, 3, 5, 7, 3, 3, 3, 5, 3],
        "e": [3, 4, 3, 4, 4, 6, 3, 6, 6, 3, 4, 6, 6, 6, 4, 6, 6, 6, 3],
        "d": [3, 4, 4, 4, 4],
        "r": 240,
        "w": 1.2,
    },
}


def value(x, gene):
    return space.genes[space.gene_names.index(gene)].choices[x[space.gene_names.index(gene)]]


def short(arch):
    """The dict with the layers that its depths keep, read the plain way."""
    kept = [4 * s + layer for s, d in enumerate(arch["d"]) for layer in range(d)]
    return arch | {key: [arch[key][i] for i in kept] for key in ("ks", "e")}


def test_size():
    stage = sum(9**depth for depth in (2, 3, 4))
    assert space.size == stage**5 * 33 * 2
    assert space.n_genes == 47
    assert space.gene_names[:4] == [
        "stage1_depth",
        "stage1_layer1_kernel",
        "stage1_layer1_expand",
        "stage1_layer2_kernel",
    ]


def test_extremes():
    small, large = space.format([space.smallest(), space.largest()])
    assert json.loads(small) == {"ks": [3] * 10, "e": [3] * 10, "d": [2] * 5, "r": 128, "w": 1.0}
    assert json.loads(large) == {"ks": [7] * 20, "e": [6] * 20, "d": [4] * 5, "r": 256, "w": 1.2}


def test_genes_of_a_dict():
    (x,) = space.parse([FULL])
    assert [value(x, f"stage{s}_depth") for s in range(1, 6)] == FULL["d"]
    for s in range(5):
        for layer in range(4):
            assert value(x, f"stage{s + 1}_layer{layer + 1}_kernel") == FULL["ks"][4 * s + layer]
            assert value(x, f"stage{s + 1}_layer{layer + 1}_expand") == FULL["e"][4 * s + layer]
    assert (value(x, "resolution"), value(x, "width")) == (200, 1.0)


@pytest.mark.parametrize(
    "form",
    [
        FULL,
        short(FULL),
        FULL | {"r": [200]},
        {key: FULL[key] for key in ("ks", "e", "d", "r")},
        {key: FULL[key] for key in ("ks", "e", "d", "r")} | {"wid": None},
        str(FULL | {"wid": None}).replace("'w': 1.0, ", ""),
        json.dumps(short(FULL)),
        json.dumps({key: FULL[key] for key in ("ks", "e", "d", "r")} | {"wid": None}),
        FULL | {"ks": [k if i % 4 < FULL["d"][i // 4] else None for i, k in enumerate(FULL["ks"])]},
        FULL | {"e": [e if i % 4 < FULL["d"][i // 4] else 0 for i, e in enumerate(FULL["e"])]},
        {key: tuple(values) if isinstance(values, list) else values for key, values in FULL.items()},
    ],
)
def test_every_shape_of_the_dict_is_one_architecture(form):
    np.testing.assert_array_equal(space.canonical(space.parse([form])), space.canonical(space.parse([FULL])))


def test_one_number_stands_for_all_layers():
    whole = {"ks": [7] * 20, "e": [4] * 20, "d": [3] * 5, "r": 224, "w": 1.0}
    np.testing.assert_array_equal(space.parse([{"ks": 7, "e": 4, "d": 3}]), space.parse([whole]))


def test_resolution_and_width_have_the_supernets_defaults():
    (x,) = space.parse([{key: FULL[key] for key in ("ks", "e", "d")}])
    assert (value(x, "resolution"), value(x, "width")) == (224, 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ks": [3] * 19}, "'ks' must have 20 entries, or the 14 of the layers that 'd' keeps, not 19"),
        ({"e": [5] * 20}, "'e' must hold one of 3, 4, 6, not 5"),
        ({"d": [1, 2, 2, 2, 2]}, "'d' must hold one of 2, 3, 4, not 1"),
        ({"d": [2, 2, 2, 2]}, "'d' must have 5 depths, not 4"),
        ({"r": 225}, "'r' must hold one of 128, 132.* not 225"),
        ({"r": [200, 224]}, "too many values"),
        ({"w": 1.1}, "'w' must hold one of 1.0, 1.2, not 1.1"),
        ({"ks": [None, *FULL["ks"][1:]]}, "'ks' must hold one of 3, 5, 7, not None"),
        ({"se": 1}, "OFA's keys are .* not ks, e, d, r, w, se"),
    ],
)
def test_a_wrong_dict_is_refused(change, message):
    with pytest.raises(InvalidInputError, match=f"Row 1 does not parse: .*{message}"):
        space.parse([FULL, FULL | change])


def test_format_and_to_ofa():
    X = space.sample(50, random_state=1)
    for written, whole in zip(space.format(X), space.to_ofa(X), strict=True):
        assert json.loads(written) == short(whole)
    np.testing.assert_array_equal(space.canonical(X), space.parse(space.to_ofa(X)))
    assert len(set(space.format(X))) == 50


def test_arrays_of_a_wrong_width_are_not_taken_for_codes():
    X = space.sample(3, random_state=0)
    for wrong in (X[:, 1:], X[:, :-1], X[:, :22]):
        with pytest.raises(InvalidInputError, match=r"shape \(n, 47\)"):
            space.parse(wrong)
    with pytest.raises(InvalidInputError, match="47 genes, MSuNAS's 46 integers or NAT's 22 were expected, 45 "):
        space.parse([[0] * 45])


# -- MSuNAS ------------------------------------------------------------------------------------


def msunas(arch):
    """MSuNAS's encoding, a stage at a time: depth, four kernels, four expansions, padded by 0."""
    code = []
    for s, depth in enumerate(arch["d"]):
        pad = [0] * (4 - depth)
        code.append(depth - 2)
        code += [(k - 3) // 2 for k in arch["ks"][4 * s : 4 * s + depth]] + pad
        code += [(3, 4, 6).index(e) for e in arch["e"][4 * s : 4 * s + depth]] + pad
    return [*code, (arch["r"] - 192) // 4]


def test_msunas():
    X = space.sample(200, random_state=0)
    X = space.canonical(X[X[:, -2] >= 16])
    X[:, -1] = 0
    codes = space.to_msunas(X)
    assert codes.tolist() == [msunas(arch) for arch in space.to_ofa(X)]
    np.testing.assert_array_equal(space.parse(codes.tolist()), X)
    np.testing.assert_array_equal(space.from_msunas(codes), X)
    wide = space.from_msunas(codes, width=1.2)
    assert (wide[:, -1] == 1).all()
    np.testing.assert_array_equal(space.to_msunas(wide, width=1.2), codes)


def test_a_zero_of_msunas_is_kernel_3_only_where_the_depth_says_so():
    shallow, deep = [0] * 46, [0] * 46
    deep[0] = 2
    X = space.parse([shallow, deep])
    assert [json.loads(text)["d"][0] for text in space.format(X)] == [2, 4]
    assert [len(json.loads(text)["ks"]) for text in space.format(X)] == [10, 12]
    noisy = list(shallow)
    noisy[3] = noisy[4] = 2  # kernels of layers that depth 2 leaves out
    assert space.key(space.parse([noisy]))[0] == space.key(X)[0]
    assert space.to_msunas(space.parse([noisy]))[0].tolist() == shallow


def test_what_msunas_cannot_say_is_refused():
    with pytest.raises(InvalidInputError, match="no width, all .* width 1.0. Got 1.2 in row 1"):
        space.to_msunas([FULL, FULL | {"w": 1.2}])
    with pytest.raises(InvalidInputError, match="MSuNAS's 46 integers have resolutions from 192 on. Got 160 in row 1"):
        space.to_msunas([FULL, FULL | {"r": 160}])
    with pytest.raises(
        InvalidInputError, match="Row 0 does not parse: MSuNAS's codes must be 0 to 2 at place 7. Got 3"
    ):
        space.parse([[0] * 7 + [3] + [0] * 38])
    with pytest.raises(InvalidInputError, match="must be 0 to 16 at place 45. Got 17 in row 1."):
        space.from_msunas([[0] * 46, [0] * 45 + [17]])


# -- NAT ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "subnet"), NAT.items())
def test_nat_codes(code, subnet):
    X = space.parse([subnet])
    integers = [int(code[:2]), *map(int, code[2:])]
    for form in (code, f"{code[:2]} {code[2]} {code[3:7]} {code[7:]}", integers):
        np.testing.assert_array_equal(space.parse([form]), X)
    np.testing.assert_array_equal(space.to_nat(X), [integers])
    assert space.format(X) == [json.dumps(subnet)]


def test_nat_round_trip():
    X = space.sample(200, random_state=3)
    X = space.canonical(X[X[:, -2] >= 16])
    np.testing.assert_array_equal(space.from_nat(space.to_nat(X)), X)
    np.testing.assert_array_equal(space.parse(space.to_nat(X).tolist()), X)


def test_a_code_of_another_length_is_refused():
    with pytest.raises(InvalidInputError, match="NAT's codes have 23 characters, two for the resolution, 22 came"):
        space.parse(["8" + next(iter(NAT))[2:]])


@pytest.mark.parametrize("stage", [[1, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 1, 1, 1], [1, 1, 0, 1]])
def test_nat_codes_with_gaps_are_refused(stage):
    code = [8, 0, *[1, 1, 1, 0] * 5]
    code[6:10] = stage
    with pytest.raises(InvalidInputError, match="2 to 4 layers at the front of each stage.*in stage 2 of row 1"):
        space.from_nat([[8, 0, *[1, 1, 1, 0] * 5], code])


def test_what_nat_cannot_say_is_refused():
    with pytest.raises(InvalidInputError, match="NAT's codes have resolutions from 192 on. Got 128 in row 0"):
        space.to_nat([space.smallest().tolist()])
    with pytest.raises(InvalidInputError, match="must be 0 to 1 at place 1. Got 2 in row 0"):
        space.from_nat([[8, 2, *[1, 1, 1, 0] * 5]])
    with pytest.raises(InvalidInputError, match=r"shape \(n, 22\). Got \(1, 21\)"):
        space.from_nat([[8, 1, *[1, 1, 1, 0] * 4, 1, 1, 1]])


@pytest.mark.needs_data("ofa_mbv3/NAT-M1.net.encoding")
def test_nat_m1(shared_data):
    encoding = (shared_data / "ofa_mbv3" / "NAT-M1.net.encoding").read_text()
    subnet = (shared_data / "ofa_mbv3" / "NAT-M1.net.subnet").read_text()
    X = space.parse([encoding, subnet])
    np.testing.assert_array_equal(X[0], X[1])
    assert space.format(X)[0] == subnet
    assert "".join(f"{code:02d}" if i == 0 else str(code) for i, code in enumerate(space.to_nat(X)[0])) == encoding
    assert space.cost(X)["madds"][0] == pytest.approx(225e6, rel=0.015)  # the paper's 225 M


# -- graph and cost ----------------------------------------------------------------------------


def test_graph_is_the_chain_of_blocks():
    X = space.parse([FULL])
    graph = space.graph(X)
    labels = [graph.op_names[op] for op in graph.ops[0] if op >= 0]
    assert labels == [f"mb{e}_k{k}" for e, k in zip(short(FULL)["e"], short(FULL)["ks"], strict=True)]
    assert len(OPS) == 9
    assert graph.adjacency.sum() == sum(FULL["d"]) + 1


@pytest.mark.needs_data("ofa_mbv3/mbnv3w10_evoga_acc.csv")
@pytest.mark.parametrize("name", FILES)
def test_cost_equals_the_published_columns(shared_data, name):
    frame = pd.read_csv(shared_data / "ofa_mbv3" / f"mbnv3w10_{name}.csv")
    cost = space.cost(frame["Sub-network"])
    np.testing.assert_array_equal(cost["params"], frame["Model Parameters"])
    np.testing.assert_array_equal(cost["madds"], frame["MACs"])
    archs = [ast.literal_eval(text) for text in frame["Sub-network"]]
    np.testing.assert_array_equal(space.parse(archs), space.parse(frame["Sub-network"]))


def test_nat_costs_are_about_the_published():
    """MAdds of NAT-M3, M2, M4 as their paper rounds and counts them."""
    madds = space.cost(list(NAT))["madds"] / 1e6
    np.testing.assert_allclose(madds, [490, 312, 600], rtol=0.03)


def rounded(channels):
    down = max(8, 8 * math.floor(channels / 8 + 0.5))
    return down + 8 if down < 0.9 * channels else down


class Block(nn.Module):
    def __init__(self, c_in, c_out, expand, kernel, stride, squeeze):
        super().__init__()
        mid = rounded(c_in * expand)
        self.body = nn.Sequential()
        if expand > 1:
            self.body.append(nn.Sequential(nn.Conv2d(c_in, mid, 1, bias=False), nn.BatchNorm2d(mid)))
        depthwise = nn.Conv2d(mid, mid, kernel, stride, kernel // 2, groups=mid, bias=False)
        self.body.append(nn.Sequential(depthwise, nn.BatchNorm2d(mid)))
        hidden = rounded(mid // 4)
        squeezing = (nn.AdaptiveAvgPool2d(1), nn.Conv2d(mid, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, mid, 1))
        self.squeeze = nn.Sequential(*squeezing) if squeeze else None
        self.tail = nn.Sequential(nn.Conv2d(mid, c_out, 1, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x):
        x = self.body(x)
        return self.tail(x if self.squeeze is None else x * self.squeeze(x))


def build(arch, num_classes):
    """The network of one dict, from the architecture's description, and its blocks."""
    stem, *stages = (rounded(arch["w"] * c) for c in (16, 24, 40, 80, 112, 160))
    features = [nn.Conv2d(3, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), Block(stem, stem, 1, 3, 1, False)]
    blocks, c_in = {}, stem
    for s, (c_out, stride, squeeze) in enumerate(zip(stages, (2, 2, 2, 1, 2), (0, 1, 0, 1, 1), strict=True)):
        for layer in range(arch["d"][s]):
            place = 4 * s + layer
            blocks[place] = Block(c_in, c_out, arch["e"][place], arch["ks"][place], 1 if layer else stride, squeeze)
            c_in = c_out
    wide, mixed = rounded(960 * arch["w"]), rounded(1280 * arch["w"])
    head = [nn.Conv2d(c_in, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.AdaptiveAvgPool2d(1)]
    head += [nn.Conv2d(wide, mixed, 1, bias=False), nn.Flatten(), nn.Linear(mixed, num_classes)]
    return nn.Sequential(*features, *blocks.values(), *head), blocks


def counted(module, net, resolution):
    """Parameters and multiply-adds of a module within a network, by a forward pass."""
    total = []

    def count(layer, inputs, output):
        per_output = layer.weight[0].numel()
        total.append(output.numel() * per_output)

    layers = [layer for layer in module.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        net(torch.zeros(1, 3, resolution, resolution))
    for hook in hooks:
        hook.remove()
    return sum(p.numel() for p in module.parameters()), sum(total)


@pytest.mark.parametrize("num_classes", [1000, 10])
def test_cost_against_networks_counted_layer_by_layer(num_classes):
    X = np.vstack([space.sample(5, random_state=num_classes), space.smallest(), space.largest()])
    X[:5, -1] = [0, 1, 0, 1, 1]
    cost, (params, madds) = space.cost(X, num_classes=num_classes), space.layer_cost(X)
    for i, arch in enumerate(space.to_ofa(X)):
        net, blocks = build(arch, num_classes)
        net.eval()
        assert (cost["params"][i], cost["madds"][i]) == counted(net, net, arch["r"])
        if i % 3 == 0:
            for place in range(20):
                expected = counted(blocks[place], net, arch["r"]) if place in blocks else (0, 0)
                assert (params[i, place], madds[i, place]) == expected


def test_layer_cost_has_the_documented_shape():
    params, madds = space.layer_cost(space.sample(7, random_state=0))
    assert params.shape == madds.shape == (7, 20)
    assert params.dtype == madds.dtype == np.float64


def test_empty_batches():
    X = space.sample(0)
    assert space.format(X) == space.to_ofa(X) == []
    assert space.to_nat(X).shape == (0, 22)
    assert space.to_msunas(X).shape == (0, 46)
    assert space.layer_cost(X)[0].shape == (0, 20)
    assert space.cost(X).shape == (0, 2)
    assert len(space.graph(X)) == 0
    assert space.blocks(X)[1].shape == (0, 25)
