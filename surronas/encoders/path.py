"""Which sequences of operations lead from input to output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from surronas.encoders import register_encoder
from surronas.encoders.base import Encoder
from surronas.exceptions import InvalidInputError
from surronas.spaces import ArchGraph, SearchSpace
from surronas.spaces.base import IntArray

_SAMPLE = 4096
_MOST_PATHS = 100_000  # of one graph
_AT_ONCE = 2_000_000


@register_encoder("path")
class Path(Encoder):
    """Path encoding: a column a sequence of operations, 1 where some path from input to output spells it.

    Parameters
    ----------
    space : SearchSpace, str or None, default=None
    max_features : int, default=500
        Only the sequences that are commonest in a sample of the space are kept (truncated path encoding).

    References
    ----------
    White et al. (2021), BANANAS, AAAI, arXiv:1910.11858.

    Examples
    --------
    >>> encoder = Path(space="nasbench201").fit([[3, 0, 0, 1, 0, 4]])
    >>> paths = encoder.set_output(transform="pandas").transform([[3, 0, 0, 1, 0, 0], [0, 0, 0, 1, 0, 0]])
    >>> paths["skip_connect"].tolist(), paths.sum(axis=1).tolist()
    ([1.0, 1.0], [1.0, 1.0])
    """

    def __init__(self, space: SearchSpace | str | None = None, max_features: int = 500) -> None:
        super().__init__(space)
        self.max_features = max_features

    def _fit(self, C: IntArray) -> None:
        if not isinstance(self.max_features, (int, np.integer)) or self.max_features < 1:
            raise InvalidInputError(
                f"The 'max_features' parameter of Path must be a positive int. Got {self.max_features!r} instead."
            )
        sample = self.space_.canonical(self.space_.sample(_SAMPLE, random_state=0, unique=False))
        graph = self.space_.graph(sample, on=None)
        parts = []
        for part in self._parts(graph):
            distinct = np.unique(np.column_stack(_paths(part)), axis=0)[:, 1:]
            parts.append(np.unique(distinct, axis=0, return_counts=True))
        spelled, part_of = np.unique(np.vstack([paths for paths, _ in parts]), axis=0, return_inverse=True)
        counts = np.bincount(part_of.ravel(), weights=np.concatenate([counts for _, counts in parts]))
        lengths = (spelled >= 0).sum(axis=1)
        commonest = np.lexsort((lengths, -counts))[: self.max_features]
        self.paths_ = spelled[np.sort(commonest)]
        self._op_names = graph.op_names

    def _names(self) -> list[str]:
        return ["->".join(self._op_names[op] for op in path if op >= 0) or "(wire)" for path in self.paths_]

    def _encode(self, C: IntArray) -> NDArray[np.bool_]:
        return np.vstack([self._known(part) for part in self._parts(self.space_.graph(C, on=None))])

    def _parts(self, graph: ArchGraph) -> Iterator[ArchGraph]:
        """The batch cut into such as have no more paths than memory takes."""
        counts = _n_paths(graph)
        if len(counts) and counts.max() > _MOST_PATHS:
            raise InvalidInputError(
                f"The path encoder enumerates at most {_MOST_PATHS:,} paths from input to output. "
                f"An architecture of the space {self.space_.name!r} has {counts.max():,.0f}; graph_features "
                "has no limit."
            )
        part_of = np.cumsum(counts) // _AT_ONCE
        for k in np.unique(part_of) if len(counts) else [0]:
            rows = part_of == k
            yield replace(graph, adjacency=graph.adjacency[rows], ops=graph.ops[rows])

    def _known(self, graph: ArchGraph) -> NDArray[np.bool_]:
        """(n, d) which of the encoder's sequences each graph spells."""
        rows, paths = _paths(graph)
        known, column = np.unique(np.vstack([self.paths_, paths]), axis=0, return_inverse=True)
        column = column.ravel()
        place = np.full(len(known), -1)
        place[column[: len(self.paths_)]] = np.arange(len(self.paths_))
        place = place[column[len(self.paths_) :]]
        F = np.zeros((len(graph), len(self.paths_)), dtype=bool)
        F[rows[place >= 0], place[place >= 0]] = True
        return F


def _n_paths(graph: ArchGraph) -> NDArray[np.float64]:
    """(n,) how many paths join input and output."""
    n, v = graph.adjacency.shape[:2]
    ways = np.zeros((n, v))
    ways[:, 0] = 1
    for j in range(1, v):
        ways[:, j] = (ways[:, :j] * graph.adjacency[:, :j, j]).sum(axis=1)
    return np.asarray(ways[:, -1])


def _paths(graph: ArchGraph) -> tuple[IntArray, NDArray[np.int16]]:
    """Every path of every graph: the graph's row (m,), and its operations (m, v), -1 after the last.

    Paths grow edge by edge for the whole batch at once.
    """
    n, v = graph.adjacency.shape[:2]
    labels = graph.ops if graph.on == "edges" else np.broadcast_to(graph.ops[:, None, :], (n, v, v))
    ending = [(np.arange(n), np.full((n, v), -1, dtype=np.int16))]
    for j in range(1, v):
        grown = []
        for i, (rows, paths) in enumerate(ending):
            through = graph.adjacency[rows, i, j]
            rows, paths = rows[through], paths[through]
            label = labels[rows, i, j]
            spells = np.flatnonzero(label >= 0)
            paths[spells, (paths[spells] >= 0).sum(axis=1)] = label[spells]
            grown.append((rows, paths))
        ending.append((np.concatenate([rows for rows, _ in grown]), np.concatenate([paths for _, paths in grown])))
    return ending[-1]
