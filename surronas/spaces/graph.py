"""Architectures as batches of labelled directed acyclic graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ArchGraph"]


@dataclass(frozen=True)
class ArchGraph:
    """A batch of labelled DAGs; node 0 is the input, the last node the output, edges run to later nodes.

    Attributes
    ----------
    adjacency : (n, v, v) bool
        ``adjacency[k, i, j]``: graph k has the edge i -> j; strictly upper triangular.
    ops : int array
        On nodes: (n, v), the operation at each node. On edges: (n, v, v), the operation on each edge.
        -1 where there is none: at input and output, at absent nodes, at absent edges.
    op_names : tuple of str
        ``ops`` index into it.
    identity : tuple of str
        The operations that pass their input on unchanged.
    """

    adjacency: NDArray[np.bool_]
    ops: NDArray[np.int64]
    op_names: tuple[str, ...]
    identity: tuple[str, ...] = ()

    @property
    def on(self) -> str:
        """``"nodes"`` or ``"edges"``."""
        return "nodes" if self.ops.ndim == 2 else "edges"

    def __len__(self) -> int:
        return len(self.adjacency)

    @classmethod
    def chain(cls, ops: NDArray[np.int64], present: NDArray[np.bool_], op_names: Sequence[str]) -> ArchGraph:
        """A path input -> the present ops in order -> output.

        Parameters
        ----------
        ops : (n, m) int
        present : (n, m) bool
            Absent ones are bypassed.
        """
        n, m = ops.shape
        on = np.pad(present, ((0, 0), (1, 1)), constant_values=True)
        # i -> j is an edge of the chain when both are present and all between them are not
        skipped = np.cumsum(on, axis=1)
        adjacency = on[:, :, None] & on[:, None, :] & (skipped[:, None, :] - skipped[:, :, None] == 1)
        labels = np.full((n, m + 2), -1, dtype=np.int64)
        labels[:, 1:-1] = np.where(present, ops, -1)
        return cls(adjacency, labels, tuple(op_names))

    def on_nodes(self) -> ArchGraph:
        """The same graphs with operations on nodes.

        An edge i -> j with an operation becomes a node; it precedes the node of every edge that starts
        in j. Nodes are ordered by the edges' ends, so edges again run to later nodes.
        """
        if self.on == "nodes":
            return self
        v = self.adjacency.shape[1]
        starts, ends = np.triu_indices(v, k=1)
        order = np.lexsort((starts, ends))
        starts, ends = starts[order], ends[order]
        present = self.adjacency[:, starts, ends]
        n, e = present.shape
        adjacency = np.zeros((n, e + 2, e + 2), dtype=bool)
        adjacency[:, 1:-1, 1:-1] = (ends[:, None] == starts[None, :]) & present[:, :, None] & present[:, None, :]
        adjacency[:, 0, 1:-1] = present & (starts == 0)
        adjacency[:, 1:-1, -1] = present & (ends == v - 1)
        ops = np.full((n, e + 2), -1, dtype=np.int64)
        ops[:, 1:-1] = np.where(present, self.ops[:, starts, ends], -1)
        return ArchGraph(adjacency, ops, self.op_names, self.identity)

    def contracted(self) -> ArchGraph:
        """The same graphs with every identity operation a bare wire (operation -1)."""
        kept = [i for i, name in enumerate(self.op_names) if name not in self.identity]
        code = np.full(len(self.op_names) + 1, -1, dtype=np.int64)
        code[kept] = np.arange(len(kept))
        return ArchGraph(self.adjacency, code[self.ops], tuple(self.op_names[i] for i in kept))
