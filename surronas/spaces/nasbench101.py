"""NAS-Bench-101: cells of up to seven nodes with operations on nodes and up to nine edges."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from itertools import permutations, product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surronas.exceptions import InvalidInputError
from surronas.spaces import register_space
from surronas.spaces.base import Gene, IntArray, SearchSpace
from surronas.spaces.graph import ArchGraph
from surronas.spaces.nasbench101_cost import inner_channels, network_cost

if TYPE_CHECKING:
    from surronas.spaces.networks.layers import Network

OPS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
NODES = 7
MAX_EDGES = 9
NASLIB_OPS = ("input", "output", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu")

_STARTS, _ENDS = np.triu_indices(NODES, k=1)
_EDGES = len(_STARTS)
_GENE_OF = {edge: gene for gene, edge in enumerate(zip(_STARTS.tolist(), _ENDS.tolist(), strict=True))}
_INNER = NODES - 2
_LABELLINGS = len(OPS) ** _INNER
_INVALID = 2.0**40
_FLAT = re.compile(r"\s*[(\[]\s*\d+(\s*,\s*\d+)*\s*[)\]]\s*")
_NODE = re.compile(r"\|([a-z0-9-]+)((?:~\d)*)\|")


def _bit(start: Any, end: Any) -> Any:
    """The place of an edge in the bit string by which the benchmark's authors numbered matrices."""
    return start + end * (end - 1) // 2


def _codes_of_orders() -> NDArray[np.float64]:
    """(120, n_genes) times a genotype: the number of the cell under each order of its inner nodes."""
    orders = np.array([(0, *order, NODES - 1) for order in permutations(range(1, NODES - 1))]).T
    starts, ends = orders[_STARTS], orders[_ENDS]
    edges = np.where(starts < ends, _LABELLINGS * 2.0 ** _bit(starts, ends), _INVALID)
    return np.vstack([edges, float(len(OPS)) ** (_INNER - orders[1:-1])]).T.copy()


_CODES = _codes_of_orders()


