"""DARTS, the space of NAS-Bench-301: a normal and a reduction cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.spaces import register_space
from surronas.spaces.base import Gene, IntArray, SearchSpace
from surronas.spaces.darts_cost import network_cost
from surronas.spaces.darts_notations import genotype_text, read_genotype, read_text
from surronas.spaces.graph import ArchGraph

if TYPE_CHECKING:
    from surronas.spaces.networks.layers import Network

OPS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
CELLS = ("normal", "reduce")
NODES = (2, 3, 4, 5)  # the inner nodes; 0 and 1 are the outputs of the two cells before
EDGES = tuple((i, node) for node in NODES for i in range(node))

_PAIRS = {node: tuple(combinations(range(node), 2)) for node in NODES}
_INVALID = 2.0**45


def _cell_genes(cell: str) -> list[Gene]:
    genes = []
    for node in NODES:
        if node > 2:
            genes.append(Gene(f"{cell}_{node}_inputs", _PAIRS[node]))
        genes += [Gene(f"{cell}_{node}_op{which}", OPS) for which in (1, 2)]
    return genes


def _codes_of_orders() -> NDArray[np.float64]:
    """(14, 24) times the operations on a cell's edges, counted from 1: its number under each order of its nodes."""
    codes = np.empty((len(EDGES), 24))
    for column, order in enumerate(permutations(NODES)):
        renamed = (0, 1, *order)
        for row, (i, j) in enumerate(EDGES):
            i, j = renamed[i], renamed[j]
            codes[row, column] = float(len(OPS) + 1) ** EDGES.index((i, j)) if i < j else _INVALID
    return codes


_CODES = _codes_of_orders()
_N_CELL = len(_cell_genes("normal"))


