"""TransNAS-Bench-101's cells: strings, isomorphism by brute force, and cost by counting in a network."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from surronas.exceptions import InvalidInputError
from surronas.spaces import get_space
from tests.spaces.transnas_network import counted

space = get_space("transnasbench101_micro")
EVERYTHING = space.enumerate()


def operations(row):
    """The cell as a DAG of its operations: a node for each, identities being wires, and all that is dead left out."""
    dag = nx.MultiDiGraph()
    dag.add_node("in", op="in")
    nodes = [["in"]]
    for first, last in ((0, 1), (1, 3), (3, 6)):
        incoming = []
        for start, op in enumerate(row[first:last]):
            if op == 1 and start > 0:
                incoming += nodes[start]
            elif op and nodes[start]:
                name = (first, start)
                dag.add_node(name, op=op)
                dag.add_edges_from((source, name) for source in nodes[start])
                incoming.append(name)
        nodes.append(incoming)
    dag.add_node("out", op="out")
    dag.add_edges_from((source, "out") for source in nodes[-1])
    return dag.subgraph(nx.ancestors(dag, "out") | {"out"} if nodes[-1] else {"out"}).copy()


def isomorphic(a, b):
    return nx.is_isomorphic(a, b, lambda x, y: x["op"] == y["op"], lambda x, y: len(x) == len(y))


def invariant(dag):
    return tuple(
        sorted((dag.nodes[n]["op"], dag.in_degree(n), dag.out_degree(n)) for n in dag if n not in ("in", "out"))
    )


def test_strings():
    assert space.size == len(EVERYTHING) == 4_096
    strings = space.format(EVERYTHING)
    assert strings[0b00_01_00_10_11_11] == "64-41414-0_10_233"
    assert len(set(strings)) == 4_096
    np.testing.assert_array_equal(space.parse(strings), EVERYTHING)
    np.testing.assert_array_equal(space.parse([s.removeprefix("64-41414-") for s in strings]), EVERYTHING)
    np.testing.assert_array_equal(space.parse([str(tuple(row)) for row in EVERYTHING.tolist()]), EVERYTHING)


def test_canonical_cells_are_isomorphic_to_what_they_stand_for():
    for row, canonical in zip(EVERYTHING[::3], space.canonical(EVERYTHING[::3]), strict=True):
        assert isomorphic(operations(row), operations(canonical))


def test_no_two_canonical_cells_are_isomorphic():
    C = np.unique(space.canonical(EVERYTHING), axis=0)
    assert len(C) == 1_376
    alike = {}
    for dag in map(operations, C):
        alike.setdefault(invariant(dag), []).append(dag)
    assert max(map(len, alike.values())) > 5
    assert not any(isomorphic(a, b) for dags in alike.values() for a, b in combinations(dags, 2))


def test_a_skip_connection_from_the_input_is_an_operation_and_others_are_wires():
    one, same, other, twice = space.parse(["3_00_010", "0_30_001", "1_00_030", "3_30_011"])
    keys = space.key([one, same, other, twice])
    assert keys[0] == keys[1]
    assert len(set(keys.tolist())) == 3
    shared, apart = space.key(space.parse(["3_01_033", "3_30_033"]))
    assert shared != apart  # one convolution read by two, and two convolutions


def test_canonical_cells_have_the_fewest_edges_of_their_class():
    n_edges = pd.Series((EVERYTHING != 0).sum(axis=1))
    n_canonical = (space.canonical(EVERYTHING) != 0).sum(axis=1)
    np.testing.assert_array_equal(n_edges.groupby(space.key(EVERYTHING)).transform("min"), n_canonical)


@pytest.mark.parametrize(("num_classes", "resolution"), [(75, 256), (47, 224)])
def test_cost_is_that_of_the_network(num_classes, resolution):
    X = np.vstack([space.canonical(space.sample(8, random_state=0)), [[0] * 6, [1] * 6, [2] * 6, [3] * 6]])
    cost = space.cost(X, num_classes, resolution)
    expected = [counted(name, num_classes, resolution) for name in space.format(space.canonical(X))]
    assert cost.to_numpy().tolist() == expected


def test_cost_is_that_of_every_drawing_of_a_cell_without_dead_edges():
    drawings = ["3_00_010", "2_31_011", "1_01_302", "3_01_033"]
    cost = space.cost(space.parse(drawings))
    assert cost.to_numpy().tolist() == [counted(f"64-41414-{name}", 75, 256) for name in drawings]


@pytest.mark.needs_data("transnasbench101/micro_alltasks_val.csv")
def test_edge_order_is_that_of_the_published_table(shared_data):
    """Just the cells without a path from input to output have the accuracy of an untrained network."""
    table = pd.read_csv(shared_data / "transnasbench101" / "micro_alltasks_val.csv")
    disconnected = (space.canonical(space.parse(table["arch"])) == 0).all(axis=1)
    assert disconnected.sum() == 169
    np.testing.assert_array_equal(disconnected, table["class_scene"] == table["class_scene"].min())


@pytest.mark.parametrize(
    "arch", ["64-41414-1_02_33", "64-1234-basic", "32-41414-1_02_333", "1_02_334", "102333", 7, None, "(1, 2"]
)
def test_what_does_not_parse_names_row_and_value(arch):
    with pytest.raises(InvalidInputError, match="Row 1 does not parse") as error:
        space.parse(["64-41414-1_02_333", arch])
    assert str(arch) in str(error.value)
