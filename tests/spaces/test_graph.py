"""ArchGraph against networkx, one graph at a time."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from surronas.spaces import ArchGraph


@st.composite
def graphs_on_edges(draw):
    n, v = draw(st.integers(1, 4)), draw(st.integers(2, 5))
    codes = draw(st.lists(st.integers(-1, 2), min_size=n * v * v, max_size=n * v * v))
    ops = np.where(np.triu(np.ones((v, v), dtype=bool), 1), np.reshape(codes, (n, v, v)), -1)
    return ArchGraph(ops >= 0, ops, ("a", "b", "c"))


def slow_line_graph(adjacency, ops):
    """Edges become nodes; input and output are joined to the edges that leave the first and enter the last node."""
    last = len(adjacency) - 1
    graph = nx.DiGraph()
    graph.add_node("in", op=-1)
    graph.add_node("out", op=-1)
    edges = [tuple(edge) for edge in np.argwhere(adjacency).tolist()]
    for i, j in edges:
        graph.add_node((i, j), op=ops[i, j])
    for i, j in edges:
        if i == 0:
            graph.add_edge("in", (i, j))
        if j == last:
            graph.add_edge((i, j), "out")
        graph.add_edges_from(((i, j), (k, m)) for k, m in edges if k == j)
    return graph


def as_networkx(graph, row):
    """Row ``row`` of a batch, without absent nodes."""
    v = graph.adjacency.shape[1]
    kept = [i for i in range(v) if i in (0, v - 1) or graph.ops[row, i] >= 0]
    result = nx.DiGraph(tuple(edge) for edge in np.argwhere(graph.adjacency[row]).tolist())
    assert set(result) <= set(kept)
    result.add_nodes_from(kept)
    nx.set_node_attributes(result, {i: graph.ops[row, i] for i in kept}, "op")
    return result, 0, v - 1


@given(graphs_on_edges())
def test_on_nodes_is_the_line_graph(graph):
    nodes = graph.on_nodes()
    assert nodes.on == "nodes"
    assert len(nodes) == len(graph)
    assert not np.tril(nodes.adjacency).any()
    for row in range(len(graph)):
        ours, first, last = as_networkx(nodes, row)
        theirs = slow_line_graph(graph.adjacency[row], graph.ops[row])
        for g, start, end in ((ours, first, last), (theirs, "in", "out")):
            g.nodes[start]["op"], g.nodes[end]["op"] = -2, -3
        assert nx.is_isomorphic(ours, theirs, node_match=lambda a, b: a["op"] == b["op"])


@given(st.integers(1, 5).flatmap(lambda m: st.lists(st.lists(st.booleans(), min_size=m, max_size=m), min_size=1)))
def test_chain_is_a_path_through_the_present(present):
    present = np.array(present)
    ops = np.broadcast_to(np.arange(present.shape[1]), present.shape)
    graph = ArchGraph.chain(ops, present, [f"op{i}" for i in range(present.shape[1])])
    for row, on in enumerate(present):
        path = [0, *(np.flatnonzero(on) + 1), len(on) + 1]
        edges = {tuple(edge) for edge in np.argwhere(graph.adjacency[row]).tolist()}
        assert edges == set(pairwise(path))
        assert graph.ops[row].tolist() == [-1, *np.where(on, ops[row], -1), -1]


def test_on_nodes_of_a_graph_on_nodes_is_itself():
    graph = ArchGraph.chain(np.zeros((1, 2), dtype=np.int64), np.ones((1, 2), dtype=bool), ["a"])
    assert graph.on_nodes() is graph
