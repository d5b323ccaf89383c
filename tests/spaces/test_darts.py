"""DARTS cells: notations, relabelling, and costs against published columns and counted networks."""

from __future__ import annotations

import ast
from collections import namedtuple
from itertools import permutations
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from surronas.encoders import get_encoder
from surronas.exceptions import InvalidInputError
from surronas.spaces import get_space
from surronas.spaces.darts import OPS

space = get_space("darts")
Genotype = namedtuple("Genotype", "normal normal_concat reduce reduce_concat")

# The cell that DARTS found with second-order gradients (Liu et al., 2019).
DARTS_V2 = Genotype(
    normal=[
        ("sep_conv_3x3", 0),
        ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 0),
        ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 1),
        ("skip_connect", 0),
        ("skip_connect", 0),
        ("dil_conv_3x3", 2),
    ],
    normal_concat=[2, 3, 4, 5],
    reduce=[
        ("max_pool_3x3", 0),
        ("max_pool_3x3", 1),
        ("skip_connect", 2),
        ("max_pool_3x3", 1),
        ("max_pool_3x3", 0),
        ("skip_connect", 2),
        ("skip_connect", 2),
        ("max_pool_3x3", 1),
    ],
    reduce_concat=[2, 3, 4, 5],
)
COMPACT = [[(i, OPS.index(op)) for op, i in cell] for cell in (DARTS_V2.normal, DARTS_V2.reduce)]

# Edges and node inputs of a configuration of NAS-Bench-301's space as ConfigSpace writes it.
CONFIG = {
    "NetworkSelectorDatasetInfo:darts:init_channels": 32,
    "OptimizerSelector:optimizer": "sgd",
    **{
        f"NetworkSelectorDatasetInfo:darts:{key}": value
        for key, value in {
            "edge_normal_0": "max_pool_3x3",
            "edge_normal_1": "sep_conv_5x5",
            "edge_normal_2": "avg_pool_3x3",
            "edge_normal_3": "avg_pool_3x3",
            "edge_normal_5": "avg_pool_3x3",
            "edge_normal_6": "avg_pool_3x3",
            "edge_normal_11": "dil_conv_3x3",
            "edge_normal_12": "skip_connect",
            "inputs_node_normal_3": "0_1",
            "inputs_node_normal_4": "0_1",
            "inputs_node_normal_5": "2_3",
            "edge_reduce_0": "dil_conv_5x5",
            "edge_reduce_1": "sep_conv_3x3",
            "edge_reduce_2": "max_pool_3x3",
            "edge_reduce_3": "max_pool_3x3",
            "edge_reduce_5": "dil_conv_5x5",
            "edge_reduce_7": "avg_pool_3x3",
            "edge_reduce_10": "max_pool_3x3",
            "edge_reduce_12": "dil_conv_3x3",
            "inputs_node_reduce_3": "0_1",
            "inputs_node_reduce_4": "0_2",
            "inputs_node_reduce_5": "1_3",
        }.items()
    },
}


def cells_of(x):
    """The two cells as lists of (operation, input), read off the genes by name."""
    arch = {gene.name: gene.choices[code] for gene, code in zip(space.genes, x, strict=True)}
    return [
        [
            (arch[f"{cell}_{node}_op{which}"], arch.get(f"{cell}_{node}_inputs", (0, 1))[which - 1])
            for node in (2, 3, 4, 5)
            for which in (1, 2)
        ]
        for cell in ("normal", "reduce")
    ]


