"""TransNAS-Bench-101's cell-level space: cells of four nodes and six labelled edges."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from surronas.exceptions import InvalidInputError
from surronas.spaces import register_space
from surronas.spaces._cells import EDGES, draw, without_dead_edges
from surronas.spaces._transnasbench101 import STEM, conv, network_cost, side_after
from surronas.spaces.base import Gene, IntArray, SearchSpace
from surronas.spaces.graph import ArchGraph

if TYPE_CHECKING:
    from surronas.spaces.networks.layers import Network

OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")
# Base channels and five modules of two cells; a 4 doubles the channels and halves the resolution in its first cell.
SKELETON = "64-41414"

_ARCH = re.compile(rf"(?:{SKELETON}-)?([0-3])_([0-3]{{2}})_([0-3]{{3}})")
_FROM_INPUT = np.array([start == 0 for start, _ in EDGES])


@register_space("transnasbench101_micro")
class TransNASBench101Micro(SearchSpace):
    """4,096 cells: four nodes, one of four operations on each edge (Duan et al., 2021, arXiv:2105.11871).

    Genes run in the order of the official string, ``64-41414-1_02_333``: base channels, modules, and for nodes 1, 2
    and 3 the operations on the edges from each earlier node; 0 none, 1 skip, 2 and 3 convolutions. ``parse`` reads
    these strings, with or without the constant part in front, and tuples of the six digits.

    A skip connection from the input is a strided convolution in three of the ten cells, so it is no identity there; the
    others are. Cells that are the same network under that reading have one canonical genotype: the one with fewest
    edges, 1,376 in all.

    Examples
    --------
    >>> space = TransNASBench101Micro()
    >>> X = space.parse(["64-41414-1_02_333", "3_00_010"])
    >>> X
    array([[1, 0, 2, 3, 3, 3],
           [3, 0, 0, 0, 1, 0]])
    >>> space.format(space.canonical(X))  # a lone convolution may as well lie on the edge from input to output
    ['64-41414-1_02_333', '64-41414-0_00_300']
    """

    name = "transnasbench101_micro"
    genes = tuple(Gene(f"op_{i}_{j}", OPS) for i, j in EDGES)

    def parse_one(self, arch: Any) -> Sequence[int]:
        if isinstance(arch, str) and arch.lstrip().startswith("("):
            return list(self.parse([ast.literal_eval(arch)])[0].tolist())
        match = _ARCH.fullmatch(arch.strip()) if isinstance(arch, str) else None
        if not match:
            raise InvalidInputError(f"a string of the form {SKELETON}-1_02_333 was expected, digits 0 to 3")
        return [int(digit) for digit in "".join(match.groups())]

    def format(self, X: Any) -> list[str]:
        return [SKELETON + "-{}_{}{}_{}{}{}".format(*row) for row in self.parse(X).tolist()]

    def prune(self, X: IntArray) -> IntArray:
        """The representative of the cell's isomorphism class, without dead edges."""
        return np.asarray(_representatives()[self.rank(X)])

    def graph_of(self, C: IntArray) -> ArchGraph:
        return draw(C, OPS[1:])

    def network_of(  # type: ignore[override]
        self, c: IntArray, num_classes: int = 75, in_channels: int = 3, resolution: int = 256
    ) -> Network:
        from surronas.spaces.networks.transnas_cells import build

        return build([OPS[code] for code in c], SKELETON.partition("-")[2], num_classes, in_channels, resolution)

    def cost(self, X: Any, num_classes: int = 75, resolution: int = 256) -> pd.DataFrame:  # type: ignore[override]
        """Parameters and multiply-adds (convolutions and classifier) of the network of pruned cells that classifies.

        The defaults are those of object classification; scenes have 47 classes, and the authors count FLOPs on
        images of 224 x 224.
        """
        C = self.canonical(X)
        backbone = np.zeros((2, len(C)), dtype=np.int64)
        channels, halvings = STEM, 0
        for module in SKELETON.partition("-")[2]:
            if module == "4":
                halvings += 1
                backbone += self._cell(C, channels, 2 * channels, resolution, halvings)
                channels *= 2
            n_alike = 1 if module == "4" else 2
            backbone += n_alike * self._cell(C, channels, channels, resolution, halvings)
        return network_cost(backbone, channels, num_classes, resolution)

    @staticmethod
    def _cell(C: IntArray, c_in: int, c_out: int, resolution: int, halvings: int) -> IntArray:
        area = side_after(resolution, halvings) ** 2
        cost = np.zeros((2, len(C)), dtype=np.int64)
        for edges, c_from in ((_FROM_INPUT, c_in), (~_FROM_INPUT, c_out)):
            for op, kernel in (("skip_connect", 1), ("nor_conv_1x1", 1), ("nor_conv_3x3", 3)):
                if op != "skip_connect" or c_from != c_out:
                    n_edges = (C[:, edges] == OPS.index(op)).sum(axis=1)
                    cost += n_edges * conv(c_from, c_out, kernel, area)[:, None]
        return cost


@cache
def _representatives() -> IntArray:
    """(4096, 6) the canonical genotype of each genotype by its rank."""
    X = SearchSpace.enumerate(TransNASBench101Micro())
    pruned = without_dead_edges(X)
    _, network = np.unique([_network(row) for row in pruned.tolist()], return_inverse=True)
    order = np.lexsort((*pruned.T[::-1], (pruned != 0).sum(axis=1), network))
    _, first = np.unique(network[order], return_index=True)
    return np.asarray(pruned[order[first]][network])


def _network(row: list[int]) -> str:
    """What the cell computes, and the operations it has: equal for isomorphic cells and only for them.

    The first part alone would not tell one operation read twice from two of a kind.
    """
    nodes: list[list[str]] = [["0"]]
    operations: list[str] = []
    for first, last in ((0, 1), (1, 3), (3, 6)):
        terms: list[str] = []
        for start, op in enumerate(row[first:last]):
            if op == 0 or not nodes[start]:
                continue
            if op == 1 and start != 0:
                terms += nodes[start]
            else:
                terms.append(f"({'+'.join(nodes[start])})@{op}")
                operations.append(terms[-1])
        nodes.append(sorted(terms))
    return f"{'+'.join(nodes[-1])}|{'+'.join(sorted(operations))}"
