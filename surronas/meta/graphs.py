"""Architectures as graphs that a neural network reads and writes: typed vertices in a fixed order, edges, and back."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surronas.spaces.base import IntArray, SearchSpace

__all__ = ["GraphCode", "Graphs", "graph_code"]

_INPUT, _OUTPUT, _ABSENT, _RESERVED = 0, 1, 2, 3
_SEEN = 5_000  # architectures that what a vertex says of a gene is learnt from


class Graphs(NamedTuple):
    """A batch of n graphs of v vertices each.

    Attributes
    ----------
    types : (n, v) int64
        What each vertex is: numbers of the code's ``types``.
    adjacency : (n, v, v) bool
        ``adjacency[k, i, j]``: graph k has the edge i -> j, i < j.
    """

    types: Tensor
    adjacency: Tensor

    def rows(self, rows: Tensor | slice) -> Graphs:
        """Those graphs only."""
        return Graphs(self.types[rows], self.adjacency[rows])


class GraphCode:
    """How a space's architectures are written as graphs and read back.

    The vertices are those of ``space.graph``, in its order: input, operations, output. A place without an operation, a
    layer that the depth leaves out, say, is a vertex of type ``absent``, which has no edges. A gene that the space's
    graph does not show (resolution and width of ``ofa_mbv3``) gets a vertex behind the input, with its choice as
    its type. So an architecture has one graph, and no two have the same.

    Parameters
    ----------
    space : SearchSpace

    Attributes
    ----------
    types : tuple of str
        ``input``, ``output``, ``absent``, the operations, the choices of genes with a vertex of their own.
    n_vertices : int
        Of every graph of the space, absent ones included.

    Examples
    --------
    >>> from surronas.spaces import get_space
    >>> space = get_space("nasbench201")
    >>> code = GraphCode(space)
    >>> code.n_vertices, code.types
    (8, ('input', 'output', 'absent', 'skip_connect', 'nor_conv_1x1', 'nor_conv_3x3', 'avg_pool_3x3'))
    >>> graphs = code.write([[3, 0, 0, 1, 2, 0]])
    >>> graphs.types.tolist()
    [[0, 5, 2, 2, 3, 4, 2, 1]]
    >>> code.read(graphs)
    (array([[3, 0, 0, 1, 2, 0]]), array([ True]))
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        rng = np.random.RandomState(0)
        self._hidden, self._touches = self._try_genes(space.sample(256, rng, unique=False), rng)
        self._some = space.canonical(space.sample(1, rng))[0]
        drawn = space.graph(self._some[None])
        choices = [f"{space.genes[g].name}={choice}" for g in self._hidden for choice in space.genes[g].choices]
        self.types = ("input", "output", "absent", *drawn.op_names, *choices)
        self.n_vertices = drawn.adjacency.shape[1] + len(self._hidden)

    @property
    def n_types(self) -> int:
        return len(self.types)

    def write(self, X: IntArray) -> Graphs:
        """(n, n_genes) genotypes -> their graphs."""
        types, adjacency = self._write(self.space.canonical(X))
        return Graphs(torch.from_numpy(types), torch.from_numpy(adjacency))

    def read(self, graphs: Graphs) -> tuple[IntArray, NDArray[np.bool_]]:
        """Graphs -> genotypes.

        Returns
        -------
        X : (n, n_genes) int64
            Canonical where valid; where not, some genotype.
        valid : (n,) bool
            Whether the graph, with every type and edge, is that of an architecture of the space.
        """
        types, adjacency = graphs.types.numpy(), graphs.adjacency.numpy()
        possible = self._said[np.arange(self.n_vertices), types].all(axis=1)  # (n, choices of all genes)
        of_gene = np.split(possible, np.cumsum(self.space.n_choices)[:-1], axis=1)
        X = np.stack([choices.argmax(axis=1) for choices in of_gene], axis=1).astype(np.int64)
        valid = np.stack([choices.any(axis=1) for choices in of_gene], axis=1).all(axis=1) & self.space.is_valid(X)
        X[~valid] = self._some
        X = self.space.canonical(X)
        again_types, again_adjacency = self._write(X)
        valid &= (again_types == types).all(axis=1) & (again_adjacency == adjacency).all(axis=(1, 2))
        return X, valid

    def _write(self, C: IntArray) -> tuple[IntArray, NDArray[np.bool_]]:
        graph = self.space.graph(C)
        types = np.where(graph.ops >= 0, graph.ops + _RESERVED, _ABSENT)
        types[:, 0], types[:, -1] = _INPUT, _OUTPUT
        k, offset = len(self._hidden), _RESERVED + len(graph.op_names)
        if not k:
            return types, graph.adjacency
        own = np.empty((len(C), k), dtype=np.int64)
        for column, gene in enumerate(self._hidden):
            own[:, column] = offset + C[:, gene]
            offset += len(self.space.genes[gene].choices)
        n, v = types.shape
        adjacency = np.zeros((n, v + k, v + k), dtype=bool)
        adjacency[:, np.arange(k), np.arange(1, k + 1)] = True
        adjacency[:, k:, k:] = graph.adjacency  # the last of them takes the input's place
        return np.concatenate([types[:, :1], own, types[:, 1:]], axis=1), adjacency

    def _try_genes(self, X: IntArray, rng: np.random.RandomState) -> tuple[list[int], NDArray[np.bool_]]:
        """Genes that may change without any change of the space's graph; which vertices (v, n_genes) a gene changes."""
        space, hidden = self.space, []
        C = space.canonical(X)
        graph = space.graph(C)
        touches = np.zeros((graph.ops.shape[1], space.n_genes), dtype=bool)
        for gene in range(space.n_genes):
            other = X.copy()
            other[:, gene] = rng.randint(space.n_choices[gene], size=len(X))
            rows = space.is_valid(other)
            D = space.canonical(other[rows])
            changed = space.graph(D)
            touches[:, gene] = (graph.ops[rows] != changed.ops).any(axis=0)
            same = (graph.ops[rows] == changed.ops).all(axis=1)
            same &= (graph.adjacency[rows] == changed.adjacency).all(axis=(1, 2))
            if (same & (D != C[rows]).any(axis=1)).any():
                hidden.append(gene)
        own = np.zeros((len(hidden), space.n_genes), dtype=bool)
        own[np.arange(len(hidden)), hidden] = True
        return hidden, np.concatenate([touches[:1], own, touches[1:]])

    @cached_property
    def _said(self) -> NDArray[np.bool_]:
        """(n_vertices, n_types, choices of all genes): whether a vertex of that type goes with that choice.

        Learnt from the space's architectures, all of them or many; the choices that go with all vertices of a graph are
        those that it was written from.
        """
        space = self.space
        few = space.size is not None and space.size <= _SEEN
        C = space.canonical(space.enumerate() if few else space.sample(_SEEN, 0, unique=False))
        types, _ = self._write(C)
        starts = np.cumsum(np.r_[0, space.n_choices])
        said = np.ones((self.n_vertices, self.n_types, starts[-1]), dtype=bool)
        for vertex, gene in np.argwhere(self._touches):
            said[vertex, :, starts[gene] : starts[gene + 1]] = False
            said[vertex, types[:, vertex], starts[gene] + C[:, gene]] = True
        return said


@lru_cache(maxsize=16)
def graph_code(space: SearchSpace) -> GraphCode:
    """The code of a space, made once."""
    return GraphCode(space)
