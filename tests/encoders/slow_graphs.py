"""Graphs one at a time by explicit enumeration of paths, and small graph spaces as a third party would write them."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from surronas.spaces import ArchGraph, Gene, SearchSpace

__all__ = ["DagOnEdges", "DagOnNodes", "slow_features", "slow_paths"]

OPS = ("conv", "pool", "wire")


class DagOnNodes(SearchSpace):
    """Four labelled nodes between input and output, any edge to a later node."""

    name = "dag_on_nodes"
    pairs = tuple((i, j) for j in range(1, 6) for i in range(j))
    genes = (*(Gene(f"op{i}", OPS) for i in range(1, 5)), *(Gene(f"edge{i}{j}", (False, True)) for i, j in pairs))

    def graph_of(self, C):
        adjacency = np.zeros((len(C), 6, 6), dtype=bool)
        for gene, (i, j) in enumerate(self.pairs, start=4):
            adjacency[:, i, j] = C[:, gene]
        return ArchGraph(adjacency, np.pad(C[:, :4], ((0, 0), (1, 1)), constant_values=-1), OPS, identity=("wire",))


class DagOnEdges(SearchSpace):
    """Five nodes; each of the ten edges is absent or carries one of three operations; the third is an identity."""

    name = "dag_on_edges"
    pairs = tuple((i, j) for j in range(1, 5) for i in range(j))
    genes = tuple(Gene(f"edge{i}{j}", (None, *OPS)) for i, j in pairs)

    def graph_of(self, C):
        ops = np.full((len(C), 5, 5), -1, dtype=np.int64)
        for gene, (i, j) in enumerate(self.pairs):
            ops[:, i, j] = C[:, gene] - 1
        return ArchGraph(ops >= 0, ops, OPS, identity=("wire",))


def slow_paths(graph, row):
    """The operations along every path from input to output; what has no operation adds nothing."""
    adjacency, ops = graph.adjacency[row], graph.ops[row]
    last = len(adjacency) - 1
    spelled = []

    def walk(node, sequence):
        if node == last:
            spelled.append(tuple(op for op in sequence if op >= 0))
            return
        for successor in range(node + 1, last + 1):
            if adjacency[node, successor]:
                op = ops[node, successor] if graph.on == "edges" else ops[successor]
                walk(successor, (*sequence, int(op)))

    walk(0, ())
    return spelled


def slow_features(graph, row):
    """Every feature that the class's documentation names, by its name."""
    adjacency, ops = graph.adjacency[row].tolist(), graph.ops[row].tolist()
    v, k = len(adjacency), len(graph.op_names)
    edges = [(i, j) for i in range(v) for j in range(v) if adjacency[i][j]]
    enters = {(i, j): ops[i][j] if graph.on == "edges" else ops[j] for i, j in edges}
    paths = slow_paths(graph, row)
    features = {}
    for op, name in enumerate(graph.op_names):
        mine = [edge for edge in edges if enters[edge] == op]
        features[f"count[{name}]"] = len(mine) if graph.on == "edges" else ops.count(op)
        features[f"input_degree[{name}]"] = sum(i == 0 for i, _ in mine)
        features[f"in_degree[{name}]"] = sum(0 < j < v - 1 for _, j in mine) / (v - 2)
        features[f"out_degree[{name}]"] = sum(0 < i < v - 1 for i, _ in mine) / (v - 2)
        if graph.on == "edges":
            features[f"output_degree[{name}]"] = sum(j == v - 1 for _, j in mine)
        else:
            features[f"output_degree[{name}]"] = sum(ops[i] == op for i, j in edges if j == v - 1)
    for size in range(1, k + 1):
        for chosen in combinations(range(k), size):
            tag = "+".join(graph.op_names[op] for op in chosen)
            pure = [len(path) for path in paths if set(path) <= set(chosen)]
            features[f"shortest[{tag}]"] = min(pure, default=v)
            features[f"longest[{tag}]"] = max((sum(op in chosen for op in path) for path in paths), default=-1)
    return features