@register_space("darts")
class DARTS(SearchSpace):
    """1.1e18 pairs of cells: four nodes of two inputs each, seven operations (Liu et al., 2019, arXiv:1806.09055).

    For each inner node of the normal and the reduction cell a genotype has the pair of earlier nodes it reads
    (nodes 0 and 1 are the outputs of the two cells before; node 2 can only read those) and the operations on the
    first and the second of the two edges. Every genotype is an architecture. The canonical form numbers the
    inner nodes so that the operations on the edges come first in order; the four are concatenated, so that
    nothing is dead and their order does not matter.

    ``parse`` reads DARTS's ``Genotype`` tuples, dicts of their fields and their text, NASLib's compact form
    ``[[(input, operation), ...], [...]]`` and NAS-Bench-301's configurations.

    Examples
    --------
    >>> space = DARTS()
    >>> X = space.parse([[[(0, 3), (1, 3), (0, 3), (1, 2), (0, 3), (1, 2), (1, 3), (2, 5)], [(0, 0), (1, 2)] * 4]])
    >>> space.format(X)[0][:80]
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    """

    name = "darts"
    genes = tuple(gene for cell in CELLS for gene in _cell_genes(cell))

    # -- notations -----------------------------------------------------------------------------

    def parse_one(self, arch: Any) -> Sequence[int]:
        cells = read_text(arch, OPS) if isinstance(arch, str) else read_genotype(arch, OPS)
        return [code for cell in cells for code in self._cell_codes(cell)]

    def _parse_dict(self, arch: Mapping[Any, Any]) -> Sequence[int]:
        if set(arch) <= set(self.gene_names):
            return super()._parse_dict(arch)
        return self.parse_one(arch)

    def _cell_codes(self, cell: Sequence[Sequence[tuple[int, int]]]) -> list[int]:
        codes = []
        for node, ((i, first), (j, second)) in zip(NODES, cell, strict=True):
            codes += [first, second] if node == 2 else [_PAIRS[node].index((i, j)), first, second]
        return codes

    def format(self, X: Any) -> list[str]:
        return [genotype_text(cells, OPS) for cells in _edge_ops(self.parse(X)).tolist()]

    # -- forms ---------------------------------------------------------------------------------

    def prune(self, X: IntArray) -> IntArray:
        numbers = (_edge_ops(X).reshape(-1, len(EDGES)).astype(np.float64) @ _CODES).min(axis=1).astype(np.int64)
        edges = numbers[:, None] // (len(OPS) + 1) ** np.arange(len(EDGES)) % (len(OPS) + 1)
        return _cells_from_edges(edges).reshape(len(X), 2 * _N_CELL)

    def graph_of(self, C: IntArray) -> ArchGraph:
        """The two cells side by side between input and output, their eight operations each as nodes.

        The network repeats both in turn, so that neither comes before the other; drawn one after the other, their
        features predict NAS-Bench-301's sample slightly worse. An operation is named with its cell, which matters
        much more: the normal cell occurs thrice as often. A skip connection of the reduction cell halves the
        resolution where it reads the cell's input, so it is no identity.
        """
        ops = _edge_ops(C)
        used = np.argsort(ops == 0, axis=2, kind="stable")[:, :, :8]
        starts, ends = np.moveaxis(np.array(EDGES)[used], -1, 0)
        adjacency = np.zeros((len(C), 18, 18), dtype=bool)
        for cell, its in enumerate((slice(1, 9), slice(9, 17))):
            adjacency[:, 0, its] = starts[:, cell] < 2
            adjacency[:, its, its] = ends[:, cell, :, None] == starts[:, cell, None, :]
            adjacency[:, its, -1] = True
        labels = np.full((len(C), 18), -1, dtype=np.int64)
        labels[:, 1:-1] = (np.take_along_axis(ops, used, axis=2) - 1 + [[0], [len(OPS)]]).reshape(len(C), 16)
        names = tuple(f"{cell}_{op}" for cell in CELLS for op in OPS)
        return ArchGraph(adjacency, labels, names, identity=("normal_skip_connect",))

    def network_of(  # type: ignore[override]
        self,
        c: IntArray,
        num_classes: int = 10,
        in_channels: int = 3,
        resolution: int = 32,
        channels: int = 32,
        layers: int = 8,
        affine: bool = False,
    ) -> Network:
        from surronas.spaces.networks.darts import build

        normal, reduction = (zip(EDGES, ops, strict=True) for ops in _edge_ops(c[None])[0].tolist())
        cells = {edge: OPS[op - 1] for edge, op in normal if op}, {edge: OPS[op - 1] for edge, op in reduction if op}
        return build(cells, channels, layers, affine, num_classes, in_channels, resolution)

    def cost(  # type: ignore[override]
        self,
        X: Any,
        num_classes: int = 10,
        resolution: int = 32,
        channels: int = 32,
        layers: int = 8,
        affine: bool = False,
    ) -> pd.DataFrame:
        """Parameters, multiply-adds (convolutions and classifier) and published FLOPs of the network.

        The network: a 3x3 stem of 3 * ``channels``, ``layers`` cells, those a third and two thirds along being
        reduction cells, which double the channels and halve the resolution, global pooling, a linear layer; no
        auxiliary head. The defaults are NASLib's network, whose published ``params`` and ``flops`` this equals.

        Parameters
        ----------
        X : (n, n_genes) int array
        num_classes, resolution, channels, layers : int
            DARTS's networks for CIFAR-10 have 36 channels and 20 layers, the ones that NAS-Bench-301 trained 32 and 8.
        affine : bool, default=False
            Whether the batch norms of the cells' operations have parameters and poolings have no batch norm, as in the
            networks that DARTS trains from scratch.

        Returns
        -------
        DataFrame of int64
            ``flops`` is what NAS-Bench-Suite-Zero publishes: ``madds`` and, an element, 1 for a ReLU, 1 for a batch
            norm without parameters and 2 for one with them, 9 for a pooling; the global pooling of a map of r x r
            counts as (r + 1)^2.
        """
        ops = _edge_ops(self.canonical(X))
        return network_cost(ops, EDGES, num_classes, resolution, channels, layers, affine)


def _edge_ops(X: IntArray) -> IntArray:
    """(n, 2, 14) the operation on each edge of both cells, counted from 1; 0 where there is no edge."""
    cells = X.reshape(len(X), 2, _N_CELL)
    ops = np.zeros((len(X), 2, len(EDGES)), dtype=np.int64)
    gene = edge = 0
    for node in NODES:
        has_gene = node > 2
        pair = np.array(_PAIRS[node])[cells[:, :, gene] if has_gene else np.zeros((len(X), 2), dtype=np.int64)]
        gene += has_gene
        np.put_along_axis(ops[:, :, edge : edge + node], pair, cells[:, :, gene : gene + 2] + 1, axis=2)
        gene += 2
        edge += node
    return ops


def _cells_from_edges(ops: IntArray) -> IntArray:
    """(m, 11) the genes of cells from the (m, 14) operations on their edges, counted from 1."""
    columns, edge = [], 0
    for node in NODES:
        its = ops[:, edge : edge + node]
        first = (its > 0).argmax(axis=1)
        second = node - 1 - (its[:, ::-1] > 0).argmax(axis=1)
        if node > 2:
            place = np.zeros((node, node), dtype=np.int64)
            place[tuple(np.array(_PAIRS[node]).T)] = np.arange(len(_PAIRS[node]))
            columns.append(place[first, second])
        rows = np.arange(len(ops))
        columns += [its[rows, first] - 1, its[rows, second] - 1]
        edge += node
    return np.stack(columns, axis=1)
