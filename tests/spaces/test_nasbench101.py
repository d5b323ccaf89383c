"""Published facts of NAS-Bench-101 (Ying et al., 2019) and NASLib's sample of it, and slow references."""

from __future__ import annotations

import ast
import hashlib
from itertools import pairwise, permutations, product

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from surronas.exceptions import InvalidInputError
from surronas.spaces import get_space
from surronas.spaces.nasbench101 import NASLIB_OPS, OPS
from surronas.spaces.nasbench101_cost import network_cost

space = get_space("nasbench101")
UPPER = np.triu_indices(7, k=1)
DIAMOND = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
DIAMOND_OPS = ["input", "maxpool3x3", "conv1x1-bn-relu", "output"]


def matrices(X):
    A = np.zeros((len(X), 7, 7), dtype=np.int64)
    A[:, UPPER[0], UPPER[1]] = X[:, :21]
    return A


def pruned(x):
    """Matrix and operations (-1 input, -2 output) without the nodes on no path from input to output, by networkx."""
    A = matrices(x[None])[0]
    cell = nx.DiGraph(list(zip(*np.nonzero(A), strict=True)))
    alive = sorted((nx.descendants(cell, 0) | {0}) & (nx.ancestors(cell, 6) | {6}))
    labels = [-1, *x[21:].tolist(), -2]
    return A[np.ix_(alive, alive)], [labels[i] for i in alive]


def md5(value):
    return hashlib.md5(str(value).encode()).hexdigest()


def official_hash(A, labels):
    """The benchmark's fingerprint: node hashes spread along the edges as often as there are nodes."""
    A = np.asarray(A)
    hashes = [md5((int(out), int(into), label)) for out, into, label in zip(A.sum(1), A.sum(0), labels, strict=True)]
    for _ in labels:
        hashes = [
            md5(
                "".join(sorted(hashes[i] for i in np.flatnonzero(A[:, v])))
                + "|"
                + "".join(sorted(hashes[i] for i in np.flatnonzero(A[v])))
                + "|"
                + hashes[v]
            )
            for v in range(len(labels))
        ]
    return md5(str(sorted(hashes)))


@pytest.fixture(scope="module")
def everything():
    return space.enumerate()


def test_there_are_as_many_cells_as_published(everything):
    assert len(everything) == space.size == 423_624
    assert len(np.unique(space.key(everything))) == 423_624
    assert (space.canonical(everything) == everything).all()


