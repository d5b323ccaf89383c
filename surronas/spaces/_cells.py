"""What cells of four nodes with an operation on each of the six edges share; operation 0 is none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surronas.spaces.base import IntArray
from surronas.spaces.graph import ArchGraph

__all__ = ["EDGES", "draw", "without_dead_edges"]

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


def without_dead_edges(X: IntArray) -> IntArray:
    """(n, 6) operations, with 0 on every edge that no path from input to output uses."""
    e01, e02, e12, e03, e13, e23 = (X != 0).T
    from_input_1, from_input_2 = e01, e02 | (e01 & e12)
    to_output_2, to_output_1 = e23, e13 | (e12 & e23)
    used = [
        e01 & to_output_1,
        e02 & to_output_2,
        e12 & from_input_1 & to_output_2,
        e03,
        e13 & from_input_1,
        e23 & from_input_2,
    ]
    return np.where(np.stack(used, axis=1), X, 0)


def draw(X: IntArray, op_names: Sequence[str]) -> ArchGraph:
    """Cells with the operations ``op_names[X - 1]`` on their edges."""
    ops = np.full((len(X), 4, 4), -1, dtype=np.int64)
    for gene, (i, j) in enumerate(EDGES):
        ops[:, i, j] = X[:, gene] - 1
    return ArchGraph(ops >= 0, ops, tuple(op_names), identity=("skip_connect",))