@register_space("nasbench101")
class NASBench101(SearchSpace):
    """423,624 cells: up to seven nodes, nine edges and three operations (Ying et al., 2019, arXiv:1902.09635).

    A genotype is the upper triangle of the 7x7 matrix, row by row, and the operations of the five inner nodes.
    It is an architecture when a path joins input and output and at most nine edges lie on such paths: like the
    official check, this one looks at the pruned cell. The canonical form is the benchmark's own representative:
    of all orders of the nodes the one whose matrix, then whose operations, come first in the official numbering.

    ``parse`` reads (matrix, operations) pairs of two to seven nodes, dicts with ``matrix`` and ``ops`` or
    ``module_adjacency`` and ``module_operations``, NASLib's flat tuples (matrix, then operation codes) and
    what ``format`` writes.

    Examples
    --------
    >>> space = NASBench101()
    >>> pair = [[0, 1, 1], [0, 0, 1], [0, 0, 0]], ["input", "maxpool3x3", "output"]
    >>> space.format(space.parse([pair]))
    ['|maxpool3x3~0|+|output~0~1|']
    >>> other = "|conv1x1-bn-relu|+|maxpool3x3~0|+|output~0~2|"  # the first node has no input
    >>> bool(space.key([*space.parse([pair])]) == space.key([*space.parse([other])]))
    True
    """

    name = "nasbench101"
    rule = "a path must join input and output, and at most nine edges may lie on such paths"
    genes = (
        *(Gene(f"edge_{i}_{j}", (False, True)) for i, j in _GENE_OF),
        *(Gene(f"op_{i}", OPS) for i in range(1, NODES - 1)),
    )

    @property
    def size(self) -> int:
        """The number of cells no two of which are isomorphic."""
        return 423_624

    def is_valid(self, X: IntArray) -> NDArray[np.bool_]:
        n_edges = _live_parts(X)[0].sum(axis=0)
        return np.asarray((n_edges > 0) & (n_edges <= MAX_EDGES))

    # -- notations -----------------------------------------------------------------------------

    def parse_one(self, arch: Any) -> Sequence[int]:
        if isinstance(arch, str):
            return _from_text(arch) if arch.lstrip().startswith("|") else self._parse_literal(arch)
        matrix, ops = arch
        return _from_matrix(matrix, ops)

    def _parse_literal(self, text: str) -> Sequence[int]:
        if _FLAT.fullmatch(text):  # ten times as fast as ast.literal_eval; there are files of 423,624
            codes = [int(code) for code in text.strip(" ()[]\n").split(",")]
            return codes if len(codes) == self.n_genes else self.parse_codes(codes)
        value = ast.literal_eval(text.strip())
        if isinstance(value, Mapping):
            return self._parse_dict(value)
        return self.parse_one(value)

    def _parse_dict(self, arch: Mapping[Any, Any]) -> Sequence[int]:
        for matrix, ops in (("matrix", "ops"), ("module_adjacency", "module_operations")):
            if matrix in arch and ops in arch:
                return _from_matrix(arch[matrix], arch[ops])
        return super()._parse_dict(arch)

    def parse_codes(self, codes: Sequence[int]) -> Sequence[int]:
        """NASLib's tuple: the n x n matrix row by row, then n codes of NASLIB_OPS."""
        n = next((n for n in range(2, NODES + 1) if n * n + n == len(codes)), None)
        if n is None:
            return super().parse_codes(codes)
        if not all(0 <= code < len(NASLIB_OPS) for code in codes[n * n :]):
            raise InvalidInputError(f"the operation codes must be from 0 to {len(NASLIB_OPS) - 1}")
        rows = [codes[i : i + n] for i in range(0, n * n, n)]
        return _from_matrix(rows, [NASLIB_OPS[code] for code in codes[n * n :]])

    def format(self, X: Any) -> list[str]:
        X = self.parse(X)
        return [_to_text(a, ops) for a, ops in zip(_adjacency(X), X[:, _EDGES:].tolist(), strict=True)]

    # -- forms ---------------------------------------------------------------------------------

    def prune(self, X: IntArray) -> IntArray:
        edges, nodes = _live_parts(X)
        P = np.vstack([edges, nodes * X[:, _EDGES:].T]).astype(np.float64)
        least = np.empty(len(X), dtype=np.int64)
        for start in range(0, len(X), 4096):
            columns = slice(start, start + 4096)
            least[columns] = (_CODES @ P[:, columns]).min(axis=0)
        return _from_number(least)

    def enumerate(self) -> IntArray:
        """The 423,624 canonical cells in the order in which the benchmark's authors generated them."""
        cells = []
        for start in range(0, 2**_EDGES, 2**16):
            X = _from_number(np.arange(start, start + 2**16) * _LABELLINGS)
            X = X[X[:, :_EDGES].sum(axis=1) <= MAX_EDGES]
            X = X[_live_parts(X)[0].any(axis=0)]
            cells.append(X[(self.prune(X) == X).all(axis=1)])
        X = np.concatenate(cells)
        n_inner = np.any(_adjacency(X)[:, 1:-1], axis=2).sum(axis=1)
        labelled = [self._label(X[n_inner == n], n) for n in range(NODES - 1)]
        return np.concatenate(labelled)

    def _label(self, X: IntArray, n_inner: int) -> IntArray:
        labels = np.array(list(product(range(len(OPS)), repeat=n_inner)), dtype=np.int64)
        labels = labels.reshape(len(OPS) ** n_inner, n_inner)
        L = np.repeat(X, len(labels), axis=0)
        L[:, _EDGES : _EDGES + n_inner] = np.tile(labels, (len(X), 1))
        return np.asarray(L[(self.prune(L) == L).all(axis=1)])

    def graph_of(self, C: IntArray) -> ArchGraph:
        adjacency = _adjacency(C)
        ops = np.full((len(C), NODES), -1, dtype=np.int64)
        ops[:, 1:-1] = np.where(np.any(adjacency[:, 1:-1], axis=2), C[:, _EDGES:], -1)
        return ArchGraph(adjacency, ops, OPS)

    def network_of(  # type: ignore[override]
        self,
        c: IntArray,
        num_classes: int = 10,
        in_channels: int = 3,
        resolution: int = 32,
        channels: int = 128,
        stacks: int = 3,
        modules: int = 3,
    ) -> Network:
        from surronas.spaces.networks.nasbench101 import build

        edges = _adjacency(c[None])
        inner = [inner_channels(edges, channels * 2**stack)[0].tolist() for stack in range(stacks)]
        ops = [OPS[code] for code in c[_EDGES:]]
        return build(edges[0], ops, inner, channels, modules, num_classes, in_channels, resolution)

    def cost(  # type: ignore[override]
        self,
        X: Any,
        num_classes: int = 10,
        resolution: int = 32,
        channels: int = 128,
        stacks: int = 3,
        modules: int = 3,
    ) -> pd.DataFrame:
        """Trainable parameters, multiply-adds (convolutions and classifier) and published FLOPs of the network.

        The network: a 3x3 stem, ``stacks`` of ``modules`` cells with ``channels``, twice, four times ... as many
        channels, 2x2 max pooling between stacks, global pooling, a linear layer. ``flops`` are those of
        NAS-Bench-Suite-Zero: the multiply-adds, three for each output of a batch norm with ReLU, the area of
        the window for each output of a max pooling.

        Where the output concatenates three or five nodes the first of them get a channel more, so that the cost
        depends on the order of the nodes; it is that of the canonical one.
        """
        C = self.canonical(X)
        return network_cost(_adjacency(C), C[:, _EDGES:], num_classes, resolution, channels, stacks, modules)


