"""NAS-Bench-MR (Ding et al., 2022) against its files and against the network of torch modules."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from surronas.datasets.pickles import load_pickle
from surronas.exceptions import InvalidInputError
from surronas.spaces import get_space

space = get_space("nasbench_mr")
README = "96_128-1_1_1_48-1_2_1_1_128_8-1_3_1_1_1_128_128_120-4_4_4_4_4_4_128_128_128_128-64"
README_EMBEDDING = [
    96,
    128,
    1,
    1,
    48,
    1,
    1,
    1,
    128,
    8,
    1,
    1,
    1,
    1,
    128,
    128,
    120,
    4,
    4,
    4,
    4,
    4,
    128,
    128,
    128,
    128,
    64,
]
README_DICT = {
    "input_channel": [96, 128],
    "network_setting": [
        [1, [1], [48]],
        [2, [1, 1], [128, 8]],
        [3, [1, 1, 1], [128, 128, 120]],
        *4 * [[4, [4, 4, 4, 4], [128, 128, 128, 128]]],
    ],
    "last_channel": 64,
}


def test_every_notation_of_the_readme():
    X = space.from_embedding([README_EMBEDDING])
    assert space.to_embedding(X).tolist() == [README_EMBEDDING]
    assert space.format(X) == [README]
    np.testing.assert_array_equal(space.parse([README, README_DICT, str(README_EMBEDDING)]), X.repeat(3, axis=0))
    by_gene = dict(zip(space.gene_names, README_EMBEDDING, strict=True))
    np.testing.assert_array_equal(space.parse([by_gene]), X)


def test_size():
    assert space.size == 16**13 * 4**14


@pytest.fixture(scope="module")
def published(shared_data):
    return load_pickle(shared_data / "nasbench_mr" / "seg.pkl")


@pytest.mark.needs_data("nasbench_mr/seg.pkl")
def test_embeddings_and_dicts_of_the_file_agree(published):
    X = space.from_embedding([record["embedding"] for record in published])
    assert len(np.unique(space.key(X))) == len(published) == 2_507
    np.testing.assert_array_equal(space.parse(published), X)
    np.testing.assert_array_equal(space.parse(space.format(X)), X)
    np.testing.assert_array_equal(space.canonical(X), X)


@pytest.mark.needs_data("nasbench_mr/seg.pkl")
def test_cost_equals_the_published_columns(published):
    cost = space.cost(space.parse(published))
    np.testing.assert_array_equal(cost["params"] / 1e6, [record["params"] for record in published])
    np.testing.assert_array_equal(cost["flops"] / 1e9, [record["flops"] for record in published])


class Convolution(nn.Sequential):
    def __init__(self, c_in, c_out, kernel, stride=1):
        conv = nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, bias=False)
        super().__init__(conv, nn.BatchNorm2d(c_out), nn.ReLU())


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(Convolution(width, width, 3), Convolution(width, width, 3))

    def forward(self, x):
        return x + self.body(x)


class Module(nn.Module):
    def __init__(self, inputs, blocks, outputs):
        super().__init__()
        self.fusions = nn.ModuleDict()
        for i, c_out in enumerate(outputs[: len(inputs)]):
            for j, c_in in enumerate(inputs):
                if abs(i - j) <= 1:
                    kernel, stride = (1, 1) if j > i else (3, 1 if i == j else 2)
                    self.fusions[f"{j}{i}"] = Convolution(c_in, c_out, kernel, stride)
        self.new = Convolution(outputs[-2], outputs[-1], 3, 2) if len(outputs) > len(inputs) else None
        self.branches = nn.ModuleList(
            nn.Sequential(*(Residual(width) for _ in range(count)))
            for count, width in zip(blocks, outputs, strict=True)
        )

    def forward(self, inputs):
        maps = []
        for i, same in enumerate(inputs):
            terms = [f(inputs[int(name[0])]) for name, f in self.fusions.items() if int(name[1]) == i]
            maps.append(sum(nn.functional.interpolate(term, size=same.shape[2:]) for term in terms))
        maps += [] if self.new is None else [self.new(maps[-1])]
        return [branch(x) for branch, x in zip(self.branches, maps, strict=True)]


def counted(setting, num_classes, resolution):
    """Parameters, multiply-adds and elements of batch normalisations of the network, run on an image."""
    first, second = setting["input_channel"]
    modules, inputs = [], [second]
    for _, blocks, channels in setting["network_setting"]:
        modules.append(Module(inputs, blocks, channels))
        inputs = channels
    stem = nn.Sequential(Convolution(3, first, 3, 2), Convolution(first, second, 3, 2))
    join = Convolution(sum(inputs), setting["last_channel"], 1)
    classifier = nn.Linear(setting["last_channel"], num_classes)
    network = nn.ModuleList([stem, *modules, join, classifier])
    madds, normalised = [], []
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(lambda m, _, y: madds.append(m.weight[0].numel() * y.numel()))
        if isinstance(layer, nn.BatchNorm2d):
            layer.register_forward_hook(lambda m, _, y: normalised.append(y.numel()))
    with torch.no_grad():
        network.eval()
        maps = [stem(torch.zeros(1, 3, resolution, resolution))]
        for module in modules:
            maps = module(maps)
        joined = join(torch.cat([nn.functional.interpolate(x, size=maps[-1].shape[2:]) for x in maps], dim=1))
        classifier(joined.mean(dim=(2, 3)))
    return sum(p.numel() for p in network.parameters()), sum(madds), sum(normalised)


@pytest.mark.parametrize("network", [{"num_classes": 50, "resolution": 128}, {"num_classes": 7, "resolution": 100}])
def test_cost_is_that_of_the_network(network):
    small = {
        "input_channel": [16, 24],
        "network_setting": [
            *2 * [[1, [2], [8]]],
            [2, [1, 3], [16, 8]],
            *2 * [[3, [1, 2, 1], [8, 24, 16]]],
            *3 * [[4, [1, 1, 2, 1], [8, 16, 8, 32]]],
        ],
        "last_channel": 40,
    }
    for arch in (small, README_DICT):
        params, madds, normalised = counted(arch, **network)
        flops = madds + 2 * normalised + network["num_classes"]
        assert space.cost(space.parse([arch]), **network).loc[0].to_dict() == {
            "params": params,
            "madds": madds,
            "flops": flops,
        }


def test_graph_has_the_fusions():
    graph = space.graph(space.parse([README]))
    ops, adjacency = graph.ops[0], graph.adjacency[0]
    widths = [48, 128, 8, 128, 128, 120, 128, 128, 128, 128]
    assert [graph.op_names[op] for op in ops[1:-1]] == [f"{width}_channels" for width in widths]
    before = [np.flatnonzero(adjacency[:, node]).tolist() for node in range(1, 12)]
    stage4 = [[4, 5], [4, 5, 6], [5, 6], [5, 6]]  # the new branch is made of the third one's fusion
    assert before == [[0], [1], [1], [2, 3], [2, 3], [2, 3], *stage4, [7, 8, 9, 10]]


def test_smallest_and_largest_are_the_cheapest_and_the_dearest():
    cost = space.cost([space.smallest(), space.largest(), *space.sample(200, random_state=0)])
    assert (cost.loc[0] == cost.min()).all()
    assert (cost.loc[1] == cost.max()).all()
    assert set(space.to_embedding([space.largest()])[0]) == {4, 128}


@pytest.mark.parametrize(
    ("arch", "why"),
    [
        (README[:-3], "not of the form"),
        (README.replace("-1_3_", "-1_2_"), "stages of 1, 2, 3 and 4 branches"),
        (README.replace("_48-", "_50-"), "'stage1_branch1_channels' must be one of"),
        (README.replace("-4_4", "-5_4"), "'stage4_modules' must be one of"),
        ("a_b-c", "invalid literal"),
        (str(README_EMBEDDING[1:]), "27 integers were expected, 26 came"),
        ({**README_DICT, "network_setting": README_DICT["network_setting"][1:]}, "stages of 1, 2, 3 and 4"),
        ({**README_DICT, "network_setting": 5 * [[1, [1], [8]]] + README_DICT["network_setting"][1:]}, "modules'"),
        ({"network_setting": README_DICT["network_setting"], "last_channel": 64}, "input_channel"),
        ({"input_channel": [96, 128]}, "no gene 'input_channel'"),
        (README_EMBEDDING[1:], "27 genes were expected, 26 came"),
        (3.5, "float"),
    ],
)
def test_what_does_not_parse_names_row_and_reason(arch, why):
    with pytest.raises(InvalidInputError, match="Row 1 does not parse") as error:
        space.parse([README, arch])
    assert why in str(error.value)


@pytest.mark.parametrize("value", [65, 136, 0, -8])
def test_a_wrong_embedding_names_row_and_gene(value):
    wrong = [README_EMBEDDING, [*README_EMBEDDING[:-1], value]]
    with pytest.raises(InvalidInputError, match=rf"for gene 'head_channels' \(gene 26\). Got {value} in row 1"):
        space.from_embedding(wrong)
    with pytest.raises(InvalidInputError, match=r"must have shape \(n, 27\).* \(1, 26\)"):
        space.from_embedding([README_EMBEDDING[:-1]])
