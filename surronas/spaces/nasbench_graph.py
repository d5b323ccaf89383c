"""NAS-Bench-Graph: graph neural networks of four operations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surronas.exceptions import InvalidInputError
from surronas.spaces import register_space
from surronas.spaces.base import Gene, IntArray, SearchSpace
from surronas.spaces.graph import ArchGraph

OPS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
SKIP = OPS.index("skip")

# The nine macro structures, in the benchmark's order: the input of each of the four nodes (0 = the raw features).
LINKS = np.array(
    [
        (0, 0, 0, 0),
        (0, 0, 0, 1),
        (0, 0, 1, 1),
        (0, 0, 1, 2),
        (0, 0, 1, 3),
        (0, 1, 1, 1),
        (0, 1, 1, 2),
        (0, 1, 2, 2),
        (0, 1, 2, 3),
    ]
)
# Leaves with the same input, whose operations may be exchanged.
_TWIN_LEAVES = {0: [0, 1, 2, 3], 1: [1, 2], 2: [2, 3], 5: [1, 2, 3], 7: [2, 3]}
_TWO_CHAINS = 3


def _relabellings() -> tuple[IntArray, IntArray]:
    """For each of the 24 macro structures its place among the nine and the order of operations there."""
    place, order = np.zeros(24, dtype=np.int64), np.zeros((24, 4), dtype=np.int64)
    for code, link in enumerate(product(range(1), range(2), range(3), range(4))):
        for perm in permutations(range(4)):  # new node k is old node perm[k]
            new_of_old = {0: 0, **{old + 1: new + 1 for new, old in enumerate(perm)}}
            relabelled = [new_of_old[link[old]] for old in perm]
            match = np.flatnonzero((np.array(relabelled) == LINKS).all(axis=1))
            if len(match):
                place[code], order[code] = match[0], perm
                break
    return place, order


_PLACE, _ORDER = _relabellings()


@register_space("nasbench_graph")
class NASBenchGraph(SearchSpace):
    """26,206 graph neural networks: four operations, each fed by one earlier node (Qin et al., 2022, arXiv:2206.09166).

    A genotype is the input of nodes 2 to 4 (node 1 reads the raw features) and the four operations.
    Canonical forms are the benchmark's own: one of nine macro structures, skip connections moved to the
    front where they do nothing, exchangeable leaves sorted. ``parse`` also reads (links, operations) pairs.

    Examples
    --------
    >>> space = NASBenchGraph()
    >>> X = space.parse([([0, 1, 2, 1], ["gcn", "gin", "fc", "cheb"]), ([0, 1, 1, 2], ["gcn", "gin", "cheb", "fc"])])
    >>> space.key(X)
    array([61237, 61237])
    """

    name = "nasbench_graph"
    rule = "an operation must be other than skip"
    genes = (*(Gene(f"input{k}", tuple(range(k))) for k in (2, 3, 4)), *(Gene(f"op{k}", OPS) for k in (1, 2, 3, 4)))

    @property
    def size(self) -> int:
        """The number of canonical architectures."""
        return 26206

    def is_valid(self, X: IntArray) -> NDArray[np.bool_]:
        """Four skip connections are no network."""
        return np.asarray((X[:, 3:] != SKIP).any(axis=1))

    def parse_one(self, arch: Any) -> Sequence[int]:
        if isinstance(arch, str):
            match = re.fullmatch(r"\s*([\d,\s]+):([a-z,\s]+)", arch)
            if not match:
                raise InvalidInputError("it is not of the form 0,1,2,1:gcn,gin,fc,cheb")
            links = [int(part) for part in match[1].split(",")]
            ops = [part.strip() for part in match[2].split(",")]
        else:
            links, ops = arch
        if len(links) != 4 or len(ops) != 4 or any(not 0 <= link <= k for k, link in enumerate(links)):
            raise InvalidInputError("four links, each to an earlier node (0 = input), and four operations are expected")
        for op in ops:
            if op not in OPS:
                raise InvalidInputError(f"the operation {op!r} is none of {', '.join(OPS)}")
        return [*links[1:], *(OPS.index(op) for op in ops)]

    def format(self, X: Any) -> list[str]:
        X = self.parse(X)
        return [f"0,{','.join(map(str, row[:3]))}:{','.join(OPS[op] for op in row[3:])}" for row in X.tolist()]

    def prune(self, X: IntArray) -> IntArray:
        links, ops = np.pad(X[:, :3], ((0, 0), (1, 0))), X[:, 3:].copy()
        links, ops = _to_nine(links, ops)
        for k in range(4):
            links, ops = _skip_to_front(links, ops, k)
        links, ops = _to_nine(links, ops)
        return np.hstack([links[:, 1:], _sort_twins(links, ops)])

    def key(self, X: Any) -> IntArray:
        """The benchmark's own hash of the canonical form."""
        C = self.canonical(X)
        place = _place(np.pad(C[:, :3], ((0, 0), (1, 0))))
        return np.asarray(np.hstack([place[:, None], C[:, 3:]]) @ 10 ** np.arange(4, -1, -1))

    def enumerate(self) -> IntArray:
        """The 26,206 canonical architectures by ascending key."""
        ops = np.stack(np.meshgrid(*[np.arange(9)] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
        X = np.hstack([np.repeat(LINKS[:, 1:], len(ops), axis=0), np.tile(ops, (9, 1))])
        X = X[self.is_valid(X)]
        return np.asarray(X[(self.prune(X) == X).all(axis=1)])

    def graph_of(self, C: IntArray) -> ArchGraph:
        """Input, four operations, output; operations that feed no other feed the output."""
        n = len(C)
        links = np.pad(C[:, :3], ((0, 0), (1, 0)))
        adjacency = np.zeros((n, 6, 6), dtype=bool)
        adjacency[np.arange(n)[:, None], links, np.arange(1, 5)] = True
        adjacency[:, 1:5, 5] = ~adjacency[:, 1:5, 1:5].any(axis=2)
        return ArchGraph(adjacency, np.pad(C[:, 3:], ((0, 0), (1, 1)), constant_values=-1), OPS, identity=("skip",))


def _place(links: IntArray) -> IntArray:
    return np.asarray(_PLACE[links[:, 1:] @ (12, 4, 1)])


def _to_nine(links: IntArray, ops: IntArray) -> tuple[IntArray, IntArray]:
    order = _ORDER[links[:, 1:] @ (12, 4, 1)]
    return LINKS[_place(links)], np.take_along_axis(ops, order, axis=1)


def _skip_to_front(links: IntArray, ops: IntArray, k: int) -> tuple[IntArray, IntArray]:
    """Where operation k is a skip that the network does not need in its place, make it the first node.

    That is so where it feeds another operation, where its input feeds no other, or where only skips lie
    between it and the raw features (so that it passes on features of the original dimension).
    """
    has_child = (links == k + 1).any(axis=1)
    has_sibling = (links == links[:, [k]]).sum(axis=1) > 1
    raw, node = np.ones(len(links), dtype=bool), np.full(len(links), k)
    for _ in range(k + 1):
        here = node >= 0
        raw &= ~here | (np.take_along_axis(ops, np.maximum(node, 0)[:, None], axis=1)[:, 0] == SKIP)
        node = np.where(here, np.take_along_axis(links, np.maximum(node, 0)[:, None], axis=1)[:, 0] - 1, -1)
    moves = (ops[:, k] == SKIP) & (has_child | ~has_sibling | raw)
    order = [k, *range(k), *range(k + 1, 4)]
    new = np.where(links == k + 1, links[:, [k]], links)
    new = np.where(new <= k, new + 1, new)[:, order]
    new[:, 0] = 0
    return np.where(moves[:, None], new, links), np.where(moves[:, None], ops[:, order], ops)


def _sort_twins(links: IntArray, ops: IntArray) -> IntArray:
    ops, place = ops.copy(), _place(links)
    for structure, leaves in _TWIN_LEAVES.items():
        rows = np.flatnonzero(place == structure)
        ops[rows[:, None], leaves] = np.sort(ops[rows[:, None], leaves], axis=1)
    swap = (place == _TWO_CHAINS) & (ops[:, 0] * 9 + ops[:, 2] > ops[:, 1] * 9 + ops[:, 3])
    return np.where(swap[:, None], ops[:, [1, 0, 3, 2]], ops)