# -- cells as matrices -------------------------------------------------------------------------


def _adjacency(X: IntArray) -> NDArray[np.bool_]:
    """(n, 7, 7) the edges of genotypes."""
    edges = np.zeros((len(X), NODES, NODES), dtype=bool)
    edges[:, _STARTS, _ENDS] = X[:, :_EDGES] != 0
    return edges


def _live_parts(X: IntArray) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of the edges (21, n) and of the inner nodes (5, n) of genotypes lie on a path from input to output."""
    edges = np.ascontiguousarray(X[:, :_EDGES].T != 0)
    reached = np.zeros((NODES, len(X)), dtype=bool)
    reaching = reached.copy()
    reached[0] = reaching[-1] = True
    ways = list(zip(_STARTS.tolist(), _ENDS.tolist(), edges, strict=True))
    for start, end, there in ways:
        reached[end] |= reached[start] & there
    for start, end, there in reversed(ways):
        reaching[start] |= reaching[end] & there
    alive = reached & reaching
    return edges & alive[_STARTS] & alive[_ENDS], alive[1:-1]


def _from_number(numbers: IntArray) -> IntArray:
    """Cells by the number of their matrix times the labellings of the inner nodes, plus that of theirs."""
    edges = (numbers[:, None] // _LABELLINGS >> _bit(_STARTS, _ENDS)) & 1
    ops = numbers[:, None] % _LABELLINGS // len(OPS) ** np.arange(_INNER - 1, -1, -1) % len(OPS)
    return np.hstack([edges, ops])


# -- notations ---------------------------------------------------------------------------------


def _from_matrix(matrix: Any, ops: Any) -> list[int]:
    rows = matrix.tolist() if isinstance(matrix, np.ndarray) else [list(row) for row in matrix]
    names = [str(op) for op in ops]
    n = len(names)
    if not 2 <= n <= NODES or len(rows) != n or any(len(row) != n for row in rows):
        raise InvalidInputError(
            f"an n x n matrix and n operations with n from 2 to {NODES} are expected, not {len(rows)} rows and {n}"
        )
    edges = [(i, j) for i, row in enumerate(rows) for j, value in enumerate(row) if value != 0]
    if any(i >= j or rows[i][j] != 1 for i, j in edges):
        raise InvalidInputError("the matrix must hold 0 and 1, and 1 only above the diagonal")
    if (names[0], names[-1]) != ("input", "output"):
        raise InvalidInputError("the first operation must be 'input' and the last one 'output'")
    for name in names[1:-1]:
        if name not in OPS:
            raise InvalidInputError(f"the operation {name!r} is none of {', '.join(OPS)}")
    place = [*range(n - 1), NODES - 1]
    codes = [0] * (_EDGES + _INNER)
    for i, j in edges:
        codes[_GENE_OF[place[i], place[j]]] = 1
    for i, name in enumerate(names[1:-1]):
        codes[_EDGES + i] = OPS.index(name)
    return codes


def _to_text(edges: NDArray[np.bool_], ops: list[int]) -> str:
    """Each node's operation and inputs, without trailing inner nodes that nothing tells from absent ones."""
    used = [i for i in range(1, NODES - 1) if ops[i - 1] or edges[i].any() or edges[:, i].any()]
    nodes = [*range(1, max(used, default=0) + 1), NODES - 1]
    names = ["", *(OPS[op] for op in ops), "output"]
    return "+".join(f"|{names[j]}{''.join(f'~{i}' for i in np.flatnonzero(edges[:, j]))}|" for j in nodes)


def _from_text(text: str) -> list[int]:
    nodes = _NODE.findall(text)
    if "+".join(f"|{op}{inputs}|" for op, inputs in nodes) != text.strip():
        raise InvalidInputError("it is not of the form |op~0|+|op~0~1|+|output~2|")
    matrix = np.zeros((len(nodes) + 1, len(nodes) + 1), dtype=np.int64)
    for j, (_, inputs) in enumerate(nodes, start=1):
        matrix[[int(i) for i in inputs.split("~")[1:]], j] = 1
    return _from_matrix(matrix, ["input", *(op for op, _ in nodes)])