def relabelled(cell, order):
    """The cell with inner node k drawn as order[k - 2], or None where an edge would run backwards."""
    new = [0, 1, *order]
    edges = [(new[i], new[2 + place // 2], op) for place, (op, i) in enumerate(cell)]
    if any(i >= j for i, j, _ in edges):
        return None
    return [(op, i) for j in (2, 3, 4, 5) for i, end, op in edges if end == j]


# -- notations ---------------------------------------------------------------------------------


def test_every_notation_reads_the_same():
    forms = [
        DARTS_V2,
        DARTS_V2._replace(normal_concat=range(2, 6)),
        DARTS_V2._asdict(),
        repr(DARTS_V2),
        repr(DARTS_V2._replace(normal_concat=range(2, 6), reduce_concat=range(2, 6))),
        str(DARTS_V2._asdict()),
        COMPACT,
        str(COMPACT),
        tuple(tuple(cell) for cell in COMPACT),
        [np.array(cell) for cell in COMPACT],
        (DARTS_V2.normal, DARTS_V2.reduce),
    ]
    X = space.parse(forms)
    assert (X == X[0]).all()
    for ours, theirs in zip(cells_of(X[0]), (DARTS_V2.normal, DARTS_V2.reduce), strict=True):
        for node in range(4):
            assert set(ours[2 * node : 2 * node + 2]) == set(theirs[2 * node : 2 * node + 2])


def test_a_configuration_of_nas_bench_301_has_the_inputs_that_it_states():
    normal, reduction = cells_of(space.parse([CONFIG])[0])
    for cell, name in ((normal, "normal"), (reduction, "reduce")):
        for node in (3, 4, 5):
            stated = CONFIG[f"NetworkSelectorDatasetInfo:darts:inputs_node_{name}_{node}"]
            assert "_".join(str(i) for _, i in cell[2 * node - 4 : 2 * node - 2]) == stated
    forms = [CONFIG, str(CONFIG), SimpleNamespace(get_dictionary=lambda: CONFIG)]
    assert len(np.unique(space.parse(forms), axis=0)) == 1
    assert normal[-2:] == [("dil_conv_3x3", 2), ("skip_connect", 3)]
    assert reduction[:2] == [("dil_conv_5x5", 0), ("sep_conv_3x3", 1)]


def test_format_writes_a_genotype():
    X = space.sample(200, random_state=0)
    texts = space.format(X)
    np.testing.assert_array_equal(space.parse(texts), X)
    for x, text in zip(X[:20], texts, strict=False):
        genotype = eval(text, {"Genotype": Genotype, "range": range})
        assert [genotype.normal, genotype.reduce] == cells_of(x)
        assert list(genotype.normal_concat) == list(genotype.reduce_concat) == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("arch", "why"),
    [
        (DARTS_V2._replace(normal_concat=[4, 5]), "normal_concat must be the nodes 2 to 5, not [4, 5]"),
        (DARTS_V2._replace(normal=DARTS_V2.normal[:6]), "a cell has eight (operation, input) pairs, not 6"),
        (DARTS_V2._replace(reduce=[("none", 0), *DARTS_V2.reduce[1:]]), "'none' is none of max_pool_3x3"),
        (DARTS_V2._replace(reduce=[("skip_connect", 1), *DARTS_V2.reduce[1:]]), "node 2 must read two different"),
        (DARTS_V2._replace(reduce=[("skip_connect", 2), *DARTS_V2.reduce[1:]]), "not 2 and 1"),
        ([COMPACT[0], [(0, 7), *COMPACT[1][1:]]], "operation code must be from 0 to 6, not 7"),
        ({"normal": DARTS_V2.normal}, "no field 'reduce'"),
        ({"edge_normal_0": "skip_connect"}, "node 2 of the normal cell must have two of the edges"),
        ("Genotype(normal=open('x'), reduce=[])", "malformed"),
        (
            "Genotype(normal=[], normal_concat=range(1000000000000000), reduce=[])",
            "must be the nodes 2 to 5, not range(0, 1000",
        ),
        (
            "Genotype(normal=[], normal_concat=range(10000000000000000000), reduce=[])",
            "Row 1 does not parse",
        ),
        ("-" * 100_000 + "1", "Row 1 does not parse"),
        ("exec('x')", "not of the form Genotype"),
        ("Genotype(normal=", "Row 1 does not parse"),
        (3.5, "float"),
    ],
)
def test_what_does_not_parse_names_row_and_value(arch, why):
    with pytest.raises(InvalidInputError, match="Row 1 does not parse") as error:
        space.parse([COMPACT, arch])
    assert why in str(error.value)


# -- canonical form ----------------------------------------------------------------------------


def test_every_drawing_of_the_cells_has_their_canonical_form():
    found = 0
    for x in space.sample(40, random_state=1):
        normal, reduction = cells_of(x)
        drawings = [
            (a, b)
            for first in permutations((2, 3, 4, 5))
            for second in permutations((2, 3, 4, 5))
            if (a := relabelled(normal, first)) and (b := relabelled(reduction, second))
        ]
        C = space.canonical(space.parse([*drawings, (normal, reduction)]))
        assert (C == C[-1]).all()
        assert C[-1].tolist() in space.parse(drawings).tolist()
        found += len(drawings)
    assert found > 100


def test_keys_are_equal_for_isomorphic_cells_and_only_for_them():
    """Few operations, so that many of the random cells are isomorphic; networkx decides."""
    X = space.sample(150, random_state=2, unique=False)
    for i, gene in enumerate(space.genes):
        X[:, i] = X[:, i] % 2 if gene.name.endswith("inputs") else 0
    X[:, 1:3] = 0
    graphs = []
    for x in X:
        graph = nx.DiGraph()
        for name, cell in zip("nr", cells_of(x), strict=True):
            graph.add_nodes_from([(f"{name}{i}", {"kind": f"{name}{i}" if i < 2 else name}) for i in range(6)])
            graph.add_edges_from(
                (f"{name}{i}", f"{name}{2 + place // 2}", {"op": op}) for place, (op, i) in enumerate(cell)
            )
        graphs.append(graph)
    key = space.key(X)
    same = [
        nx.is_isomorphic(
            graphs[0], graph, node_match=lambda a, b: a["kind"] == b["kind"], edge_match=lambda a, b: a == b
        )
        for graph in graphs
    ]
    assert 1 < sum(same) < 150
    np.testing.assert_array_equal(key == key[0], same)
    assert len(np.unique(key)) < len(np.unique(X, axis=0))


def test_size_counts_genotypes():
    assert space.size == (3 * 6 * 10 * 7**8) ** 2


# -- graph -------------------------------------------------------------------------------------


def test_graph_is_the_two_cells_side_by_side():
    graph = space.graph(space.parse([DARTS_V2]))
    A, ops = graph.adjacency[0], graph.ops[0]
    names = [graph.op_names[op] if op >= 0 else "" for op in ops]
    assert sorted(names[1:9]) == sorted(f"normal_{op}" for op, _ in DARTS_V2.normal)
    assert sorted(names[9:17]) == sorted(f"reduce_{op}" for op, _ in DARTS_V2.reduce)
    assert A[1:17, 17].all()
    assert not A[1:9, 9:17].any()
    # Of the normal cell only the dilated convolution reads an inner node, the first: two separable convolutions.
    assert A[0, 1:9].sum() == 7
    dilated = names.index("normal_dil_conv_3x3")
    assert [names[i] for i in np.flatnonzero(A[:, dilated])] == ["normal_sep_conv_3x3"] * 2
    # Of the reduction cell the three skip connections do, which all read the first node: two poolings.
    assert A[0, 9:17].sum() == 5
    for skip in (i for i, name in enumerate(names) if name == "reduce_skip_connect"):
        assert [names[i] for i in np.flatnonzero(A[:, skip])] == ["reduce_max_pool_3x3"] * 2


def test_longest_paths_of_the_features_are_depths():
    encoder = get_encoder("graph_features", space=space).set_output(transform="pandas").fit([[0] * space.n_genes])
    frame = encoder.transform(space.parse([DARTS_V2]))
    assert frame["longest[normal_sep_conv_3x3]"].item() == 1
    assert frame["longest[reduce_skip_connect]"].item() == 1
    assert frame["count[reduce_max_pool_3x3]"].item() == 5


# -- cost --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(shared_data):
    return pd.read_csv(shared_data / "nasbench301" / "zc13_500.csv")


@pytest.mark.needs_data("nasbench301/zc13_500.csv")
def test_cost_equals_the_published_columns(published):
    cost = space.cost(space.parse(published["arch"]))
    np.testing.assert_array_equal(cost["params"], np.rint(published["params"] * 1e6))
    np.testing.assert_array_equal(cost["flops"], np.rint(published["flops"] * 1e6))


@pytest.mark.needs_data("nasbench301/zc13_500.csv")
def test_naslib_numbers_operations_so_and_not_otherwise(published):
    """Exchanging any two operation codes contradicts published parameters, or FLOPs; the poolings cost the same."""
    archs = [ast.literal_eval(arch) for arch in published["arch"]]
    expected = np.rint(published[["params", "flops"]] * 1e6).to_numpy()
    for a in range(7):
        for b in range(a):
            swap = {a: b, b: a}
            swapped = [[[(i, swap.get(op, op)) for i, op in cell] for cell in arch] for arch in archs]
            wrong = (space.cost(space.parse(swapped))[["params", "flops"]] != expected).any(axis=1).sum()
            assert wrong == 0 if (b, a) == (0, 1) else wrong > 300


class Cell(nn.Module):
    """A cell of a network trained from scratch, as Liu et al. describe it."""

    def __init__(self, genotype, before, width, reduces, after_reduction):
        super().__init__()
        if after_reduction:
            halves = nn.ModuleList([nn.Conv2d(before[0], width // 2, 1, stride=2, bias=False) for _ in range(2)])
            self.first = nn.ModuleList([halves, nn.BatchNorm2d(width)])
        else:
            self.first = nn.Sequential(nn.Conv2d(before[0], width, 1, bias=False), nn.BatchNorm2d(width))
        self.second = nn.Sequential(nn.Conv2d(before[1], width, 1, bias=False), nn.BatchNorm2d(width))
        self.ops = nn.ModuleList([operation(op, width, reduces and i < 2) for op, i in genotype])


def operation(name, width, halves):
    if name == "skip_connect":
        reduce = [nn.Conv2d(width, width // 2, 1, stride=2, bias=False) for _ in range(2)]
        return nn.ModuleList([*reduce, nn.BatchNorm2d(width)]) if halves else nn.Identity()
    if name.endswith("pool_3x3"):
        return nn.MaxPool2d(3, padding=1)
    layers = []
    for _ in range(2 if name.startswith("sep") else 1):
        layers.append(nn.Conv2d(width, width, int(name[-1]), groups=width, bias=False))
        layers += [nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width)]
    return nn.Sequential(*layers)


def network(normal, reduction, channels, layers, num_classes):
    parts = [nn.Conv2d(3, 3 * channels, 3, bias=False), nn.BatchNorm2d(3 * channels)]
    before, width, reduced = (3 * channels, 3 * channels), channels, False
    for layer in range(layers):
        reduces = layer in (layers // 3, 2 * layers // 3)
        width *= 2 if reduces else 1
        parts.append(Cell(reduction if reduces else normal, before, width, reduces, reduced))
        before, reduced = (before[1], 4 * width), reduces
    return nn.ModuleList([*parts, nn.Linear(before[1], num_classes)])


@pytest.mark.parametrize(("channels", "layers", "num_classes"), [(8, 5, 10), (6, 8, 7), (4, 20, 100)])
def test_parameters_are_those_of_counted_networks(channels, layers, num_classes):
    X = space.sample(12, random_state=channels)
    cost = space.cost(X, channels=channels, layers=layers, num_classes=num_classes, affine=True)
    with torch.device("meta"):
        counted = [sum(p.numel() for p in network(*cells_of(x), channels, layers, num_classes).parameters()) for x in X]
    assert cost["params"].tolist() == counted


def test_the_published_size_of_darts():
    """3.3 M parameters (Liu et al., 2019, table 1), with 36 channels and 20 layers."""
    cost = space.cost(space.parse([DARTS_V2]), channels=36, layers=20, affine=True)
    assert round(cost["params"][0] / 1e6, 1) == 3.3
    with torch.device("meta"):
        net = network(DARTS_V2.normal, DARTS_V2.reduce, 36, 20, 10)
    assert cost["params"][0] == sum(p.numel() for p in net.parameters())


def test_multiply_adds_do_not_depend_on_affine_norms():
    X = space.sample(20, random_state=3)
    plain, affine = space.cost(X), space.cost(X, affine=True)
    assert (plain["madds"] == affine["madds"]).all()
    assert (plain["params"] <= affine["params"]).all()