def test_small_cells_are_those_the_official_program_generates(everything):
    """The first of each fingerprint, over matrices by their bit string and labellings in lexical order."""
    generated = []
    for n in range(2, 6):
        seen = set()
        for bits in range(2 ** (n * (n - 1) // 2)):
            A = np.array([[bits >> (x + y * (y - 1) // 2) & 1 if x < y else 0 for y in range(n)] for x in range(n)])
            if not A[:-1].any(axis=1).all() or not A[:, 1:].any(axis=0).all() or A.sum() > 9:
                continue
            for labels in product(range(3), repeat=n - 2):
                fingerprint = official_hash(A, [-1, *labels, -2])
                if fingerprint not in seen:
                    seen.add(fingerprint)
                    generated.append((A, ["input", *(OPS[op] for op in labels), "output"]))
    assert len(generated) > 1000
    np.testing.assert_array_equal(everything[: len(generated)], space.parse(generated))


def test_keys_tell_apart_what_official_fingerprints_tell_apart():
    """Few operations and edges, so that many of the random cells are isomorphic."""
    rng = np.random.RandomState(0)
    X = (rng.rand(3000, 26) < 0.35).astype(np.int64)
    X = X[space.is_valid(X)][:700]
    fingerprints = [official_hash(*pruned(x)) for x in X]
    ours, theirs = pd.factorize(space.key(X))[0], pd.factorize(np.array(fingerprints))[0]
    np.testing.assert_array_equal(ours, theirs)
    assert 50 < len(set(fingerprints)) < 500


def test_every_drawing_of_a_cell_has_its_canonical_form():
    for c in space.canonical(space.sample(25, random_state=1)):
        A, names = matrices(c[None])[0], np.array(["input", *(OPS[op] for op in c[21:]), "output"])
        drawings = []
        for order in permutations(range(1, 6)):
            order = [0, *order, 6]
            B = A[np.ix_(order, order)]
            if not np.tril(B).any():
                drawings.append((B, names[order]))
        assert len(drawings) >= 1
        np.testing.assert_array_equal(space.canonical(space.parse(drawings)), np.repeat(c[None], len(drawings), axis=0))


def test_canonical_cells_are_isomorphic_to_the_pruned_ones():
    X = space.sample(100, random_state=2, unique=False)
    for x, c in zip(X, space.canonical(X), strict=True):
        cells = []
        for A, labels in (pruned(x), pruned(c)):
            cell = nx.DiGraph(list(zip(*np.nonzero(A), strict=True)))
            nx.set_node_attributes(cell, dict(enumerate(labels)), "op")
            cells.append(cell)
        assert nx.is_isomorphic(*cells, node_match=lambda a, b: a == b)
        assert matrices(c[None]).sum() == pruned(x)[0].sum()  # no dead edge is left


def test_valid_cells_join_input_and_output_by_at_most_nine_edges():
    X = np.random.RandomState(3).randint(0, 2, size=(400, 26))
    X[:100, :21] &= np.random.RandomState(4).randint(0, 2, size=(100, 21))
    expected = []
    for x in X:
        cell = nx.DiGraph(list(zip(*np.nonzero(matrices(x[None])[0]), strict=True)))
        cell.add_nodes_from([0, 6])
        expected.append(nx.has_path(cell, 0, 6) and pruned(x)[0].sum() <= 9)
    assert 20 < sum(expected) < 380
    assert space.is_valid(X).tolist() == expected


def test_an_invalid_cell_is_refused():
    with pytest.raises(InvalidInputError, match="in row 1, which is none: a path must join"):
        space.canonical([[1] * 6 + [0] * 20, [0] * 26])


# -- notations ---------------------------------------------------------------------------------


def test_every_notation_reads_the_same():
    flat = [*np.ravel(DIAMOND).tolist(), *(NASLIB_OPS.index(op) for op in DIAMOND_OPS)]
    spaces_ops = ["input", "maxpool3x3", "conv1x1-bn-relu", *[OPS[0]] * 3, "output"]
    wide = np.zeros((7, 7), dtype=np.int8)
    wide[0, [1, 2]] = wide[[1, 2], 6] = 1
    forms = [
        (DIAMOND, DIAMOND_OPS),
        [np.array(DIAMOND), DIAMOND_OPS],
        {"matrix": DIAMOND, "ops": DIAMOND_OPS},
        {"module_adjacency": np.array(DIAMOND), "module_operations": DIAMOND_OPS, "trainable_parameters": 1},
        (wide, spaces_ops),
        flat,
        tuple(flat),
        str(tuple(flat)),
        f" {flat}\n",
        str((DIAMOND, DIAMOND_OPS)),
        str({"matrix": DIAMOND, "ops": DIAMOND_OPS}),
        "|maxpool3x3~0|+|conv1x1-bn-relu~0|+|output~1~2|",
    ]
    X = space.parse(forms)
    assert (X == X[0]).all()
    np.testing.assert_array_equal(space.parse([str(x.tolist()) for x in X[:2]]), X[:2])
    assert space.format(X[:1]) == [forms[-1]]
    edges = {gene.name for gene, code in zip(space.genes, X[0], strict=True) if gene.name.startswith("edge") and code}
    assert edges == {"edge_0_1", "edge_0_2", "edge_1_6", "edge_2_6"}


def test_format_keeps_dead_parts():
    X = space.sample(300, random_state=5, unique=False)
    np.testing.assert_array_equal(space.parse(space.format(X)), X)


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ((DIAMOND, DIAMOND_OPS[:3]), "an n x n matrix and n operations"),
        ((DIAMOND, ["output", *DIAMOND_OPS[1:]]), "first operation must be 'input'"),
        ((DIAMOND, ["input", "conv5x5", "maxpool3x3", "output"]), "'conv5x5' is none of"),
        ((np.array(DIAMOND).T, DIAMOND_OPS), "only above the diagonal"),
        ((np.array(DIAMOND) * 2, DIAMOND_OPS), "must hold 0 and 1"),
        ((np.zeros((8, 8)), ["input", *[OPS[0]] * 6, "output"]), "n from 2 to 7"),
        ("|maxpool3x3~0|output~1|", "not of the form"),
        ("|maxpool3x3~0|+|output~3|", "out of bounds"),
        ("(0, 1, 0, 0, 0, 9)", "operation codes must be from 0 to 4"),
        ([0] * 27, "genes were expected, 27 came"),
        ("__import__('os')", "Row 1 does not parse"),
        (3.5, "float"),
        (None, "NoneType"),
    ],
)
def test_what_does_not_parse_names_row_and_value(cell, why):
    with pytest.raises(InvalidInputError, match="Row 1 does not parse") as error:
        space.parse([(DIAMOND, DIAMOND_OPS), cell])
    assert why in str(error.value)


# -- cost --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(shared_data):
    return pd.read_csv(shared_data / "nasbench101" / "zc13_500.csv")


def drawn_cost(X):
    """The cost of the networks with the nodes in the order in which they were drawn, as the published columns have."""
    alive = []
    for x in X:
        A = matrices(x[None])[0]
        cell = nx.DiGraph(list(zip(*np.nonzero(A), strict=True)))
        nodes = (nx.descendants(cell, 0) | {0}) & (nx.ancestors(cell, 6) | {6})
        keep = np.isin(np.arange(7), list(nodes))
        alive.append(A.astype(bool) & keep[:, None] & keep)
    return network_cost(np.array(alive), X[:, 21:], 10, 32, 128, 3, 3)


@pytest.mark.needs_data("nasbench101/zc13_500.csv")
def test_cost_equals_the_published_columns(published):
    X = space.parse(published["arch"])
    cost = drawn_cost(X)
    np.testing.assert_array_equal(cost["params"], np.rint(published["params"] * 1e6))
    np.testing.assert_array_equal(cost["flops"], np.rint(published["flops"] * 1e6))
    canonical = space.cost(X)
    shares = matrices(space.canonical(X))[:, 1:, 6].sum(axis=1)
    even = np.isin(shares, [0, 1, 2, 4])
    assert even.sum() > 400
    np.testing.assert_array_equal(canonical[even], cost[even])
    np.testing.assert_allclose(canonical, cost, rtol=0.02)  # one channel of 42 or 25 goes to another node


@pytest.mark.needs_data("nasbench101/zc13_500.csv")
def test_naslib_numbers_operations_so_and_not_otherwise(published):
    """Any other order of the three operation codes contradicts the published parameters of many rows."""
    tuples = np.array([ast.literal_eval(arch) for arch in published["arch"]])
    expected = np.rint(published["params"] * 1e6).to_numpy()
    for order in permutations((2, 3, 4)):
        renamed = tuples.copy()
        for old, new in zip((2, 3, 4), order, strict=True):
            renamed[:, 50:55][tuples[:, 50:55] == old] = new
        wrong = (drawn_cost(space.parse(renamed.tolist()))["params"] != expected).sum()
        assert wrong == 0 if order == (2, 3, 4) else wrong > 100


def test_cost_of_the_wire_is_that_of_stem_projections_and_head():
    """Input joined to output: each module is one 1x1 projection with its batch norm."""
    cost = space.cost(space.parse([([[0, 1], [0, 0]], ["input", "output"])]))
    widths = [128, 128, 128, 128, 256, 256, 256, 512, 512, 512]
    areas = [1024] * 3 + [256] * 3 + [64] * 3
    projections = [a * b for a, b in pairwise(widths)]
    assert cost["params"][0] == 29 * 128 + sum(projections) + 2 * sum(widths[1:]) + 512 * 10 + 10
    assert cost["madds"][0] == 27 * 128 * 1024 + np.dot(projections, areas) + 5120


def test_cost_follows_the_network_options():
    X = space.sample(5, random_state=6)
    usual, small = space.cost(X), space.cost(X, channels=16, resolution=16, num_classes=100, modules=1)
    assert (small < usual).all(axis=None)
    assert (space.cost(X, num_classes=100)["params"] - usual["params"] == 90 * 513).all()


def test_graph():
    graph = space.graph(space.parse([(DIAMOND, DIAMOND_OPS)]))
    assert graph.op_names == OPS
    assert {tuple(edge) for edge in np.argwhere(graph.adjacency[0])} == {(0, 1), (0, 2), (1, 6), (2, 6)}
    assert sorted(graph.ops[0].tolist()) == [-1] * 5 + [1, 2]
