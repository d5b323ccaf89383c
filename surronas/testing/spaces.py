"""What a search space promises."""

from __future__ import annotations

import json

import numpy as np

from surronas.spaces import Gene, SearchSpace, space_from_spec
from surronas.spaces.base import IntArray
from surronas.testing.promises import refuses, require, same

__all__ = ["check_space", "conditional_space"]

_ENUMERATED = 50_000


def conditional_space() -> SearchSpace:
    """A small plain space whose genes hang on one another: what every encoder should cope with."""
    return SearchSpace(
        [
            Gene("depth", (1, 2, 3), ordered=True),
            Gene("kernel1", (3, 5, 7), ordered=True),
            Gene("kernel2", (3, 5, 7), {"depth": (2, 3)}, ordered=True),
            Gene("kernel3", (3, 5, 7), {"depth": (3,)}, ordered=True),
            Gene("attention", ("none", "squeeze"), ordered=True),
            Gene("reduction", (16, 8, 4), {"attention": ("squeeze",), "depth": (2, 3)}, ordered=True),
        ]
    )


def check_space(space: SearchSpace, n: int = 200, random_state: int = 0) -> None:
    """Assert that a search space keeps its contract, on ``n`` random genotypes.

    Canonical forms are idempotent, in the space and blind to inactive genes; ``parse`` reads what ``format``
    writes; neighbours differ in one active gene; samples are reproducible and unique; graphs are labelled
    DAGs; costs are those of the canonical form; the specification restores the space; errors name the row.
    """
    few = space.size is not None and space.size <= _ENUMERATED
    everything = space.enumerate() if few else None
    if space.size is not None:
        distinct = space.size if everything is None else len(np.unique(space.key(everything)))
        n = min(n, max(1, distinct // 4))
    X = space.sample(n, random_state)
    require(X.shape == (n, space.n_genes) and X.dtype == np.int64, "sample gives (n, n_genes) int64")
    same(X, space.sample(n, random_state), "sample with the same random_state gives the same genotypes")
    require(len(np.unique(space.key(X))) == n, "sample(unique=True) gives no isomorphic architectures")
    same(X, space.parse(X.tolist()), "parse reads lists of genes")

    C = space.canonical(X)
    same(C, space.canonical(C), "canonical is idempotent")
    same(C, space.parse(C), "canonical stays in the space")
    require(not C[~space.active(C)].any(), "inactive genes are 0 in the canonical genotype")
    noise = np.random.RandomState(random_state).randint(0, space.n_choices, size=X.shape)
    scrambled = np.where(space.active(X), X, noise)
    same(C, space.canonical(scrambled), "canonical does not depend on inactive genes")
    same(space.key(X), space.key(scrambled), "key does not depend on inactive genes")
    strings = space.format(C)
    require(all(isinstance(text, str) for text in strings), "format gives strings")
    same(C, space.parse(strings), "parse reads what format writes")

    for x in X[:20]:
        _check_neighbours(space, x)
    _check_graph(space, C)
    if space.has_cost:
        cost = space.cost(X)
        require({"params", "madds"} <= set(cost.columns), "cost has the columns params and madds")
        require(bool((cost >= 0).all(axis=None)), "cost is non-negative")
        same(cost.to_numpy(), space.cost(C).to_numpy(), "cost is that of the canonical form")
    if everything is not None:
        require(len(np.unique(everything, axis=0)) == len(everything) == space.size, "enumerate lists size genotypes")
        same(everything, space.parse(everything), "enumerate stays in the space")
    require(space_from_spec(json.loads(json.dumps(space.to_spec()))) == space, "to_spec restores the space by JSON")

    wrong = X[:2].copy()
    wrong[-1, 0] = space.n_choices[0]
    refuses(lambda: space.parse(wrong), f"row {len(wrong) - 1}", "a gene out of range")
    refuses(lambda: space.parse(X[:, 1:]), f"{space.n_genes}", "a wrong gene count")


def _check_neighbours(space: SearchSpace, x: IntArray) -> None:
    Y = space.neighbours(x)
    same(Y, space.parse(Y), "neighbours stay in the space")
    base = np.where(space.active(x[None]), x, 0)
    changed = (Y != base) & space.active(Y) & space.active(base)
    require(bool((changed.sum(axis=1) == 1).all()), "neighbours differ in one active gene")
    require(len(np.unique(Y, axis=0)) == len(Y), "neighbours are distinct")


def _check_graph(space: SearchSpace, C: IntArray) -> None:
    for graph in (space.graph(C), space.graph(C, on=None)):
        n, v = graph.adjacency.shape[:2]
        require(graph.adjacency.shape == (n, v, v) and n == len(C), "adjacency is (n, v, v)")
        require(not np.tril(graph.adjacency).any(), "edges run to later nodes")
        require(bool((graph.ops >= -1).all() and (graph.ops < len(graph.op_names)).all()), "ops index into op_names")
        if graph.on == "edges":
            same(graph.ops >= 0, graph.adjacency, "an edge has an operation, no edge has none")
        else:
            require(bool((graph.ops[:, [0, -1]] == -1).all()), "input and output have no operation")
            touched = np.asarray(graph.adjacency.any(axis=1) | graph.adjacency.any(axis=2))
            same(graph.ops[:, 1:-1] >= 0, touched[:, 1:-1], "the nodes with an operation are those with edges")
